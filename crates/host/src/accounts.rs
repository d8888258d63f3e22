//! Users and groups, as the machine knows them.

use std::path::Path;
use std::time::Duration;

use nix::unistd::{Group, User};
use release_core::command::Command;
use release_core::config::Resource;
use release_core::host::{Account, Accounts, HostError, HostResult, Processes};
use rustix::fs::{Gid, Uid, chown};
use rustix::process::{geteuid, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use crate::UnixHost;
use crate::files::failed;
use crate::settings::kernel_name;

/// How long the machine may take to say what a user may read.
const LIMIT: Duration = Duration::from_secs(10);

impl Accounts for UnixHost {
    fn user(&self, name: &str) -> HostResult<Option<Account>> {
        user(name)
    }

    fn group(&self, name: &str) -> HostResult<Option<u32>> {
        group(name)
    }

    fn own_uid(&self) -> u32 {
        geteuid().as_raw()
    }

    fn hard_limit(&self, resource: Resource) -> Option<u64> {
        // In a container root may lack what lets it raise them.
        let may_raise =
            capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_RESOURCE));
        if may_raise { None } else { getrlimit(kernel_name(resource)).maximum }
    }

    fn may_read(&self, user: &Account, path: &Path) -> HostResult<bool> {
        // The kernel alone knows what groups and access lists add up to: it is asked as that user.
        let words = ["-r".to_owned(), path.display().to_string()];
        let asked = Command::new("test", "/").args(words).user(Some(user.clone())).limit(LIMIT);
        Ok(self.run(&asked, &mut |_| ())?.success())
    }

    fn give(&self, directory: &Path, user: &Account) -> HostResult<()> {
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        chown(directory, Some(uid), Some(gid)).map_err(|error| failed("give away", directory)(error.into()))
    }
}

/// What programs see of the environment of whoever deployed them, besides what their account says.
pub(crate) const INHERITED: [&str; 4] = ["LANG", "LC_ALL", "TZ", "PATH"];

impl UnixHost {
    /// The user who runs this.
    pub(crate) fn account(&self) -> HostResult<Account> {
        let uid = self.own_uid().to_string();
        let found = User::from_uid(nix::unistd::geteuid()).map_err(|error| unknown("user", &uid, error))?;
        found.map(account).ok_or_else(|| HostError::Services {
            what: format!("needs a user, and uid {uid} has no name here"),
            help: Some(format!("see who that is: `getent passwd {uid}`")),
            source: None,
        })
    }
}

/// The user of that name.
pub(crate) fn user(name: &str) -> HostResult<Option<Account>> {
    let found = User::from_name(name).map_err(|error| unknown("user", name, error))?;
    Ok(found.map(account))
}

fn account(user: User) -> Account {
    Account {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        home: user.dir,
        shell: user.shell,
    }
}

/// The number of the group of that name.
pub(crate) fn group(name: &str) -> HostResult<Option<u32>> {
    let found = Group::from_name(name).map_err(|error| unknown("group", name, error))?;
    Ok(found.map(|group| group.gid.as_raw()))
}

fn unknown(kind: &str, name: &str, error: nix::Error) -> HostError {
    let help = Some(format!("see that the machine knows it: `getent passwd {name}; getent group {name}`"));
    HostError::Setting { what: format!("look up the {kind} `{name}`"), help, source: error.into() }
}
