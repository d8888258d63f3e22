//! Celery of `fixtures/apps/workers`, switched while a worker has a long task, and its beat.

use std::fs;

use crate::broker::{Enqueuer, LIMIT, Redis, all_done, all_keys, length, long_task};
use crate::site::Site;
use crate::support::{Client, wait_until};

/// One of its services runs twice, each with a node name of its own.
const TWICE: &str = "\
services:
  worker:
    command: celery -A tasks worker -l info -c 1 -n w$INSTANCE@%h --max-tasks-per-child 20
    instances: 2
    handover: overlap
    health: {settle: 2s}
    stop: [TERM 1m, INT 10s, KILL]
";

/// How many tasks may wait.
const BACKLOG: usize = 100;

/// Deploys and switches so often, and fails the test unless each task was done once and one beat ran; what was done
/// stands in `redis`. Gives the figures.
pub(crate) fn switch_all(site: &Site, redis: &Redis, switches: usize) -> String {
    site.append(TWICE);
    site.switch();
    // There is always something to do, and never more than can be done soon.
    let port = redis.port;
    let enqueuer = Enqueuer::start(site, move |taken| taken < length(port, "done") + BACKLOG);
    for code in 1..=switches {
        let long = format!("long{code} {}", code - 1);
        let path = format!("/long?key=long{code}&seconds={}", long_task(code));
        assert_eq!(Client::socket(&site.socket()).get(&path).unwrap().status, 200);
        wait_until("a worker has begun the long task", LIMIT, || redis.list("begun").contains(&long));
        site.commit("revision.py", &format!("CODE = {code}\n"));
        site.release(&["deploy", "main"]).exits(0);
        let by_new = |line: &String| line.ends_with(&format!(" {code}"));
        wait_until("the new worker works", LIMIT, || redis.list("done").iter().any(by_new));
        wait_until("the old worker has finished the long task", LIMIT, || redis.list("done").contains(&long));
        let log = site.root.join(".release/log").join(site.current()).join("hand-over.log");
        assert_eq!(fs::read_to_string(log).unwrap_or_default(), "", "each worker took the order");
    }
    let wanted = all_keys(enqueuer.stop(), switches);
    let twice = all_done(redis, "done", &wanted).len() - wanted.len();
    assert_eq!(twice, 0, "tasks were done twice");
    site.assert_tidy();
    let (tasks, silence) = (wanted.len(), beat_silence(redis, switches));
    format!(
        "{switches} switches, {tasks} tasks, none lost, none twice; beat silent for {silence:.1} s at most"
    )
}

/// The longest time without a tick, in seconds; fails the test if two beats ticked at once.
fn beat_silence(redis: &Redis, switches: usize) -> f64 {
    let ticks: Vec<f64> = redis.list("ticks").iter().map(|tick| tick.parse().unwrap()).collect();
    let lived = ticks.last().unwrap() - ticks[0];
    // One tick a second: each start of a beat may add one.
    let most = lived + switches as f64 + 2.0;
    assert!((ticks.len() as f64) <= most, "{} ticks in {lived:.1} s: two beats ran", ticks.len());
    ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}
