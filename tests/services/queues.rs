//! Huey, RQ, Dramatiq, django-q2 and a plain `manage.py` command by `overlap`, all in one site: no
//! task is lost or done twice, and none that only the new code knows is thrown away by old workers.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::broker::{LIMIT, Redis, all_done, long_task, switches};
use crate::busy::{KINDS, switch_all};
use crate::rabbitmq::RabbitMq;
use crate::site::Site;
use crate::support::{Client, processes, wait_until};

#[test]
fn no_worker_loses_a_task() {
    switch_workers(&Redis::start(), "Redis", "");
}

/// As Dramatiq can; the other kinds stay with Redis beside it.
#[test]
fn no_worker_loses_a_task_over_amqp() {
    if let Some(rabbitmq) = RabbitMq::if_all() {
        switch_workers(&Redis::start(), "RabbitMQ", &format!("AMQP_URL={}\n", rabbitmq.url()));
    }
}

/// Switches under load; what was done stands in `redis`, and `dramatiq` takes its tasks by what `variables` say.
fn switch_workers(redis: &Redis, dramatiq: &str, variables: &str) {
    let site = Site::of("queues");
    let variables = format!("BROKER_URL={}\n{variables}", redis.url());
    fs::write(site.root.join("shared/.env"), variables).unwrap();
    site.release_ignoring_interrupts(&["deploy"]).exits(0);
    assert_interrupts_reach(&site);
    let long: Vec<u64> = (1..=switches()).map(long_task).collect();
    let tasks = switch_all(&site, redis, &long);
    for (_, kind) in KINDS {
        let broker = if kind == "dramatiq" { dramatiq } else { "Redis" };
        println!("| {kind} | {broker} | {} | {tasks} | 0 | 0 |", switches());
    }
    site.release(&["stop"]).exits(0);
    site.release_ignoring_interrupts(&["start"]).exits(0);
    assert_interrupts_reach(&site);
    site.stop();
}

/// Huey with processes, which would go on for ever without their master.
const FORKING: &str =
    "services:\n  huey: {command: huey_consumer queues.tasks.huey -k process -w 2, handover: overlap}\n";

#[test]
fn what_a_killed_worker_leaves_behind_makes_way_for_its_successor() {
    let redis = Redis::start();
    let site = Site::of("queues");
    site.append(FORKING);
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    site.release(&["deploy"]).exits(0);
    let begun = "long1 0".to_owned();
    assert_eq!(Client::socket(&site.socket()).get("/long?key=long1&seconds=6").unwrap().status, 200);
    wait_until("RQ has begun the long task", LIMIT, || redis.list("begun:rq").contains(&begun));
    for service in ["rq", "huey", "dramatiq", "django-q"] {
        let old = family(&site, service);
        assert!(old.len() > 1, "{service} has children: {old:?}");
        kill_process(master(&site, service).unwrap(), Signal::KILL).unwrap();
        wait_until(&format!("{service} is back"), LIMIT, || {
            master(&site, service).is_some_and(|pid| !old.contains(&pid))
        });
        let strays =
            || family(&site, service).into_iter().filter(|pid| old.contains(pid)).collect::<Vec<_>>();
        wait_until(&format!("nothing of the old {service} is left"), LIMIT, || strays().is_empty());
    }
    wait_until("the child of RQ has finished", LIMIT, || redis.list("done:rq").contains(&begun));
    assert_eq!(Client::socket(&site.socket()).get("/work?key=after").unwrap().status, 200);
    let wanted = BTreeSet::from(["after".to_owned()]);
    KINDS.iter().for_each(|(_, kind)| drop(all_done(&redis, &format!("done:{kind}"), &wanted)));
    site.stop();
}

/// The process of a service that runs, as the process manager knows it.
pub(crate) fn master(site: &Site, service: &str) -> Option<Pid> {
    let status = site.release(&["status", "--json"]).exits(0).json();
    let found = status["services"].as_array()?.iter().find(|one| one["name"] == service)?["pid"].as_i64()?;
    Pid::from_raw(found.try_into().unwrap())
}

/// All processes of a service.
pub(crate) fn family(site: &Site, service: &str) -> Vec<Pid> {
    let name = format!("RELEASE_PROGRAM={service}-");
    let found = processes::of(&site.root).into_iter().filter(|process| process.names(&name));
    found.map(|process| process.pid).collect()
}

/// Fails the test if a service was started with an ignored signal that it may be ended by.
#[track_caller]
fn assert_interrupts_reach(site: &Site) {
    const INT_QUIT_HUP: u64 = 1 << 1 | 1 << 2 | 1;
    let status = site.release(&["status", "--json"]).exits(0).json();
    for service in status["services"].as_array().unwrap() {
        let text = fs::read_to_string(format!("/proc/{}/status", service["pid"])).unwrap();
        let ignored = text.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
        let ignored = u64::from_str_radix(ignored, 16).unwrap();
        assert_eq!(ignored & INT_QUIT_HUP, 0, "{} ignores signals", service["name"]);
    }
}
