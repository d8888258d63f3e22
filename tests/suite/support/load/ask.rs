//! One client: what it asks for, and what an answer says of who made it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::super::{Client, Reply};
use super::{Answer, Kind, Sample};

/// Asks for one thing again and again.
pub(super) struct Asker {
    pub(super) client: Client,
    pub(super) kind: Kind,
    /// What its orders' keys begin with.
    pub(super) prefix: String,
    pub(super) asked: Arc<AtomicU64>,
}

impl Asker {
    pub(super) fn ask_until(&mut self, over: &AtomicBool, pause: Duration) -> Vec<Sample> {
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
