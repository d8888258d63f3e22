//! `release.yml`, parsed into types.
//!
//! The app's own file stands in its repository and is read from the revision that is deployed; a
//! `release.yml` at the root of the server overrides it, key by key. [`parse`] reports every
//! problem of both at once.

mod assets;
mod builders;
mod cron;
mod directory;
mod fields;
mod instances;
mod lines;
mod listen;
mod log;
mod manager;
mod parse;
mod paths;
mod problem;
mod process;
mod proxy;
mod restart;
mod services;
mod size;
mod stop;
mod wait;

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::command::Share;
use crate::cron::Entry;
use crate::server::Protocol;
use directory::TOP;

pub use assets::KeepAssets;
pub use cron::CronBy;
pub use directory::directory_of;
pub use instances::Instances;
pub use listen::Listen;
pub use log::Log;
pub use manager::{Manager, Scope, ServerSupervisord};
pub use parse::{Source, cache_of, parse, parse_origin};
pub use problem::{Problem, Problems};
pub use process::{Bound, ProcessSettings, Resource, Umask};
pub use proxy::{Files, Proxy, Serving, Tls};
pub use size::Size;
pub use wait::Wait;

/// The effective configuration of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The app's name, for messages and generated files.
    pub app: String,
    /// Where the app's repository is: a path, or an ssh or https URL. A git hook uses its own.
    pub repository: Option<String>,
    /// The branch that is deployed when none is named, and the only one that a push deploys.
    pub branch: String,
    /// Where the app is in the repository; `.` for the top.
    pub directory: String,
    /// Where what is built once is kept, on this server; `None` for the root's own `cache`.
    pub cache: Option<PathBuf>,
    /// How many good releases stay on the disk.
    pub keep: usize,
    /// How long the old generation is kept running for a rollback in milliseconds; 0 is not at all.
    pub warm: Wait,
    /// The Python environment.
    pub python: Python,
    /// What installing and building may take of the machine.
    pub build: Building,
    /// The front ends; `None` to look for one.
    pub frontend: Option<Vec<Frontend>>,
    /// The Django project; `None` for another kind of app.
    pub django: Option<Django>,
    /// Directories below `shared/` that every release links to.
    pub linked_dirs: Vec<String>,
    /// Files below `shared/` that every release links to.
    pub linked_files: Vec<String>,
    /// Variables for the app's processes.
    pub env: BTreeMap<String, String>,
    /// A file below `shared/` with more of them.
    pub env_file: String,
    /// What keeps the services running.
    pub manager: Manager,
    /// What runs, in the order in which it starts.
    pub services: Vec<Service>,
    /// What runs at set times.
    pub cron: Vec<Entry>,
    /// What starts them; `None` for the timers of systemd where that is the manager, else the crontab.
    pub cron_by: Option<CronBy>,
    /// What is asked from outside after `activate`.
    pub verify: Option<Verify>,
    /// The static files that the proxy serves.
    #[serde(rename = "static")]
    pub static_files: Serving,
    /// How long hashed static files of earlier releases stay beside those of the next ones.
    pub keep_assets: KeepAssets,
    /// The uploads that the proxy serves.
    pub media: Serving,
    /// The proxy in front of the app.
    pub proxy: Proxy,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            app: String::new(),
            repository: None,
            branch: "main".to_owned(),
            directory: TOP.to_owned(),
            cache: None,
            keep: 5,
            warm: Wait::ZERO,
            python: Python::default(),
            build: Building::default(),
            frontend: None,
            django: None,
            linked_dirs: Vec::new(),
            linked_files: Vec::new(),
            env: BTreeMap::new(),
            env_file: ".env".to_owned(),
            manager: Manager::default(),
            services: Vec::new(),
            cron: Vec::new(),
            cron_by: None,
            verify: None,
            static_files: Serving::default(),
            keep_assets: KeepAssets::default(),
            media: Serving::default(),
            proxy: Proxy::default(),
        }
    }
}

/// The Python environment of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Python {
    /// The interpreter's version, such as `3.11`; `None` for what the project asks for, else `python3`.
    pub version: Option<String>,
    /// What installs the packages.
    pub installer: Installer,
    /// Requirement files, in the order in which they are installed; `None` to look for a lock
    /// file, for `requirements.txt`, or for a project that is itself a package.
    pub requirements: Option<Vec<String>>,
    /// Further groups of a lock file.
    pub groups: Vec<String>,
    /// Extras of the project.
    pub extras: Vec<String>,
    /// Packages to install after all others: names, `git+https://…`, paths.
    pub packages: Vec<String>,
}

