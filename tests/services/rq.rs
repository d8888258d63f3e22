//! RQ alone, switched while its worker has taken a job that it does not count as its own yet.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::broker::{Enqueuer, LIMIT, Redis, all_done, length, switches};
use crate::queues::master;
use crate::site::Site;
use crate::support::{Client, wait_until};

/// A site whose workers are started by `command`.
pub(crate) fn lines(command: &str, handover: &str) -> String {
    LINES.replace("COMMAND", command).replace("HANDOVER", handover)
}

const LINES: &str = "\
app: queues
linked_dirs: [data]
env: {DJANGO_SETTINGS_MODULE: settings}
services:
  web: {command: \"gunicorn web -w 2 --bind unix:$SOCKET\", health: {path: /healthz, settle: 200ms}}
  rq: {command: COMMAND, handover: HANDOVER, health: {settle: 1s}}
";

#[test]
fn no_job_is_lost_between_the_queue_and_the_worker() {
    let redis = Redis::start();
    let site = Site::of("queues");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    let run = |command: &str, code: usize| {
        fs::write(site.directory().join("work/release.yml"), lines(command, "overlap")).unwrap();
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
    let has_room = move |_| length(port, "rq:queue:default") < 3;
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

/// A held process, what lets it go, and for whom.
struct Held {
    worker: Child,
    guard: Child,
    release: Child,
}

impl Held {
    fn new() -> Self {
        let [worker, release] = [(); 2].map(|()| Command::new("sleep").arg("600").spawn().unwrap());
        kill_process(Pid::from_child(&worker), Signal::STOP).unwrap();
        wait_until("it stands still", LIMIT, || state(&worker) == Some('T'));
        let pids = [&release, &worker].map(|child| child.id().to_string());
        let mut guard = Command::new("python3");
        guard.args(["-c", GUARD]).args(pids);
        let mut guard = guard.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!((ready.as_str(), state(&worker)), ("ready\n", Some('T')));
        Self { worker, guard, release }
    }

    /// After `end`, which is the reason.
    fn goes_on(mut self, (why, end): End) {
        end(&mut self);
        wait_until(why, LIMIT, || state(&self.worker) != Some('T'));
        wait_until("the guard has ended", LIMIT, || self.guard.try_wait().unwrap().is_some());
        for mut child in [self.worker, self.release] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// What lets a held worker go.
type End = (&'static str, fn(&mut Held));

#[test]
fn a_held_worker_goes_on_when_its_signal_is_there_or_nobody_holds_it() {
    let ends: [End; 3] = [
        ("it is asked to end", |held| kill_process(Pid::from_child(&held.worker), Signal::TERM).unwrap()),
        ("the guard is ended", |held| kill_process(Pid::from_child(&held.guard), Signal::TERM).unwrap()),
        ("release is gone", |held| {
            held.release.kill().unwrap();
            held.release.wait().unwrap();
        }),
    ];
    for end in ends {
        let mut held = Held::new();
        held.guard.stdin.as_mut().unwrap().write_all(b"held\n").unwrap();
        assert_eq!((state(&held.worker), held.guard.try_wait().unwrap()), (Some('T'), None), "{}", end.0);
        held.goes_on(end);
    }
}

#[test]
fn a_worker_of_which_nobody_says_that_it_is_held_goes_on() {
    Held::new().goes_on(("whoever holds it is gone", |held| drop(held.guard.stdin.take())));
}

/// The state of a process, as `ps` shows it: `T` where it stands still.
fn state(child: &Child) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}
