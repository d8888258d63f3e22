//! The fake machine's crontab, and its timers.

use release_core::cron::Timer;
use release_core::host::{Crontab, HostError, HostResult, Timers};

use crate::fake_host::{FakeHost, lock};

/// The user's crontab, and who reads it.
#[derive(Debug)]
pub(crate) struct Table {
    /// `None` where the user has no right to one.
    text: Option<Vec<u8>>,
    daemon: Option<bool>,
    timers: Vec<Timer>,
}

impl Default for Table {
    fn default() -> Self {
        Self { text: Some(Vec::new()), daemon: Some(true), timers: Vec::new() }
    }
}

impl FakeHost {
    /// The crontab holds this.
    pub fn set_crontab(&self, text: &str) {
        lock(&self.crontab).text = Some(text.into());
    }

    /// The user may have no crontab.
    pub fn forbid_crontab(&self) {
        lock(&self.crontab).text = None;
    }

    /// Whether a cron daemon runs; `None` where nobody can tell.
    pub fn set_cron_runs(&self, runs: Option<bool>) {
        lock(&self.crontab).daemon = runs;
    }
}

impl Crontab for FakeHost {
    fn crontab(&self) -> HostResult<Vec<u8>> {
        lock(&self.crontab).text.clone().ok_or_else(|| HostError::Crontab {
            what: "read: You are not allowed to use this program".to_owned(),
            help: "add the name to /etc/cron.allow".to_owned(),
        })
    }

    fn change_crontab(&self, change: &dyn Fn(&[u8]) -> Vec<u8>) -> HostResult<()> {
        let before = Crontab::crontab(self)?;
        let after = change(&before);
        if after != before {
            self.act("write", "the crontab")?;
            lock(&self.crontab).text = Some(after);
        }
        Ok(())
    }

    fn cron_runs(&self) -> HostResult<Option<bool>> {
        Ok(lock(&self.crontab).daemon)
    }
}

impl Timers for FakeHost {
    fn timers(&self) -> HostResult<Vec<Timer>> {
        Ok(lock(&self.crontab).timers.clone())
    }

    fn set_timers(&self, timers: &[Timer]) -> HostResult<()> {
        let mut timers = timers.to_owned();
        timers.sort_by(|one, other| one.entry.cmp(&other.entry));
        if timers != Timers::timers(self)? {
            self.act("write", "the timers")?;
            lock(&self.crontab).timers = timers;
        }
        Ok(())
    }
}
