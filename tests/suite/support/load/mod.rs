//! Clients that keep asking, and what can be said of the answers.

mod ask;
mod orders;
mod report;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Client;
use super::timeline::Timeline;
use ask::Asker;
use orders::{Orders, written};
pub(crate) use report::Report;

/// A pause on two cores that builds and servers need too.
const LIGHT: u32 = 6;

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Pages, orders and static files, at ease.
    Light,
    /// The same without much of a pause, and slow requests in flight all the time.
    Full,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Page,
    Order,
    Slow,
    Static,
}

/// One request.
#[derive(Debug)]
struct Sample {
    kind: Kind,
    start: Instant,
    end: Instant,
    answer: Result<Answer, String>,
    /// The key of an order, written or not.
    key: Option<String>,
}

impl Sample {
    fn told(&self, answer: &Answer) -> String {
        format!("{:?}: {answer:?}", self.kind)
    }
}

/// Who answered, by each sign of it.
#[derive(Debug, Default)]
struct Answer {
    release: Option<String>,
    revision: Option<String>,
    /// Of the code, of the template and of the static files: one and the same in a whole release.
    markers: BTreeSet<String>,
}

/// Clients that ask until they are stopped.
#[derive(Debug)]
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Sample>>>,
    watcher: JoinHandle<Timeline>,
    asked: Arc<AtomicU64>,
    name: String,
    root: PathBuf,
}

impl Load {
    /// Starts to ask the server at `address` for the app at `root`.
    pub(crate) fn start(address: SocketAddr, root: &Path, pace: Pace) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let watcher = {
            let (over, current) = (over.clone(), root.join("current"));
            std::thread::spawn(move || Timeline::watch(&current, &over))
        };
        let millis = Duration::from_millis;
        let clients = clients(pace).into_iter().enumerate().map(|(number, (kind, keep_alive, pause))| {
            let (over, asked) = (over.clone(), asked.clone());
            let pause = millis(pause) * if pace == Pace::Light { LIGHT } else { 1 };
            let prefix = format!("{name}-{number}");
            std::thread::spawn(move || {
                let mut client = Asker { client: Client::tcp(address, keep_alive), kind, prefix, asked };
                client.ask_until(&over, pause)
            })
        });
        Self { clients: clients.collect(), over, watcher, asked, name, root: root.to_owned() }
    }

    /// How many requests have been answered so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Stops asking, and adds up. `marker` tells what the code of a revision calls itself.
    pub(crate) fn stop(self, marker: impl Fn(&str) -> Option<String>) -> Report {
        self.over.store(true, Ordering::Relaxed);
        let samples: Vec<Sample> =
            self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        let timeline = self.watcher.join().unwrap();
        let orders = Orders::compare(&samples, &written(&self.root, &self.name));
        Report::of(&samples, &timeline, orders, marker)
    }
}

fn clients(pace: Pace) -> Vec<(Kind, bool, u64)> {
    let mut clients = vec![
        (Kind::Page, true, 5),
        (Kind::Page, false, 9),
        (Kind::Order, true, 20),
        (Kind::Order, false, 30),
        (Kind::Static, true, 10),
        (Kind::Static, false, 10),
    ];
    if pace == Pace::Full {
        clients.push((Kind::Slow, true, 50));
    }
    clients
}
