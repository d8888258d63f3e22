//! Huey, RQ, Dramatiq, django-q2 and a plain `manage.py` command by `overlap`, all in one site: no
//! task is lost or done twice, and none that only the new code knows is thrown away by old workers.

use std::collections::BTreeSet;
use std::fs;

use crate::broker::{Enqueuer, LIMIT, Redis, ask, key, switches};
use crate::site::Site;
use crate::support::{Client, wait_until};

/// The services, with the names of their lists.
const KINDS: [(&str, &str); 5] =
    [("huey", "huey"), ("rq", "rq"), ("dramatiq", "dramatiq"), ("django-q", "django_q"), ("poll", "poll")];

/// The other ways to write their commands.
const OTHERWISE: &str = "\
services:
  huey: {command: huey_consumer queues.tasks.huey -k process -w 2}
  rq: {command: rq worker default --url $BROKER_URL}
  dramatiq: {command: dramatiq django_dramatiq.setup queues.tasks -p 2 -t 2}
  django-q: {command: python -u manage.py qcluster}
  poll: {command: nice -n 1 python -u manage.py poll}
";

/// How long the task in flight takes at each switch.
fn long() -> u64 {
    if std::env::var_os("RELEASE_TEST_ALL").is_some() { 30 } else { 6 }
}

#[test]
fn no_worker_loses_a_task() {
    let redis = Redis::start();
    let site = Site::of("queues");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    site.release_ignoring_interrupts(&["deploy"]).exits(0);
    assert_interrupts_reach(&site);
    let port = redis.port;
    let enqueuer = Enqueuer::start(&site, move || is_short(port));
    for code in 1..=switches() {
        leave_busy(&redis, &site, code);
        if code == 1 {
            append(&site, OTHERWISE);
        }
    }
    let wanted = all_keys(enqueuer.stop());
    for (_, kind) in KINDS {
        let list = format!("done:{kind}");
        let distinct = || redis.list(&list).iter().map(|line| key(line).to_owned()).collect::<BTreeSet<_>>();
        wait_until(&format!("all tasks of {kind} are done"), LIMIT, || distinct().len() >= wanted.len());
        assert_eq!(distinct(), wanted, "{kind} lost a task");
        assert_eq!(redis.list(&list).len(), wanted.len(), "{kind} did a task twice");
        println!("| {kind} | {} | {} | 0 | 0 |", switches(), wanted.len());
    }
    site.assert_tidy();
    site.release(&["stop"]).exits(0);
    site.release_ignoring_interrupts(&["start"]).exits(0);
    assert_interrupts_reach(&site);
    site.stop();
}

/// RQ starts a process for each task, and is the slowest of them.
fn is_short(port: u16) -> bool {
    ask(port, &["llen", "rq:queue:default"])[0].parse::<usize>().unwrap() < 8
}

/// A switch while each kind of worker has a long task.
fn leave_busy(redis: &Redis, site: &Site, code: usize) {
    let begun = format!("long{code} {}", code - 1);
    let path = format!("/long?key=long{code}&seconds={}", long());
    assert_eq!(Client::socket(&site.socket()).get(&path).unwrap().status, 200);
    site.commit("revision.py", &format!("CODE = {code}\n"));
    for (_, kind) in KINDS {
        wait_until(&format!("{kind} has begun the long task"), LIMIT, || {
            redis.list(&format!("begun:{kind}")).contains(&begun)
        });
    }
    site.release(&["deploy", "main"]).exits(0);
    let by_new = |line: &String| line.ends_with(&format!(" {code}"));
    for (_, kind) in KINDS {
        let done = format!("done:{kind}");
        wait_until(&format!("the new {kind} works"), LIMIT, || redis.list(&done).iter().any(by_new));
        wait_until(&format!("the old {kind} has finished"), LIMIT, || redis.list(&done).contains(&begun));
    }
}

fn append(site: &Site, text: &str) {
    let file = site.root.join("release.yml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + text).unwrap();
}

fn all_keys(keys: Vec<String>) -> BTreeSet<String> {
    keys.into_iter().chain((1..=switches()).map(|code| format!("long{code}"))).collect()
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
