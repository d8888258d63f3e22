//! `release.yml`, parsed into types.
//!
//! The app's own file stands in its repository and is read from the revision that is deployed; a
//! `release.yml` at the root of the server overrides it, key by key. [`parse`] reports every
//! problem of both at once.

mod assets;
mod building;
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
mod reload;
mod restart;
mod service;
mod services;
mod size;
mod stop;
mod wait;

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cron::Entry;
use directory::TOP;

pub use assets::KeepAssets;
pub use building::{Building, Frontend, Installer, Python};
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
pub use service::{Handover, Health, Reload, Service, reloading};
pub use size::Size;
pub use stop::{Rung, Stop};
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

/// What is asked from outside after `activate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// An `http://` URL on this machine.
    pub url: String,
    /// How long it may take until the first good answer.
    pub timeout: Wait,
}
