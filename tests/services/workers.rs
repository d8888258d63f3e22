//! Queue workers by `overlap` and a beat by `replace`: no task lost, never two beats.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::site::Site;
use crate::support::{Client, wait_until};

/// A Redis of its own; it keeps nothing on the disk and ends with the test.
struct Redis {
    port: u16,
    child: Child,
}

impl Redis {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let redis = Self { port, child };
        wait_until("redis answers", Duration::from_secs(10), || redis.ask(&["ping"]) == ["PONG"]);
        redis
    }

    fn ask(&self, words: &[&str]) -> Vec<String> {
        let mut command = Command::new("redis-cli");
        let answer = command.args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        String::from_utf8(answer.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// All of a list, as `key code` lines or numbers.
    fn list(&self, name: &str) -> Vec<String> {
        self.ask(&["lrange", name, "0", "-1"])
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who keeps enqueueing through the site; gives the keys that the site took.
struct Enqueuer {
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<Vec<String>>,
}

impl Enqueuer {
    fn start(site: &Site) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (stop, socket) = (over.clone(), site.socket());
        let thread = thread::spawn(move || {
            let mut taken = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let key = format!("k{}", taken.len());
                let reply = Client::socket(&socket).get(&format!("/work?key={key}")).unwrap();
                assert_eq!(reply.status, 200, "{}", reply.body);
                taken.push(key);
                thread::sleep(Duration::from_millis(10));
            }
            taken
        });
        Self { over, thread }
    }

    fn stop(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// How often the release is switched.
fn switches() -> usize {
    if std::env::var_os("RELEASE_TEST_ALL").is_some() { 10 } else { 3 }
}

#[test]
fn celery() {
    let redis = Redis::start();
    let site = Site::of("workers");
    let env = format!("BROKER_URL=redis://127.0.0.1:{}/0\n", redis.port);
    fs::write(site.root.join("shared/.env"), env).unwrap();
    site.switch();
    let enqueuer = Enqueuer::start(&site);
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
    // What Celery had handed to a child but not acknowledged when it was asked to end, it does and gives back.
    assert!(twice <= switches() * CHILDREN, "{twice} tasks were done twice");
    let silence = beat_silence(&redis);
    println!(
        "celery: {} switches, {} tasks, none lost, {twice} twice; beat silent for {silence:.1} s at most",
        switches(),
        wanted.len()
    );
    site.assert_tidy();
    site.stop();
}

/// The worker's `-c`.
const CHILDREN: usize = 2;
/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(90);

fn key(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
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
