//! `systemctl`: a few milliseconds a call.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use release_core::command::Command;
use release_core::config::Scope;
use release_core::host::{HostError, HostResult, Processes};
use release_core::step;
use rustix::time::{ClockId, clock_gettime};

use super::state::{self, PROPERTIES, UnitState};
use crate::UnixHost;
use crate::climb::KILL;

/// systemd answers at once, unless it is in trouble.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of the machine's systemds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Systemctl<'a> {
    pub(super) host: &'a UnixHost,
    pub(super) scope: Scope,
}

impl Systemctl<'_> {
    /// Starts units, and does not wait for it.
    pub(super) fn start(&self, units: &[String]) -> HostResult<()> {
        self.tell("cannot start what it is to run", &["start", "--no-block"], units)
    }

    /// Asks units to end, and does not wait for it.
    pub(super) fn stop(&self, units: &[String]) -> HostResult<()> {
        self.tell("cannot stop what it runs", &["stop", "--no-block"], units)
    }

    /// Starts units that are up at once, such as timers.
    pub(super) fn start_now(&self, units: &[String]) -> HostResult<()> {
        self.tell("cannot start what it is to wait with", &["start"], units)
    }

    /// Ends units that are gone at once, such as timers.
    pub(super) fn stop_now(&self, units: &[String]) -> HostResult<()> {
        self.tell("cannot stop what it waits with", &["stop"], units)
    }

    /// Sends `signal`, such as `INT`, to the unit's own process; KILL to all of them.
    pub(super) fn signal(&self, unit: &str, signal: &str) -> HostResult<()> {
        let whom = if signal == KILL { "--kill-who=all" } else { "--kill-who=main" };
        let signal = format!("--signal=SIG{signal}");
        self.tell("cannot signal what it runs", &["kill", whom, &signal], &[unit.to_owned()])
    }

    /// Forgets that units have failed, and how often they were started.
    pub(super) fn reset(&self, units: &[String]) -> HostResult<()> {
        self.tell("cannot forget what has failed", &["reset-failed"], units)
    }

    /// Makes it read the files of units again.
    pub(super) fn reload(&self) -> HostResult<()> {
        self.ask("cannot read its units", &["daemon-reload"], &[]).map(drop)
    }

    /// What it says of units.
    pub(super) fn states(&self, units: &[String]) -> HostResult<BTreeMap<String, UnitState>> {
        if units.is_empty() {
            return Ok(BTreeMap::new());
        }
        let lines = self.ask("does not say what it runs", &["show", "--property", PROPERTIES], units)?;
        Ok(state::read(&lines, monotonic()))
    }

    /// Its version, such as 252; `None` when it says none.
    pub(super) fn version(&self) -> HostResult<Option<u32>> {
        let lines = self.ask("does not say its version", &["--version"], &[])?;
        Ok(lines.first().and_then(|line| version(line)))
    }

    /// Whether it answers at all.
    pub(super) fn answers(&self) -> HostResult<()> {
        self.ask("does not answer", &["show", "--property", "Version"], &[]).map(drop)
    }

    fn tell(&self, failure: &str, words: &[&str], units: &[String]) -> HostResult<()> {
        if units.is_empty() { Ok(()) } else { self.ask(failure, words, units).map(drop) }
    }

    fn ask(&self, failure: &str, words: &[&str], units: &[String]) -> HostResult<Vec<String>> {
        let command = command(self.scope, words, units);
        let mut lines = Vec::new();
        let exit = self.host.run(&command, &mut |line| lines.push(line.to_owned()))?;
        if exit.success() {
            return Ok(lines);
        }
        Err(HostError::Services {
            what: format!("systemd {failure}: `{command}` failed ({exit})"),
            help: None,
            source: Some(step::tail(&lines).join("\n").into()),
        })
    }
}

fn command(scope: Scope, words: &[&str], units: &[String]) -> Command {
    let scope_word = if scope == Scope::User { "--user" } else { "--system" };
    let mut command =
        Command::new("systemctl", "/").args([scope_word]).args(words.iter().copied()).limit(PATIENCE);
    if !units.is_empty() {
        command = command.args(["--"]).args(units.iter().cloned());
    }
    let command = command.var("LC_ALL", "C");
    if scope != Scope::User {
        return command;
    }
    // `sudo -u` and cron leave it out.
    command.var("XDG_RUNTIME_DIR", user_runtime(rustix::process::geteuid().as_raw()))
}

/// Where the systemd of a user is reached.
pub(super) fn user_runtime(uid: u32) -> String {
    format!("/run/user/{uid}")
}

/// Whether the machine's first process is systemd: what `sd_booted(3)` asks.
pub(super) fn is_booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The number in `systemd 252 (252.39-1~deb12u2)`.
fn version(line: &str) -> Option<u32> {
    line.strip_prefix("systemd ")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_first_number() {
        assert_eq!(version("systemd 252 (252.39-1~deb12u2)"), Some(252));
        assert_eq!(version("systemd 257.9 (257.9-1)"), Some(257));
        assert_eq!(version("+PAM +AUDIT"), None);
    }
}
