//! The user who deploys, as the machine knows them.

use std::path::PathBuf;

use release_core::command::Command;
use release_core::host::{HostError, HostResult, Processes};

use crate::UnixHost;

/// What programs see of the environment of whoever deployed them, besides what their account says.
pub(crate) const INHERITED: [&str; 4] = ["LANG", "LC_ALL", "TZ", "PATH"];

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) name: String,
    pub(crate) home: PathBuf,
    pub(crate) shell: String,
}

impl Account {
    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// A line of `getent passwd`.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, home, shell] = fields.as_slice() else { return None };
        Some(Self {
            uid: uid.parse().ok()?,
            name: (*name).to_owned(),
            home: PathBuf::from(home),
            shell: (*shell).to_owned(),
        })
    }
}

impl UnixHost {
    /// The user who runs this; from wherever the machine has its users.
    pub(crate) fn account(&self) -> HostResult<Account> {
        let uid = rustix::process::geteuid().as_raw().to_string();
        let mut found = None;
        let asked = Command::new("getent", "/").args(["passwd", &uid]);
        self.run(&asked, &mut |line| found = found.take().or_else(|| Account::parse(line)))?;
        found.ok_or_else(|| HostError::Services {
            what: format!("needs a user, and uid {uid} has no name here"),
            help: Some(format!("see who that is: `getent passwd {uid}`")),
            source: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_a_line() {
        let user = Account::parse("shop:x:1001:1001:The shop,,,:/srv/shop:/bin/sh").unwrap();
        assert_eq!((user.uid, user.name.as_str(), user.shell.as_str()), (1001, "shop", "/bin/sh"));
        assert_eq!(user.home, PathBuf::from("/srv/shop"));
        assert_eq!(Account::parse("shop:x:1001"), None);
    }
}