/// What installing and building may take of the machine, whose site goes on meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Building {
    /// How far it stands back for others, from 1 to 19.
    pub nice: Option<u8>,
    /// How much memory each of its processes may write to.
    pub memory: Option<Size>,
}

impl Building {
    /// For people; `None` if builds may take what they like.
    pub fn told(&self) -> Option<String> {
        let nice = self.nice.map(|nice| format!("nice {nice}"));
        let memory = self.memory.map(|memory| format!("{memory} of memory for each process"));
        let limits: Vec<String> = nice.into_iter().chain(memory).collect();
        (!limits.is_empty()).then(|| format!("builds run with {}", limits.join(", and ")))
    }

    /// For the commands.
    pub fn share(&self) -> Share {
        Share { nice: self.nice, memory: self.memory.map(|memory| memory.0) }
    }
}

/// What installs the packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Installer {
    /// What the lock file is of; else uv where it is installed, else pip.
    #[default]
    Auto,
    /// pip, from the interpreter's own `venv`.
    Pip,
    /// uv.
    Uv,
    /// Poetry, from `poetry.lock`.
    Poetry,
    /// Pipenv, from `Pipfile.lock`.
    Pipenv,
}

/// A JavaScript front end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontend {
    /// Its directory in the repository, seen from the top; `.` for the top itself.
    pub directory: String,
    /// What installs its packages; `None` for what its lock file asks for.
    pub install: Option<String>,
    /// What builds it; `None` for the `build` script of its `package.json`.
    pub build: Option<String>,
    /// What else it is made from, seen from `directory`.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// What the build makes, seen from `directory`.
    pub outputs: Vec<String>,
    /// An archive or a directory, seen from the root, that holds the outputs already;
    /// `{revision}` stands for the full sha.
    #[serde(default)]
    pub prebuilt: Option<String>,
}

impl Config {
    /// The services that listen, each on a socket of its generation.
    pub fn listening(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| service.handover.listens())
    }

    /// The services whose master belongs to no release, and what makes it load another one.
    pub fn reloading(&self) -> impl Iterator<Item = (&Service, &Reload)> {
        reloading(&self.services)
    }
}

/// The `services` whose master belongs to no release, and what makes it load another one.
pub fn reloading(services: &[Service]) -> impl Iterator<Item = (&Service, &Reload)> {
    let reloads = services.iter().filter(|service| service.handover == Handover::Reload);
    reloads.filter_map(|service| Some((service, service.reload.as_ref()?)))
}

impl Frontend {
    /// The usual front end in `directory`.
    pub fn usual(directory: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            install: None,
            build: None,
            inputs: Vec::new(),
            outputs: vec!["dist".to_owned()],
            prebuilt: None,
        }
    }

    /// Where an input or output is, seen from the top of the release; `None` when it leads out of it.
    pub fn in_release(&self, path: &str) -> Option<String> {
        paths::normal(&format!("{}/{path}", self.directory))
    }
}

/// The Django project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Django {
    /// The settings module, such as `shop.settings`.
    pub settings: String,
    /// The directory of `manage.py`, `.` for the top.
    pub directory: String,
    /// Whether `collectstatic` runs; `None` when the settings have a `STATIC_ROOT`.
    pub collectstatic: Option<bool>,
    /// Whether `migrate` runs.
    pub migrate: bool,
}

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
    fn settle(self) -> Wait {
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

/// How a process is asked to end: one signal after the other, and KILL at the end of all patience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Rungs")]
pub struct Stop(pub Vec<Rung>);

/// Records of releases from before there were ladders hold a single signal.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rungs {
    One(Rung),
    Ladder(Vec<Rung>),
}

impl From<Rungs> for Stop {
    fn from(rungs: Rungs) -> Self {
        match rungs {
            Rungs::One(rung) => Self(vec![rung]),
            Rungs::Ladder(ladder) => Self(ladder),
        }
    }
}

/// A signal, and how long it may take until it has worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Such as `TERM`.
    pub signal: String,
    /// How long the process may take then.
    pub wait: Wait,
}

impl Stop {
    /// A single signal.
    pub fn one(signal: &str, wait: Wait) -> Self {
        Self(vec![Rung { signal: signal.to_owned(), wait }])
    }
}

/// What is asked from outside after `activate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// An `http://` URL on this machine.
    pub url: String,
    /// How long it may take until the first good answer.
    pub timeout: Wait,
}
