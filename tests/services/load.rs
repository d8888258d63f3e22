//! Clients that keep asking while releases are switched, and what they met.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::Client;
use crate::support::timeline::{Answered, Timeline};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Page,
    Order,
    Slow,
}

/// What each client asks for, whether it keeps its connection, and its pause in milliseconds.
const CLIENTS: [(Kind, bool, u64); 5] = [
    (Kind::Page, true, 10),
    (Kind::Page, false, 10),
    (Kind::Order, true, 20),
    (Kind::Order, false, 20),
    (Kind::Slow, false, 50),
];

/// Where many services are asked at once.
const FEW: [(Kind, bool, u64); 3] =
    [(Kind::Page, true, 30), (Kind::Order, false, 60), (Kind::Slow, false, 200)];

#[derive(Debug)]
struct Sample {
    kind: Kind,
    start: Instant,
    end: Instant,
    /// The release that answered.
    answer: Result<String, String>,
    key: Option<String>,
}

/// Clients that ask until they are stopped.
#[derive(Debug)]
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Sample>>>,
    watcher: JoinHandle<Timeline>,
    keys: PathBuf,
    name: String,
}

impl Load {
    /// Starts to ask the proxy at `address` for the site at `root`.
    pub(crate) fn start(address: SocketAddr, root: &Path) -> Self {
        Self::of(CLIENTS, address, root)
    }

    /// Like [`Load::start`], for what passes connections on and not requests: who keeps one keeps
    /// the release at its other end.
    pub(crate) fn without_keep_alive(address: SocketAddr, root: &Path) -> Self {
        Self::of(CLIENTS.map(|(kind, _, pause)| (kind, false, pause)), address, root)
    }

    /// A few clients of one service of several that are asked at once; `name` begins their keys.
    pub(crate) fn beside_others(name: &str, address: SocketAddr, root: &Path) -> Self {
        Self::with_keys(name, FEW, address, root)
    }

    fn of(clients: [(Kind, bool, u64); 5], address: SocketAddr, root: &Path) -> Self {
        fs::write(root.join("shared/data/keys"), "").unwrap();
        Self::with_keys("", clients, address, root)
    }

    fn with_keys<const N: usize>(
        name: &str,
        clients: [(Kind, bool, u64); N],
        address: SocketAddr,
        root: &Path,
    ) -> Self {
        let keys = root.join("shared/data/keys");
        let over = Arc::new(AtomicBool::new(false));
        let watcher = {
            let (over, current) = (over.clone(), root.join("current"));
            std::thread::spawn(move || Timeline::watch(&current, &over))
        };
        let clients = clients.into_iter().enumerate().map(|(number, (kind, keep_alive, pause))| {
            let (over, name) = (over.clone(), name.to_owned());
            std::thread::spawn(move || {
                let mut client = Client::tcp(address, keep_alive);
                let mut samples = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let key = (kind == Kind::Order).then(|| format!("{name}{number}-{}", samples.len()));
                    samples.push(ask(&mut client, kind, key));
                    std::thread::sleep(Duration::from_millis(pause));
                }
                samples
            })
        });
        Self { clients: clients.collect(), over, watcher, keys, name: name.to_owned() }
    }

    /// Stops asking, and adds up.
    pub(crate) fn stop(self) -> Report {
        self.over.store(true, Ordering::Relaxed);
        let samples: Vec<Sample> =
            self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        let timeline = self.watcher.join().unwrap();
        let mut report =
            Report { requests: samples.len(), switches: timeline.switches.len() - 1, ..Report::default() };
        for sample in &samples {
            report.judge(sample, &timeline);
        }
        let written = fs::read_to_string(self.keys).unwrap();
        report.compare(&samples, written.lines().filter(|key| key.starts_with(&self.name)));
        report
    }
}

fn ask(client: &mut Client, kind: Kind, key: Option<String>) -> Sample {
    let start = Instant::now();
    let (reply, good) = match (kind, &key) {
        (Kind::Order, Some(key)) => (client.post("/order", &format!("key={key}")), 201),
        (Kind::Slow, _) => (client.get("/slow?seconds=1"), 200),
        (Kind::Page | Kind::Order, _) => (client.get("/"), 200),
    };
    let answer = match reply {
        Ok(reply) if reply.status == good => Ok(reply.body.trim().to_owned()),
        Ok(reply) => Err(format!("{} {}", reply.status, reply.body.lines().next().unwrap_or_default())),
        Err(error) => Err(error.to_string()),
    };
    Sample { kind, start, end: Instant::now(), answer, key }
}

/// What the clients met.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) requests: usize,
    pub(crate) switches: usize,
    pub(crate) orders: usize,
    pub(crate) failed: Vec<String>,
    /// Answered by no release, by two at once, or by one that was not live.
    pub(crate) wrong: Vec<String>,
    /// Answered as taken, and not written exactly once; or written and never answered.
    pub(crate) lost: Vec<String>,
    pub(crate) doubled: Vec<String>,
}

impl Report {
    fn judge(&mut self, sample: &Sample, timeline: &Timeline) {
        match &sample.answer {
            Err(error) => self.failed.push(format!("{:?}: {error}", sample.kind)),
            Ok(release) => match timeline.judge(&[release], sample.start, sample.end) {
                Answered::InTime => {}
                when => self.wrong.push(format!("{:?}: {release} ({when:?})", sample.kind)),
            },
        }
    }

    fn compare<'a>(&mut self, samples: &[Sample], written: impl Iterator<Item = &'a str>) {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for key in written {
            *times.entry(key).or_default() += 1;
        }
        self.doubled =
            times.iter().filter(|(_, times)| **times > 1).map(|(key, _)| (*key).to_owned()).collect();
        let taken =
            samples.iter().filter(|sample| sample.answer.is_ok()).filter_map(|sample| sample.key.as_ref());
        for key in taken {
            self.orders += 1;
            if !times.contains_key(key.as_str()) {
                self.lost.push(key.clone());
            }
        }
    }

    /// Fails the test unless every request was answered by one whole release at its time.
    #[track_caller]
    pub(crate) fn assert_flawless(&self, switches: usize) {
        assert_eq!(self.switches, switches, "{self:?}");
        assert!(
            self.requests > 20 * switches && self.orders > switches,
            "hardly anything was asked: {self:?}"
        );
        let flaws = [&self.failed, &self.wrong, &self.lost, &self.doubled];
        assert!(flaws.iter().all(|flaws| flaws.is_empty()), "{self:?}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, switches, orders, failed, wrong, lost, doubled } = self;
        let [failed, wrong, lost, doubled] = [failed, wrong, lost, doubled].map(Vec::len);
        write!(f, "{switches} | {requests} | {orders} | {failed} | {wrong} | {lost} | {doubled}")
    }
}
