//! How we prove who we are to a git server: as git does, but never asking twice.

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;

use git2::{Config, Cred, CredentialType, Error};

/// The user of almost every git server.
const USER: &str = "git";
const KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

#[derive(Debug, PartialEq, Eq)]
enum Key {
    Agent,
    File(PathBuf),
}

/// What has not been tried yet. libgit2 asks again and again for as long as it gets something.
#[derive(Debug)]
pub(super) struct Credentials {
    keys: VecDeque<Key>,
    helper: bool,
    negotiate: bool,
}

impl Credentials {
    /// Everything that this user has.
    pub(super) fn of_user() -> Self {
        let agent = std::env::var_os("SSH_AUTH_SOCK").map(|_| Key::Agent);
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let files = KEYS.map(|name| home.join(".ssh").join(name)).into_iter().filter(|path| path.is_file());
        Self { keys: agent.into_iter().chain(files.map(Key::File)).collect(), helper: true, negotiate: true }
    }

    /// The next to try of the kinds that the server takes.
    pub(super) fn next(
        &mut self,
        url: &str,
        user: Option<&str>,
        allowed: CredentialType,
    ) -> Result<Cred, Error> {
        if allowed.is_username() {
            return Cred::username(user.unwrap_or(USER));
        }
        if allowed.is_ssh_key()
            && let Some(key) = self.keys.pop_front()
        {
            let user = user.unwrap_or(USER);
            return match key {
                Key::Agent => Cred::ssh_key_from_agent(user),
                Key::File(path) => Cred::ssh_key(user, None, &path, None),
            };
        }
        if allowed.is_user_pass_plaintext() && mem::take(&mut self.helper) {
            return Cred::credential_helper(&Config::open_default()?, url, user);
        }
        if allowed.is_default() && mem::take(&mut self.negotiate) {
            return Cred::default();
        }
        Err(Error::from_str("the server took none of our keys or passwords"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_tried_once() {
        let keys = [Key::Agent, Key::File("/home/shop/.ssh/id_ed25519".into())];
        let mut credentials = Credentials { keys: keys.into(), helper: true, negotiate: true };
        let mut next =
            || credentials.next("ssh://example.org/shop.git", Some("git"), CredentialType::SSH_KEY);
        assert!(next().is_ok() && next().is_ok());
        let error = next().err().unwrap();
        assert_eq!(error.message(), "the server took none of our keys or passwords");
    }
}
