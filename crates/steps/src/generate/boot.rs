//! What starts the app when the machine does, and rotates its logs.

use std::time::Duration;

use release_core::config::{Config, Manager, Scope};
use release_core::layout::Layout;
use serde::Serialize;

use super::facts::{GenerateError, Machine, plain};

#[derive(Debug, Serialize)]
pub(super) struct Boot {
    program: String,
    user: String,
    group: String,
    /// Seconds.
    start_limit: u64,
    stop_limit: u64,
    pid_file: String,
    boot_log: String,
    logs: String,
    /// Whether a private supervisord runs the services: nothing else brings that back.
    private: bool,
    /// Whether the services are the user's own systemd's.
    user_scope: bool,
    /// Whether nobody else rotates what services print.
    unrotated: bool,
}

/// What recovery may take that comes before a start, and the manager's own part of a stop, in seconds.
const RECOVERY: u64 = 300;
const MANAGER: u64 = 60;

impl Boot {
    pub(super) fn of(layout: &Layout, config: &Config, machine: Machine) -> Result<Self, GenerateError> {
        let is_root = machine.user == "root";
        let start: Duration =
            config.services.iter().map(|service| service.health.timeout.0 + service.health.settle.0).sum();
        let stop: Duration = config.services.iter().map(|service| service.killed_after()).sum();
        Ok(Self {
            program: plain(&machine.program)?,
            user: machine.user,
            group: machine.group,
            start_limit: RECOVERY + start.as_secs(),
            stop_limit: MANAGER + stop.as_secs(),
            pid_file: plain(&layout.supervisor_pid())?,
            boot_log: plain(&layout.boot_log())?,
            logs: logs(layout, config)?,
            private: config.manager == Manager::Supervisord,
            user_scope: config.manager.resolved(is_root) == Manager::Systemd(Scope::User),
            unrotated: matches!(config.manager, Manager::Systemd(_)),
        })
    }
}

/// What writes its own files: the boot, and the app in linked directories that are called so.
fn logs(layout: &Layout, config: &Config) -> Result<String, GenerateError> {
    let mut logs = vec![plain(&layout.boot_log())?];
    if matches!(config.manager, Manager::Systemd(_)) {
        logs.push(
            plain(&layout.service_log("*").with_file_name(""))
                .map(|directory| format!("{directory}*.log"))?,
        );
    }
    let is_log = |dir: &&String| dir.rsplit('/').next().is_some_and(|name| name == "log" || name == "logs");
    for dir in config.linked_dirs.iter().filter(is_log) {
        logs.push(format!("{}/*.log", plain(&layout.shared().join(dir))?));
    }
    Ok(logs.join(" "))
}
