//! The files below systemd's directories that are ours: templates, and links that enable instances.

use std::path::{Path, PathBuf};

use release_core::config::{Manager, Scope};
use release_core::host::{Account, Files, HostError, HostResult};
use release_core::service::Program;

use super::turn::Turns;
use super::unit::{Unit, file_of, first_line};
use super::{Systemd, target};
use crate::label;
use crate::placed::Placed;

/// What a program prints is for nobody else to read.
const LOG_MODE: u32 = 0o600;

impl Systemd<'_> {
    /// Where the units of an administrator, or of the user, are.
    pub(super) fn directory(&self, account: &Account) -> PathBuf {
        match self.scope {
            Scope::User => account.home.join(".config/systemd/user"),
            Scope::System | Scope::Auto => PathBuf::from("/etc/systemd/system"),
        }
    }

    /// Where a link to a template enables its instance.
    pub(super) fn links(&self, account: &Account) -> PathBuf {
        self.directory(account).join(format!("{}.wants", target(self.scope)))
    }

    /// Writes the templates that are not there yet; those that nobody uses any more go.
    pub(super) fn write_units(&self, units: &[Unit], turns: &Turns, account: &Account) -> HostResult<()> {
        let directory = self.directory(account);
        let turn = turns.template();
        let files = units.iter().map(|unit| (unit.template.as_str(), unit.text.as_str()));
        let files: Vec<(&str, &str)> = files.chain([(turn.as_str(), turns.text.as_str())]).collect();
        let mut written = false;
        for (name, text) in &files {
            let path = directory.join(name);
            let stands = self.host.read(&path)?;
            if stands.as_deref() == Some(text.as_bytes()) {
                continue;
            }
            if stands.is_some_and(|text| !self.is_ours(&text)) {
                return Err(foreign(&path));
            }
            self.host.write(&path, text.as_bytes(), 0o644)?;
            written = true;
        }
        if written {
            let used: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            self.remove_unused(&directory, &used)?;
            self.systemctl().reload()?;
        }
        Ok(())
    }

    /// Writes down that systemd is to run a program, and enables it.
    pub(super) fn place(&self, program: &Program, unit: &Unit, account: &Account) -> HostResult<Placed> {
        let link = self.links(account).join(&unit.name);
        let placed = Placed::new(program, Manager::Systemd(self.scope), unit.name.clone(), link);
        // systemd would make it for everybody to read.
        if self.host.kind(&program.log)?.is_none() {
            self.host.write(&program.log, b"", LOG_MODE)?;
        }
        self.host.write_placed(&placed)?;
        self.host.replace_link(&placed.file, &self.directory(account).join(&unit.template))?;
        Ok(placed)
    }

    /// A boot does not start them any more.
    pub(super) fn disable(&self, placed: &[Placed]) -> HostResult<()> {
        placed.iter().try_for_each(|placed| self.host.remove(&placed.file))
    }

    /// Forgets programs that have ended, and with the last one the templates.
    pub(super) fn forget(&self, placed: &[Placed]) -> HostResult<()> {
        placed.iter().try_for_each(|placed| self.host.forget_placed(placed))?;
        if placed.is_empty() || !self.placed()?.is_empty() {
            return Ok(());
        }
        self.remove_unused(&self.directory(&self.host.account()?), &[])?;
        if self.runs() { self.systemctl().reload() } else { Ok(()) }
    }

    /// Removes our units but those of programs that are known, and `kept`.
    fn remove_unused(&self, directory: &Path, kept: &[&str]) -> HostResult<()> {
        let used: Vec<String> = self.placed()?.iter().map(|placed| file_of(&placed.name)).collect();
        let prefix = format!("{}-", label::of_root(self.host.layout.root()));
        for path in self.host.list(directory)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_unit = name.ends_with(".service") || name.ends_with(".target");
            let may_go = name.starts_with(&prefix) && is_unit;
            if may_go && !kept.contains(&&*name) && !used.iter().any(|used| *used == name) {
                let text = self.host.read(&path)?.unwrap_or_default();
                if self.is_ours(&text) {
                    self.host.remove(&path)?;
                }
            }
        }
        Ok(())
    }

    fn is_ours(&self, text: &[u8]) -> bool {
        text.starts_with(first_line(self.host.layout.root()).as_bytes())
    }
}

pub(super) fn foreign(path: &Path) -> HostError {
    let path = path.display();
    HostError::Services {
        what: format!("cannot use {path}: somebody else wrote that"),
        help: Some(format!("move it away: `mv {path} {path}.before && systemctl daemon-reload`")),
        source: None,
    }
}
