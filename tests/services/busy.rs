//! Huey, RQ, Dramatiq, django-q2 and a plain `manage.py` command of `fixtures/apps/queues`, switched while each
//! of them has a long task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::broker::{Enqueuer, LIMIT, Redis, all_done, all_keys, length};
use crate::site::Site;
use crate::support::{Client, wait_until};

/// The services, with the names of their lists.
pub(crate) const KINDS: [(&str, &str); 5] =
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

/// Switches a site that is live, and fails the test unless each kind did each task once. There is a
/// switch for each of `long`, the seconds of the task in flight; gives how many tasks each kind did.
pub(crate) fn switch_all(site: &Site, redis: &Redis, long: &[u64]) -> usize {
    let (port, quiet) = (redis.port, Arc::new(AtomicBool::new(false)));
    let is_quiet = quiet.clone();
    let enqueuer = Enqueuer::start(site, move |_| !is_quiet.load(Ordering::Relaxed) && is_short(port));
    for (code, seconds) in (1..).zip(long) {
        leave_busy(redis, site, code, (*seconds, &quiet));
        if code == 1 {
            site.append(OTHERWISE);
        }
    }
    let wanted = all_keys(enqueuer.stop(), long.len());
    for (_, kind) in KINDS {
        let done = all_done(redis, &format!("done:{kind}"), &wanted);
        assert_eq!(done.len(), wanted.len(), "{kind} did a task twice");
    }
    site.assert_tidy();
    wanted.len()
}

/// RQ starts a process for each task, and is the slowest of them.
fn is_short(port: u16) -> bool {
    length(port, "rq:queue:default") < 8
}

/// A switch while each kind of worker has a long task. At the first one nobody enqueues until the new
/// release is live, so that workers that still take tasks then take what they do not know.
fn leave_busy(redis: &Redis, site: &Site, code: usize, (seconds, quiet): (u64, &AtomicBool)) {
    quiet.store(code == 1, Ordering::Relaxed);
    let begun = format!("long{code} {}", code - 1);
    let path = format!("/long?key=long{code}&seconds={seconds}");
    assert_eq!(Client::socket(&site.socket()).get(&path).unwrap().status, 200);
    site.commit("revision.py", &format!("CODE = {code}\n"));
    for (_, kind) in KINDS {
        wait_until(&format!("{kind} has begun the long task"), LIMIT, || {
            redis.list(&format!("begun:{kind}")).contains(&begun)
        });
    }
    let deploy = site.start(&["deploy", "main"]);
    wait_until("the new release is live", LIMIT, || {
        Client::socket(&site.socket()).get("/healthz").unwrap().body == code.to_string()
    });
    quiet.store(false, Ordering::Relaxed);
    deploy.finish().exits(0);
    let by_new = |line: &String| line.ends_with(&format!(" {code}"));
    for (_, kind) in KINDS {
        let done = format!("done:{kind}");
        wait_until(&format!("the new {kind} works"), LIMIT, || redis.list(&done).iter().any(by_new));
        wait_until(&format!("the old {kind} has finished"), LIMIT, || redis.list(&done).contains(&begun));
    }
}
