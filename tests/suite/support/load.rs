//! Clients that keep asking, and what can be said of the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::timeline::{Answered, Timeline};
use super::{Client, Reply};

/// What counts as around a switch.
const AROUND: Duration = Duration::from_millis(300);
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
        report(&samples, &timeline, orders, marker)
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

struct Asker {
    client: Client,
    kind: Kind,
    prefix: String,
    asked: Arc<AtomicU64>,
}

impl Asker {
    fn ask_until(&mut self, over: &AtomicBool, pause: Duration) -> Vec<Sample> {
        let mut samples = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let key = (self.kind == Kind::Order).then(|| format!("{}-{}", self.prefix, samples.len()));
            let start = Instant::now();
            let reply = match (self.kind, &key) {
                (Kind::Page, _) => self.client.get("/"),
                (Kind::Slow, _) => self.client.get("/slow?seconds=1"),
                (Kind::Static, _) => self.client.get("/static/shop/marker.txt"),
                (Kind::Order, key) => {
                    self.client.post("/orders/", &format!("key={}", key.as_deref().unwrap_or("")))
                }
            };
            let end = Instant::now();
            let answer =
                reply.map_err(|error| error.to_string()).and_then(|reply| self.read(&reply, key.as_deref()));
            samples.push(Sample { kind: self.kind, start, end, answer, key });
            self.asked.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(pause);
        }
        samples
    }

    fn read(&self, reply: &Reply, key: Option<&str>) -> Result<Answer, String> {
        let expected = if self.kind == Kind::Order { 201 } else { 200 };
        if reply.status != expected {
            let body: Vec<&str> = reply.body.split_whitespace().take(12).collect();
            let body = body.join(" ");
            return Err(format!("{} {body}", reply.status));
        }
        let header = |name| reply.header(name).map(str::to_owned);
        let mut answer =
            Answer { release: header("x-release"), revision: header("x-revision"), ..Answer::default() };
        answer.markers.extend(header("x-code"));
        let body = match self.kind {
            Kind::Static => {
                answer.markers.insert(reply.body.trim().to_owned());
                return Ok(answer);
            }
            Kind::Page => Body::of_page(&reply.body),
            Kind::Order | Kind::Slow => Body::of_json(&reply.body),
        };
        let own = [(&answer.release, body.release), (&answer.revision, body.revision)];
        for (header, body) in own {
            if header.is_none() || (body.is_some() && body != *header) {
                return Err(format!("the header says {header:?}, the body {body:?}"));
            }
        }
        if key.is_some() && body.key.as_deref() != key {
            return Err(format!("the order {key:?} was answered as {:?}", body.key));
        }
        answer.markers.extend(body.markers);
        Ok(answer)
    }
}

/// What a body says of who made it.
#[derive(Debug, Default)]
struct Body {
    release: Option<String>,
    revision: Option<String>,
    key: Option<String>,
    markers: Vec<String>,
}

impl Body {
    fn of_page(body: &str) -> Self {
        let between = |start: &str, end: &str| {
            let rest = body.split_once(start)?.1;
            Some(rest.split_once(end)?.0.to_owned())
        };
        let element = |id: &str| between(&format!("<b id=\"{id}\">"), "</b>");
        let found = [between("<!-- template-marker: ", " -->"), element("marker")];
        Self {
            release: element("release"),
            revision: element("revision"),
            key: None,
            // A page without its markers is no page of the shop: it must not pass as whole.
            markers: found.into_iter().map(|marker| marker.unwrap_or_else(|| "none".to_owned())).collect(),
        }
    }

    fn of_json(body: &str) -> Self {
        let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Self {
            release: text("release"),
            revision: None,
            key: text("key"),
            markers: text("code").into_iter().collect(),
        }
    }
}

/// The keys of the orders in the database that the load `name` wrote.
fn written(root: &Path, name: &str) -> Vec<String> {
    let script = "import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=20)
for row in database.execute('SELECT key FROM orders_order WHERE key LIKE ?', (sys.argv[2] + '-%',)): print(row[0])";
    let database = root.join("shared/data/db.sqlite3");
    let done = Command::new("python3").args(["-c", script]).arg(database).arg(name).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Orders as clients were told, against orders in the database.
#[derive(Debug, Default)]
struct Orders {
    taken: usize,
    /// Answered with 201, and not there exactly once.
    lost: Vec<String>,
    /// There, and never asked for.
    invented: usize,
}

impl Orders {
    fn compare(samples: &[Sample], written: &[String]) -> Self {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for key in written {
            *times.entry(key).or_default() += 1;
        }
        let asked: BTreeSet<&str> = samples.iter().filter_map(|sample| sample.key.as_deref()).collect();
        let taken: Vec<&str> = samples
            .iter()
            .filter(|sample| sample.answer.is_ok())
            .filter_map(|sample| sample.key.as_deref())
            .collect();
        let lost = taken.iter().filter(|key| times.get(**key) != Some(&1)).map(|key| (*key).to_owned());
        let invented = times.keys().filter(|key| !asked.contains(**key)).count();
        Self { taken: taken.len(), lost: lost.collect(), invented }
    }
}

/// What the clients met.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) requests: usize,
    /// How often `current` moved.
    pub(crate) switches: usize,
    failed: Vec<String>,
    mixed: Vec<String>,
    stale: Vec<String>,
    early: Vec<String>,
    /// Looks that found no `current`.
    gaps: usize,
    orders: Orders,
    steady: Latency,
    around: Latency,
}

