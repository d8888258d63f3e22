//! Which supervisord we run: the server's own, or one that is installed below `cache/tool`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use release_core::command::Command;
use release_core::host::{Files, Holder, HostError, HostResult, Locks, Processes};
use release_core::run::RunId;
use release_core::step;

use crate::UnixHost;

const VERSION: &str = "4.3.0";
const STAMP: &str = ".complete";

/// A supervisord that can be run.
#[derive(Debug)]
pub(super) struct Supervisord {
    /// A Python to start it with.
    pub(super) python: PathBuf,
    /// The script itself.
    pub(super) script: PathBuf,
}

impl UnixHost {
    /// Finds a supervisord, or installs one.
    pub(super) fn supervisord(&self) -> HostResult<Supervisord> {
        let python = self.find_program("python3").ok_or_else(no_python)?;
        if let Some(script) = self.find_program("supervisord")
            && self.works(&script)?
        {
            return Ok(Supervisord { python, script });
        }
        let key = format!("supervisor-{VERSION}-py{}", self.python_version(&python)?);
        let venv = self.layout.cached("tool", &key);
        let found = Supervisord { python: venv.join("bin/python"), script: venv.join("bin/supervisord") };
        if !self.is_installed(&found, &venv)? {
            let holder = Holder {
                run: self.run.clone().unwrap_or(RunId(String::new())),
                what: format!("{}, which installs supervisord", self.layout.root().display()),
            };
            let _lock = self.hold(&self.layout.cache_lock("tool", &key), &holder, &|_| {})?;
            if !self.is_installed(&found, &venv)? {
                self.remove(&venv)?;
                self.install(&python, &venv)?;
                self.write(&venv.join(STAMP), b"", 0o644)?;
            }
        }
        Ok(found)
    }

    fn is_installed(&self, found: &Supervisord, venv: &Path) -> HostResult<bool> {
        Ok(self.kind(&venv.join(STAMP))?.is_some() && self.works(&found.script)?)
    }

    /// Whether it starts at all and is not from before Python 3.
    fn works(&self, script: &Path) -> HostResult<bool> {
        match self.asked(Command::new(script, "/").args(["--version"])) {
            Ok(version) => Ok(is_recent(&version)),
            Err(HostError::Services { .. } | HostError::Spawn { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn python_version(&self, python: &Path) -> HostResult<String> {
        let script = "import sys; print('%d.%d' % sys.version_info[:2])";
        self.asked(Command::new(python, "/").args(["-c", script]))
    }

    fn install(&self, python: &Path, venv: &Path) -> HostResult<()> {
        let place = venv.display().to_string();
        self.asked(Command::new(python, "/").args(["-m", "venv"]).args([place]))?;
        let pip =
            ["-m", "pip", "install", "--quiet", "--no-input", "--no-user", "--disable-pip-version-check"];
        let package = format!("supervisor=={VERSION}");
        self.asked(Command::new(venv.join("bin/python"), "/").args(pip).args([package])).map(|_| ())
    }

    /// The last line that a command prints, or why it failed.
    fn asked(&self, command: Command) -> HostResult<String> {
        let command = command.limit(Duration::from_secs(300));
        let mut lines = Vec::new();
        let exit = self.run(&command, &mut |line| lines.push(line.to_owned()))?;
        let said = step::tail(&lines);
        if exit.success() {
            return Ok(said.last().cloned().unwrap_or_default());
        }
        Err(HostError::Services {
            what: format!("cannot be installed: `{command}` failed ({exit})"),
            help: Some(
                "install it yourself: `apt install supervisor`, or `apt install python3-venv`".to_owned(),
            ),
            source: Some(said.join("\n").into()),
        })
    }
}

fn no_python() -> HostError {
    HostError::Services {
        what: "needs Python, and there is no `python3` on PATH".to_owned(),
        help: Some("install it: `apt install python3 python3-venv`".to_owned()),
        source: None,
    }
}

fn is_recent(version: &str) -> bool {
    version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_supervisord_4_and_later_will_do() {
        assert!(is_recent("4.2.5") && is_recent("4.3.0") && is_recent("10.0"));
        assert!(!is_recent("3.4.0") && !is_recent("") && !is_recent("Traceback"));
    }
}
