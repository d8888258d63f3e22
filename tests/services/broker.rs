//! What the tests of workers stand on: a Redis, and somebody who keeps enqueueing.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::site::Site;
use crate::support::{Client, times, wait_until};

/// Longer than anything here takes, on a busy machine too.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A Redis of its own; it keeps nothing on the disk and ends with the test.
pub(crate) struct Redis {
    pub(crate) port: u16,
    child: Child,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_at(free_port())
    }

    pub(crate) fn start_at(port: u16) -> Self {
        Self::with(port, &[])
    }

    /// That is told `more`.
    pub(crate) fn with(port: u16, more: &[&str]) -> Self {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let redis = Self { port, child };
        wait_until("redis answers", Duration::from_secs(10), || redis.ask(&["ping"]) == ["PONG"]);
        redis
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Vec<String> {
        ask(self.port, words)
    }

    /// Where its database 0 is.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// All of a list, as `key code` lines or numbers.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.ask(&["lrange", name, "0", "-1"])
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the Redis at `port` answers, a line each.
pub(crate) fn ask(port: u16, words: &[&str]) -> Vec<String> {
    let mut command = Command::new("redis-cli");
    let answer = command.args(["-p", &port.to_string()]).args(words).output().unwrap();
    String::from_utf8(answer.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// How many are in a list of the Redis at `port`.
pub(crate) fn length(port: u16, list: &str) -> usize {
    ask(port, &["llen", list])[0].parse().unwrap()
}

/// A port where nobody listens.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Somebody who keeps enqueueing through the site; gives the keys that the site took.
pub(crate) struct Enqueuer {
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<Vec<String>>,
}

impl Enqueuer {
    /// Enqueues whenever `may` says so of the number that it has enqueued.
    pub(crate) fn start(site: &Site, may: impl Fn(usize) -> bool + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (stop, socket) = (over.clone(), site.socket());
        let thread = thread::spawn(move || {
            let mut taken = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                if !may(taken.len()) {
                    thread::sleep(Duration::from_millis(50));
                    continue;
                }
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

    pub(crate) fn stop(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// How often the release is switched.
pub(crate) fn switches() -> usize {
    times("RELEASE_TEST_SWITCHES", if std::env::var_os("RELEASE_TEST_ALL").is_some() { 10 } else { 2 })
}

/// How many seconds the task in flight takes at the switch to `code`: at the first one longer than a switch.
pub(crate) fn long_task(code: usize) -> u64 {
    match code {
        _ if std::env::var_os("RELEASE_TEST_ALL").is_some() => 30,
        1 => 20,
        _ => 6,
    }
}

/// What was enqueued, with the long task of each of so many switches.
pub(crate) fn all_keys(keys: Vec<String>, switches: usize) -> BTreeSet<String> {
    keys.into_iter().chain((1..=switches).map(|code| format!("long{code}"))).collect()
}

/// What `line` is about: `key code`.
pub(crate) fn key(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// What `list` says was done, as soon as that is all of `wanted`; fails the test when for long no more is done.
#[track_caller]
pub(crate) fn all_done(redis: &Redis, list: &str, wanted: &BTreeSet<String>) -> Vec<String> {
    let (mut missing, mut since) = (wanted.clone(), Instant::now());
    loop {
        let done = redis.list(list);
        let keys: BTreeSet<String> = done.iter().map(|line| key(line).to_owned()).collect();
        let left: BTreeSet<String> = wanted.difference(&keys).cloned().collect();
        if left.is_empty() {
            return done;
        }
        if left != missing {
            (missing, since) = (left, Instant::now());
        }
        assert!(since.elapsed() < LIMIT, "{list} has not {missing:?} of {}", wanted.len());
        thread::sleep(Duration::from_millis(100));
    }
}
