//! RQ workers that have taken a job which they do not count as their own yet, ended in each way there is,
//! while their Redis is reached by a unix socket.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::broker::{LIMIT, Redis, all_done, free_port, switches};
use crate::rq::lines;
use crate::site::Site;
use crate::support::wait_until;

/// The command of its workers.
const HESITANT: &str = "python manage.py rqworker default -v 0 --worker-class queues.hesitant.Worker";
/// It fails a deploy once the old workers were asked to end and the new ones work.
const BROKEN: &str = "  broken: {command: \"false\", handover: replace}\n";

/// Somebody who enqueues whether the site is up or not.
struct Stream(Child);

const ENQUEUE: &str = r#"
import itertools, select, sys, time
import redis, rq
connection = redis.Redis.from_url(sys.argv[1])
queue = rq.Queue("default", connection=connection)
for number in itertools.count():
    while connection.llen(queue.key) > 2 and not select.select([sys.stdin], [], [], 0.05)[0]:
        pass
    if select.select([sys.stdin], [], [], 0.01)[0]:
        break
    queue.enqueue("queues.tasks.rq_work_0", "k%d" % number, result_ttl=0)
print(number)
"#;

impl Stream {
    fn start(site: &Site, url: &str) -> Self {
        let mut python = Command::new(site.root.join("current/venv/bin/python"));
        python.args(["-c", ENQUEUE, url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(python.spawn().unwrap())
    }

    /// All that it enqueued.
    fn stop(mut self) -> BTreeSet<String> {
        drop(self.0.stdin.take());
        let mut number = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut number).unwrap();
        assert!(self.0.wait().unwrap().success());
        (0..number.trim().parse().unwrap()).map(|number: usize| format!("k{number}")).collect()
    }
}

/// A way to end workers that work; the site goes on afterwards.
type End = fn(&Site);

#[track_caller]
fn no_job_is_lost(handover: &str, end: End) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("redis.sock");
    let redis = Redis::with(free_port(), &["--unixsocket", socket.to_str().unwrap()]);
    let site = Site::of("queues");
    let url = format!("unix://{}?db=0", socket.display());
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={url}\n")).unwrap();
    site.commit("release.yml", &lines(HESITANT, handover));
    site.release(&["deploy", "main"]).exits(0);
    let stream = Stream::start(&site, &url);
    for _ in 0..switches() {
        wait_until_at_work(&redis);
        end(&site);
        assert_eq!(told(&site, "not held"), Vec::<String>::new());
    }
    let wanted = stream.stop();
    let done = all_done(&redis, "done:rq", &wanted);
    assert_eq!(done.len(), wanted.len(), "a job was done twice");
    println!("| rq, hesitant, {handover} | {} | {} | 0 | 0 |", switches(), wanted.len());
    site.stop();
}

/// The lines of the steps' logs that hold `text`.
fn told(site: &Site, text: &str) -> Vec<String> {
    let releases = fs::read_dir(site.root.join(".release/log")).unwrap().map(|entry| entry.unwrap().path());
    let logs = releases.filter(|path| path.is_dir()).flat_map(|path| fs::read_dir(path).unwrap());
    let texts = logs.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let lines = texts.flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|line| line.contains(text)).collect()
}

fn wait_until_at_work(redis: &Redis) {
    let done = || redis.ask(&["llen", "done:rq"])[0].parse::<usize>().unwrap();
    let before = done();
    wait_until("some jobs are done", LIMIT, || done() > before + 3);
}

#[test]
fn no_job_is_lost_by_a_switch() {
    no_job_is_lost("overlap", |site| drop(site.switch()));
}

#[test]
fn no_job_is_lost_by_a_replacement() {
    no_job_is_lost("replace", |site| drop(site.switch()));
}

#[test]
fn no_job_is_lost_by_a_stop() {
    no_job_is_lost("overlap", |site| {
        let told = site.release(&["stop"]).exits(0);
        assert!(!told.out.contains("not held"), "{}", told.out);
        site.release(&["start"]).exits(0);
    });
}

#[test]
fn no_job_is_lost_by_a_deploy_that_fails() {
    no_job_is_lost("overlap", |site| {
        let whole = lines(HESITANT, "overlap");
        site.commit("release.yml", &format!("{whole}{BROKEN}"));
        site.release(&["deploy", "main"]).exits(3);
        site.commit("release.yml", &whole);
    });
}
