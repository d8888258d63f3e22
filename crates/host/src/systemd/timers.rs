//! The timers of this root, in the directories of the machine's systemd and of the user's own.

use std::path::{Path, PathBuf};

use release_core::config::Scope;
use release_core::cron::Timer;
use release_core::host::{Account, Files, HostResult, Timers};
use release_core::service::Running;

use super::files::foreign;
use super::timer::{TARGET, TimerUnits, first_line, prefix, read};
use super::{Systemd, unwritable};
use crate::UnixHost;

/// Both: the scope may have changed with the configuration.
const SCOPES: [Scope; 2] = [Scope::System, Scope::User];

impl Timers for UnixHost {
    fn timers(&self) -> HostResult<Vec<Timer>> {
        let mut timers = Vec::new();
        for scope in SCOPES {
            timers.extend(Systemd::new(self, scope).waiting_timers()?);
        }
        timers.sort_by(|one, other| one.entry.cmp(&other.entry));
        Ok(timers)
    }

    fn set_timers(&self, timers: &[Timer]) -> HostResult<()> {
        SCOPES.iter().try_for_each(|scope| {
            let wanted: Vec<&Timer> = timers.iter().filter(|timer| timer.scope == *scope).collect();
            Systemd::new(self, *scope).keep_timers(&wanted)
        })
    }
}

/// A timer's file that is there.
struct Standing {
    path: PathBuf,
    timer: Option<Timer>,
    whole: bool,
}

impl Systemd<'_> {
    fn waiting_timers(&self) -> HostResult<Vec<Timer>> {
        let account = self.host.account()?;
        let standing = self.standing_timers(&account)?;
        let waiting = self.waiting(&standing)?;
        let is_waiting = |one: &Standing| one.whole && waiting.contains(&unit_name(&one.path));
        Ok(standing.into_iter().filter(is_waiting).filter_map(|one| one.timer).collect())
    }

    /// Those of `standing` that systemd waits with; all of them where none runs.
    fn waiting(&self, standing: &[Standing]) -> HostResult<Vec<String>> {
        let names: Vec<String> = standing.iter().map(|one| unit_name(&one.path)).collect();
        if !self.runs() {
            return Ok(names);
        }
        let states = self.systemctl().states(&names)?;
        let is_up = |name: &String| {
            states
                .get(name)
                .is_some_and(|state| matches!(state.running, Running::Running | Running::Starting))
        };
        Ok(names.into_iter().filter(is_up).collect())
    }

    /// What `gone` have started and has failed: systemd would list it for ever.
    fn failed_entries(&self, gone: &[Standing]) -> HostResult<Vec<String>> {
        let services: Vec<String> =
            gone.iter().map(|one| unit_name(&one.path.with_extension("service"))).collect();
        self.failed(&services)
    }

    /// The files of the timers that are ours.
    fn standing_timers(&self, account: &Account) -> HostResult<Vec<Standing>> {
        let (root, directory) = (self.host.layout.root(), self.directory(account));
        let mut standing = Vec::new();
        for path in self.host.list(&directory)? {
            let name = unit_name(&path);
            if !name.starts_with(&prefix(root)) || !name.ends_with(".timer") {
                continue;
            }
            let text = self.host.read(&path)?.unwrap_or_default();
            if !text.starts_with(first_line(root).as_bytes()) {
                continue;
            }
            let timer = read(&String::from_utf8_lossy(&text), self.scope);
            let enabled = self.host.read_link(&self.timer_link(account, &name))?.is_some();
            let whole = enabled && self.host.kind(&path.with_extension("service"))?.is_some();
            standing.push(Standing { path, timer, whole });
        }
        Ok(standing)
    }

    fn keep_timers(&self, timers: &[&Timer]) -> HostResult<()> {
        let account = self.host.account()?;
        let units: Result<Vec<TimerUnits>, _> = timers
            .iter()
            .map(|timer| TimerUnits::of(timer, self.host.layout.root(), &account.name))
            .collect();
        let units = units.map_err(unwritable)?;
        let mut changed = self.remove_timers(&units, &account)?;
        for unit in &units {
            changed |= self.write_timer(unit, &account)?;
        }
        if !self.runs() {
            return Ok(());
        }
        if changed {
            self.systemctl().reload()?;
        }
        self.systemctl().start_now(&units.iter().map(TimerUnits::timer_name).collect::<Vec<_>>())
    }

    /// Removes our timers but `kept`; what one has started goes on. True if there were any.
    fn remove_timers(&self, kept: &[TimerUnits], account: &Account) -> HostResult<bool> {
        let mut gone = self.standing_timers(account)?;
        gone.retain(|one| kept.iter().all(|unit| unit.timer_name() != unit_name(&one.path)));
        if self.runs() {
            self.systemctl().stop_now(&self.waiting(&gone)?)?;
            self.systemctl().reset(&self.failed_entries(&gone)?)?;
        }
        for one in &gone {
            self.host.remove(&self.timer_link(account, &unit_name(&one.path)))?;
            self.host.remove(&one.path.with_extension("service"))?;
            // Last, for it is what tells that there is something to remove.
            self.host.remove(&one.path)?;
        }
        Ok(!gone.is_empty())
    }

    /// Writes the files of a timer, and enables it. True if something of that changed.
    fn write_timer(&self, unit: &TimerUnits, account: &Account) -> HostResult<bool> {
        let directory = self.directory(account);
        let timer = directory.join(unit.timer_name());
        let mut changed = self.write_entry_file(&timer, &unit.timer)?;
        changed |= self.write_entry_file(&directory.join(unit.service_name()), &unit.service)?;
        let link = self.timer_link(account, &unit.timer_name());
        if self.host.read_link(&link)?.as_ref() != Some(&timer) {
            self.host.replace_link(&link, &timer)?;
            changed = true;
        }
        Ok(changed)
    }

    fn write_entry_file(&self, path: &Path, text: &str) -> HostResult<bool> {
        let stands = self.host.read(path)?;
        if stands.as_deref() == Some(text.as_bytes()) {
            return Ok(false);
        }
        if stands.is_some_and(|text| !text.starts_with(first_line(self.host.layout.root()).as_bytes())) {
            return Err(foreign(path));
        }
        self.host.write(path, text.as_bytes(), 0o644)?;
        Ok(true)
    }

    /// What enables a timer.
    fn timer_link(&self, account: &Account, name: &str) -> PathBuf {
        self.directory(account).join(format!("{TARGET}.wants")).join(name)
    }
}

fn unit_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