#[derive(Debug, Default)]
struct Latency {
    count: usize,
    p50: f64,
    p99: f64,
}

impl Latency {
    fn of(mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        let at = |share: f64| {
            millis.get(((millis.len() as f64 * share) as usize).min(millis.len().saturating_sub(1)))
        };
        let [p50, p99] = [0.5, 0.99].map(|share| at(share).copied().unwrap_or_default());
        Self { count: millis.len(), p50, p99 }
    }
}

fn report(
    samples: &[Sample],
    timeline: &Timeline,
    orders: Orders,
    marker: impl Fn(&str) -> Option<String>,
) -> Report {
    let mut report = Report {
        requests: samples.len(),
        switches: timeline.switches.len().saturating_sub(1),
        gaps: timeline.gaps,
        orders,
        ..Report::default()
    };
    // A static file names its release by its marker alone.
    let revisions: BTreeSet<(&str, &str)> = samples
        .iter()
        .filter_map(|sample| sample.answer.as_ref().ok())
        .filter_map(|answer| Some((answer.release.as_deref()?, answer.revision.as_deref()?)))
        .collect();
    let markers: Vec<(&str, Option<String>)> = revisions.iter().map(|(id, sha)| (*id, marker(sha))).collect();
    for sample in samples {
        let told = |what: &str| format!("{:?}: {what}", sample.kind);
        let answer = match &sample.answer {
            Ok(answer) => answer,
            Err(error) => {
                report.failed.push(told(error));
                continue;
            }
        };
        if !is_whole(answer, &marker) {
            report.mixed.push(told(&format!("{answer:?}")));
        }
        let releases: Vec<&str> = match &answer.release {
            Some(release) => vec![release],
            None => markers
                .iter()
                .filter(|(_, own)| own.as_ref() == answer.markers.first())
                .map(|(id, _)| *id)
                .collect(),
        };
        match timeline.judge(&releases, sample.start, sample.end) {
            Answered::InTime => {}
            Answered::Stale => report.stale.push(told(&format!("{answer:?}"))),
            Answered::Early => report.early.push(told(&format!("{answer:?}"))),
        }
    }
    let millis = |sample: &&Sample| (sample.end - sample.start).as_secs_f64() * 1000.0;
    let (near, far): (Vec<&Sample>, Vec<&Sample>) = samples
        .iter()
        .filter(|sample| sample.kind != Kind::Slow)
        .partition(|sample| timeline.is_near(sample.start, AROUND));
    report.around = Latency::of(near.iter().map(millis).collect());
    report.steady = Latency::of(far.iter().map(millis).collect());
    report
}

/// Every sign names the same release: one marker, and it is the revision's own.
fn is_whole(answer: &Answer, marker: impl Fn(&str) -> Option<String>) -> bool {
    let own = answer.revision.as_deref().and_then(marker);
    answer.markers.len() == 1 && own.is_none_or(|own| answer.markers.contains(&own))
}

impl Report {
    /// Fails the test unless every request was answered by one whole release at its time.
    #[track_caller]
    pub(crate) fn assert_flawless(&self) {
        assert!(self.requests > 0, "nothing was asked");
        let flaws = [&self.failed, &self.mixed, &self.stale, &self.early, &self.orders.lost];
        let clean = flaws.iter().all(|flaws| flaws.is_empty()) && self.orders.invented == 0 && self.gaps == 0;
        assert!(clean, "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, switches, failed, mixed, stale, early, gaps, orders, steady, around } = self;
        writeln!(
            f,
            "{requests} requests over {switches} switches: {} failed, {} mixed, {} stale, {} early",
            failed.len(),
            mixed.len(),
            stale.len(),
            early.len()
        )?;
        writeln!(
            f,
            "{} orders: {} lost, {} invented; looks without `current`: {gaps}",
            orders.taken,
            orders.lost.len(),
            orders.invented
        )?;
        for (name, latency) in [("steady", steady), ("within 300 ms of a switch", around)] {
            writeln!(f, "{name}: p50 {:.1} ms, p99 {:.1} ms of {}", latency.p50, latency.p99, latency.count)?;
        }
        for flaw in
            [failed, mixed, stale, early, &orders.lost].into_iter().flat_map(|flaws| flaws.iter().take(5))
        {
            writeln!(f, "  {flaw}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(markers: &[&str]) -> Answer {
        let markers = markers.iter().map(|marker| (*marker).to_owned()).collect();
        Answer { release: Some("a".to_owned()), revision: Some("sha".to_owned()), markers }
    }

    #[test]
    fn a_mixture_is_noticed() {
        let marker = |_: &str| Some("7".to_owned());
        assert!(is_whole(&answer(&["7"]), marker));
        assert!(!is_whole(&answer(&["7", "8"]), marker), "code of one, template of another");
        assert!(!is_whole(&answer(&["8"]), marker), "the code of another revision");
        assert!(!is_whole(&answer(&[]), marker), "no sign of anybody");
    }

    #[test]
    fn a_lost_order_is_noticed() {
        let now = Instant::now();
        let order = |key: &str, answer| Sample {
            kind: Kind::Order,
            start: now,
            end: now,
            answer,
            key: Some(key.to_owned()),
        };
        let samples = [
            order("a", Ok(Answer::default())),
            order("b", Ok(Answer::default())),
            order("c", Err("502".to_owned())),
        ];
        let orders = Orders::compare(&samples, &["a".to_owned(), "c".to_owned(), "x".to_owned()]);
        assert_eq!((orders.taken, orders.lost, orders.invented), (2, vec!["b".to_owned()], 1));
    }
}
