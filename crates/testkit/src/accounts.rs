//! The fake machine's users.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use release_core::config::Resource;
use release_core::host::{Account, Accounts, HostResult};

use crate::fake_host::{FakeHost, lock};

#[derive(Debug, Default)]
pub(crate) struct People {
    own_uid: u32,
    users: BTreeMap<String, Account>,
    hidden: BTreeSet<PathBuf>,
    hard_limit: Option<u64>,
    given: BTreeMap<PathBuf, String>,
}

impl FakeHost {
    /// Who deploys; root unless this is said.
    pub fn act_as(&self, uid: u32) {
        lock(&self.people).own_uid = uid;
    }

    /// Makes a user, and a group of the same name.
    pub fn add_user(&self, name: &str, uid: u32) {
        let (home, shell) = (Path::new("/home").join(name), "/bin/sh".into());
        let user = Account { name: name.to_owned(), uid, gid: uid, home, shell };
        lock(&self.people).users.insert(name.to_owned(), user);
    }

    /// Nobody but root may read `path`, nor what is below it.
    pub fn hide(&self, path: impl Into<PathBuf>) {
        lock(&self.people).hidden.insert(path.into());
    }

    /// Up to where any limit may be raised.
    pub fn set_hard_limit(&self, limit: u64) {
        lock(&self.people).hard_limit = Some(limit);
    }

    /// Whom a directory was given to.
    pub fn owner(&self, directory: &Path) -> Option<String> {
        lock(&self.people).given.get(directory).cloned()
    }
}

impl Accounts for FakeHost {
    fn user(&self, name: &str) -> HostResult<Option<Account>> {
        self.ask("user", name.as_ref())?;
        Ok(lock(&self.people).users.get(name).cloned())
    }

    fn group(&self, name: &str) -> HostResult<Option<u32>> {
        self.ask("group", name.as_ref())?;
        Ok(lock(&self.people).users.get(name).map(|user| user.gid))
    }

    fn own_uid(&self) -> u32 {
        lock(&self.people).own_uid
    }

    fn hard_limit(&self, _: Resource) -> Option<u64> {
        lock(&self.people).hard_limit
    }

    fn may_read(&self, _: &Account, path: &Path) -> HostResult<bool> {
        self.ask("may_read", path)?;
        Ok(!lock(&self.people).hidden.iter().any(|hidden| path.starts_with(hidden)))
    }

    fn give(&self, directory: &Path, user: &Account) -> HostResult<()> {
        self.act("give", directory)?;
        lock(&self.people).given.insert(directory.to_owned(), user.name.clone());
        Ok(())
    }
}
