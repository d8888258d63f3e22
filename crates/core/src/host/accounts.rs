//! Users and groups.

use std::path::{Path, PathBuf};

use super::HostResult;
use crate::config::Resource;

/// A user of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number; 0 is root.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
    /// Its home.
    pub home: PathBuf,
    /// Its shell.
    pub shell: PathBuf,
}

/// Users and groups, and what they may do.
pub trait Accounts {
    /// The user of that name.
    fn user(&self, name: &str) -> HostResult<Option<Account>>;
    /// The number of the group of that name.
    fn group(&self, name: &str) -> HostResult<Option<u32>>;
    /// As whom this process acts.
    fn own_uid(&self) -> u32;
    /// Up to where this process may raise what the kernel limits; `None` without an end.
    fn hard_limit(&self, resource: Resource) -> Option<u64>;
    /// Whether `user` may read what is at `path`, with all of its groups; asked by root only.
    fn may_read(&self, user: &Account, path: &Path) -> HostResult<bool>;
    /// Makes `user` the owner of a directory, but of nothing in it.
    fn give(&self, directory: &Path, user: &Account) -> HostResult<()>;
}
