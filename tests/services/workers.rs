//! Queue workers by `overlap` and a beat by `replace`: no task lost, never two beats.

use std::collections::BTreeSet;
use std::fs;

use crate::broker::{Enqueuer, LIMIT, Redis, key, switches};
use crate::site::Site;
use crate::support::{Client, wait_until};

#[test]
fn celery() {
    let redis = Redis::start();
    let site = Site::of("workers");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    site.switch();
    let enqueuer = Enqueuer::start(&site, || true);
    for code in 1..=switches() {
        let long = format!("long{code} {}", code - 1);
        let path = format!("/long?key=long{code}&seconds=5");
        assert_eq!(Client::socket(&site.socket()).get(&path).unwrap().status, 200);
        wait_until("a worker has begun the long task", LIMIT, || redis.list("begun").contains(&long));
        site.commit("revision.py", &format!("CODE = {code}\n"));
        site.release(&["deploy", "main"]).exits(0);
        let by_new = |line: &String| line.ends_with(&format!(" {code}"));
        wait_until("the new worker works", LIMIT, || redis.list("done").iter().any(by_new));
        wait_until("the old worker has finished the long task", LIMIT, || redis.list("done").contains(&long));
    }
    let wanted = all_keys(enqueuer.stop());
    let distinct = || redis.list("done").iter().map(|line| key(line).to_owned()).collect::<BTreeSet<_>>();
    wait_until("all tasks are done", LIMIT, || distinct().len() >= wanted.len());
    assert_eq!(distinct(), wanted, "a task was lost");
    let twice = redis.list("done").len() - wanted.len();
    assert_eq!(twice, 0, "tasks were done twice");
    let silence = beat_silence(&redis);
    println!(
        "celery: {} switches, {} tasks, none lost, none twice; beat silent for {silence:.1} s at most",
        switches(),
        wanted.len()
    );
    site.assert_tidy();
    site.stop();
}

/// What was enqueued, with the long tasks.
fn all_keys(keys: Vec<String>) -> BTreeSet<String> {
    keys.into_iter().chain((1..=switches()).map(|code| format!("long{code}"))).collect()
}

/// The longest time without a tick, in seconds; fails the test if two beats ticked at once.
fn beat_silence(redis: &Redis) -> f64 {
    let ticks: Vec<f64> = redis.list("ticks").iter().map(|tick| tick.parse().unwrap()).collect();
    let lived = ticks.last().unwrap() - ticks[0];
    // One tick a second: each start of a beat may add one.
    let most = lived + switches() as f64 + 2.0;
    assert!((ticks.len() as f64) <= most, "{} ticks in {lived:.1} s: two beats ran", ticks.len());
    ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}
