//! RQ alone, switched while its worker has taken a job that it does not count as its own yet.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::broker::{Enqueuer, LIMIT, Redis, all_done, ask, switches};
use crate::queues::master;
use crate::site::Site;
use crate::support::{Client, wait_until};

const LINES: &str = "\
app: queues
linked_dirs: [data]
env: {DJANGO_SETTINGS_MODULE: settings}
services:
  web: {command: \"gunicorn web -w 2 --bind unix:$SOCKET\", health: {path: /healthz, settle: 200ms}}
  rq: {command: COMMAND, handover: overlap, health: {settle: 1s}}
";

#[test]
fn no_job_is_lost_between_the_queue_and_the_worker() {
    let redis = Redis::start();
    let site = Site::of("queues");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    let run = |command: &str, code: usize| {
        fs::write(site.directory().join("work/release.yml"), LINES.replace("COMMAND", command)).unwrap();
        site.commit("revision.py", &format!("CODE = {code}\n"));
        site.release(&["deploy", "main"]).exits(0);
        let log = site.root.join(".release/log").join(site.current()).join("hand-over.log");
        assert_eq!(fs::read_to_string(log).unwrap_or_default(), "", "the old worker was held");
        wait_until("the new worker has started", LIMIT, || master(&site, "rq").is_some());
    };
    let commands = [
        "python manage.py rqworker default -v 0 --worker-class queues.hesitant.Worker",
        "rq worker default --url $BROKER_URL -w queues.hesitant.Worker",
    ];
    run(commands[0], 1);
    let port = redis.port;
    let has_room = move || ask(port, &["llen", "rq:queue:default"])[0].parse::<usize>().unwrap() < 3;
    let enqueuer = Enqueuer::start(&site, has_room);
    (1..=switches()).for_each(|code| run(commands[code % 2], 1 + code));
    let wanted: BTreeSet<String> = enqueuer.stop().into_iter().collect();
    let done = all_done(&redis, "done:rq", &wanted);
    assert_eq!(done.len(), wanted.len(), "a job was done twice");
    println!("| rq, hesitant | Redis | {} | {} | 0 | 0 |", switches(), wanted.len());
    // Now the old one waits for a job.
    run(commands[0], switches() + 2);
    assert_eq!(Client::socket(&site.socket()).get("/work?key=after").unwrap().status, 200);
    all_done(&redis, "done:rq", &BTreeSet::from(["after".to_owned()]));
    site.assert_tidy();
    site.stop();
}

/// What lets the held ones go.
const GUARD: &str = include_str!("../../crates/steps/src/quiesce/guard.py");

#[test]
fn a_held_worker_goes_on_when_its_signal_is_there_or_nobody_holds_it() {
    for (told, end) in [("held\n", Some(Signal::TERM)), ("", None)] {
        let mut held = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_child(&held);
        kill_process(pid, Signal::STOP).unwrap();
        wait_until("it stands still", LIMIT, || state(&held) == Some('T'));
        let mut guard = Command::new("python3")
            .args(["-c", GUARD, &held.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        guard.stdin.take().unwrap().write_all(told.as_bytes()).unwrap();
        if let Some(signal) = end {
            assert_eq!((state(&held), guard.try_wait().unwrap()), (Some('T'), None), "not before its signal");
            kill_process(pid, signal).unwrap();
        }
        wait_until("it goes on", LIMIT, || state(&held) != Some('T'));
        assert!(guard.wait().unwrap().success());
        held.kill().unwrap();
        held.wait().unwrap();
    }
}

/// The state of a process, as `ps` shows it: `T` where it stands still.
fn state(child: &Child) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}
