//! The fake machine's crontab.

use release_core::host::{Crontab, HostError, HostResult};

use crate::fake_host::{FakeHost, lock};

/// `None` where the user has no right to one.
#[derive(Debug)]
pub(crate) struct Table(Option<Vec<u8>>);

impl Default for Table {
    fn default() -> Self {
        Self(Some(Vec::new()))
    }
}

impl FakeHost {
    /// The crontab holds this.
    pub fn set_crontab(&self, text: &str) {
        *lock(&self.crontab) = Table(Some(text.into()));
    }

    /// The user may have no crontab.
    pub fn forbid_crontab(&self) {
        *lock(&self.crontab) = Table(None);
    }
}

impl Crontab for FakeHost {
    fn crontab(&self) -> HostResult<Vec<u8>> {
        lock(&self.crontab).0.clone().ok_or_else(|| HostError::Crontab {
            what: "read: You are not allowed to use this program".to_owned(),
            help: "add the name to /etc/cron.allow".to_owned(),
        })
    }

    fn change_crontab(&self, change: &dyn Fn(&[u8]) -> Vec<u8>) -> HostResult<()> {
        let before = Crontab::crontab(self)?;
        let after = change(&before);
        if after != before {
            self.act("write", "the crontab")?;
            *lock(&self.crontab) = Table(Some(after));
        }
        Ok(())
    }
}
