//! Every queue worker under every manager: Celery in one site, the other kinds in another.

use std::fs;

use crate::broker::{Redis, switches};
use crate::site::Site;
use crate::trial::{all, is_left_out};
use crate::{busy, celery, packages};

/// Celery where `place` puts its site, which gives the words before a command there.
pub(crate) fn celery<Place>(manager: &str, place: impl Fn(&Site) -> Option<(Place, Vec<String>)>) {
    switch(manager, "workers", place, |site, redis| {
        format!("celery: {}", celery::switch_all(site, redis, long().len()))
    });
}

/// The other kinds, all in one site.
pub(crate) fn others<Place>(manager: &str, place: impl Fn(&Site) -> Option<(Place, Vec<String>)>) {
    switch(manager, "queues", place, |site, redis| {
        site.release(&["deploy", "main"]).exits(0);
        let long = long();
        let tasks = busy::switch_all(site, redis, &long);
        let kinds = busy::KINDS.map(|(service, _)| service).join(", ");
        format!("{kinds}: {} switches, {tasks} tasks each, none lost, none twice", long.len())
    });
}

fn switch<Place>(
    manager: &str,
    fixture: &str,
    place: impl Fn(&Site) -> Option<(Place, Vec<String>)>,
    switches: impl Fn(&Site, &Redis) -> String,
) {
    if is_left_out("queue workers", manager) {
        return;
    }
    let redis = Redis::start();
    let mut site = site(fixture, &redis);
    let Some((place, before)) = place(&site) else { return };
    site.before = packages::with(fixture, before);
    println!("{manager}: {}", switches(&site, &redis));
    site.stop();
    drop(place);
}

/// The seconds of the task in flight at each switch: at the first one longer than a switch.
fn long() -> Vec<u64> {
    if all() { (0..switches()).map(|switch| if switch == 0 { 20 } else { 6 }).collect() } else { vec![12, 3] }
}

fn site(fixture: &str, redis: &Redis) -> Site {
    let site = Site::of(fixture);
    packages::want_none(&site);
    site.commit("revision.py", "CODE = 0\n");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    site
}
