//! A service: what runs, how it passes to the next release, and how it shows that it is well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Instances, Listen, Log, ProcessSettings, Stop, Wait};
use crate::server::Protocol;

/// A process that the app runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name: lowercase letters, digits, `-` and `_`.
    pub name: String,
    /// The command, with shell words and `$NAME` for variables, but no shell.
    pub command: String,
    /// How it passes from the old generation to the new one.
    pub handover: Handover,
    /// What makes its master load new code; for `handover: reload`.
    #[serde(default)]
    pub reload: Option<Reload>,
    /// A TCP port that reaches it, held by a forwarder through all releases.
    #[serde(default)]
    pub listen: Option<Listen>,
    /// How it shows that it is well.
    pub health: Health,
    /// How long its old socket may take to fall quiet; then it is asked to end all the same.
    #[serde(default = "usual_drain")]
    pub drain: Wait,
    /// How it is asked to end; `None` for what is usual for its command.
    pub stop: Option<Stop>,
    /// Whether it may fail without failing the deploy.
    #[serde(default)]
    pub optional: bool,
    /// Variables for this service alone.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How many of it run beside each other.
    #[serde(default)]
    pub instances: Instances,
    /// As whom its processes run, and within what bounds.
    #[serde(default)]
    pub process: ProcessSettings,
    /// How much is kept of what it prints.
    #[serde(default)]
    pub log: Log,
}

/// What releases had before they could say.
fn usual_drain() -> Wait {
    Wait::seconds(10)
}

/// How a service passes from the old generation to the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handover {
    /// The new generation listens on a unix socket of its own (`$SOCKET`) and proves healthy;
    /// `activate`; the old one finishes what it began.
    Socket,
    /// Like `socket`; but then one master that belongs to no release, and keeps its process id,
    /// loads the new one's code and takes over.
    Reload,
    /// For workers: the new generation starts, the old one takes no more; `activate`; the old one
    /// finishes what it has, however long that takes.
    Overlap,
    /// For what may run only once: just before `activate` the old one stops and the new one starts.
    Replace,
}

impl Handover {
    /// How long a service must stay well. A worker answers nobody: its time runs from its start,
    /// and has to be enough for it to find out that it cannot.
    pub(super) fn settle(self) -> Wait {
        match self {
            Handover::Socket | Handover::Reload => Health::default().settle,
            Handover::Overlap | Handover::Replace => Wait::seconds(3),
        }
    }

    /// Whether it listens on `$SOCKET`, and is asked whether it is well.
    pub fn listens(self) -> bool {
        matches!(self, Handover::Socket | Handover::Reload)
    }
}

/// What makes a master load the code that `current` leads to, and keep its process id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reload {
    /// A signal to it, such as `HUP`.
    Signal(String),
    /// A command, which also sees its process id as `$PID`.
    Command(String),
}

impl std::fmt::Display for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reload::Signal(text) | Reload::Command(text) => f.write_str(text),
        }
    }
}

/// How a service shows that it is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// What it speaks.
    pub protocol: Protocol,
    /// What is asked: a path that begins with `/`.
    pub path: String,
    /// The `Host` header, which Django compares with `ALLOWED_HOSTS`.
    pub host: String,
    /// How long it may take until the first good answer.
    pub timeout: Wait,
    /// How long it must have run, and half of that after its first good answer, before it gets users.
    pub settle: Wait,
    /// How many requests wake its workers up before it gets users.
    pub warm_up: usize,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            protocol: Protocol::Http,
            path: "/".to_owned(),
            host: "localhost".to_owned(),
            timeout: Wait::seconds(60),
            settle: Wait::seconds(1),
            warm_up: 8,
        }
    }
}

/// The `services` whose master belongs to no release, and what makes it load another one.
pub fn reloading(services: &[Service]) -> impl Iterator<Item = (&Service, &Reload)> {
    let reloads = services.iter().filter(|service| service.handover == Handover::Reload);
    reloads.filter_map(|service| Some((service, service.reload.as_ref()?)))
}
