//! A command as a value: built by pure functions, run elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::host::Account;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one who may know it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Environment variables; their values are secrets until proved otherwise.
pub type Variables = BTreeMap<String, Secret>;

/// What a command inherits besides its own variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    /// Almost everything: what installs needs the proxy and registry settings of the user.
    All,
    /// What leads to other machines: with more of the caller's the next caller would build another bundle.
    Network,
    /// Nothing: the app's own commands see the environment that its services see.
    Nothing,
}

/// Proxies and certificates, in capitals or not.
const NETWORK: [&str; 7] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// By it npm leaves out what the front end is built with, as the app's own may ask for.
const NODE_ENV: &str = "NODE_ENV";

impl Inherit {
    /// Whether a command sees the caller's variable `name`.
    pub fn takes(self, name: &str) -> bool {
        match self {
            // Inside a hook git sets its own, and they would send every git command to the wrong repository.
            Inherit::All => !name.starts_with("GIT_") && name != NODE_ENV,
            Inherit::Network => NETWORK.iter().any(|known| known.eq_ignore_ascii_case(name)),
            Inherit::Nothing => false,
        }
    }
}

/// A program, its arguments and its surroundings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// A name to find in `PATH`, or a path.
    pub program: PathBuf,
    /// The arguments, never a shell string.
    pub args: Vec<String>,
    /// The working directory.
    pub directory: PathBuf,
    /// What is added to the environment.
    pub env: Variables,
    /// What the environment begins with.
    pub inherit: Inherit,
    /// How long it may take before it is ended.
    pub limit: Duration,
    /// What it may take of the machine.
    pub share: Share,
    /// As whom it runs, with all groups of that user; `None` for whoever runs this. Takes root.
    pub user: Option<Account>,
}

/// What a command, and each process that it starts, may take of the machine; the default is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How far it stands back for others, from 1 to 19.
    pub nice: Option<u8>,
    /// How many bytes of memory each process may write to (`RLIMIT_DATA`).
    pub memory: Option<u64>,
}

impl Command {
    /// `program` in `directory`, with the caller's environment and an hour's time.
    pub fn new(program: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            directory: directory.into(),
            env: Variables::new(),
            inherit: Inherit::All,
            limit: Duration::from_secs(3600),
            share: Share::default(),
            user: None,
        }
    }

    /// Adds arguments.
    pub fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds variables.
    pub fn env(mut self, env: Variables) -> Self {
        self.env.extend(env);
        self
    }

    /// Adds one variable.
    pub fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), Secret::new(value));
        self
    }

    /// Begins with an empty environment instead of the caller's.
    pub fn isolated(mut self) -> Self {
        self.inherit = Inherit::Nothing;
        self
    }

    /// Begins with what leads to other machines instead of the caller's environment.
    pub fn with_network(mut self) -> Self {
        self.inherit = Inherit::Network;
        self
    }

    /// Takes no more of the machine than `share`.
    pub fn share(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// Runs it as `user`.
    pub fn user(mut self, user: Option<Account>) -> Self {
        self.user = user;
        self
    }

    /// Ends it after `limit`.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.file_name().unwrap_or(self.program.as_os_str());
        let words = std::iter::once(program.to_string_lossy().into_owned()).chain(self.args.iter().cloned());
        f.write_str(&shell_words::join(words))
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it, by number.
    Signal(i32),
}

impl Exit {
    /// Whether it succeeded.
    pub fn success(self) -> bool {
        self == Exit::Code(0)
    }

    /// Whether it was killed, as the kernel does when memory runs out; a shell says so by 137.
    pub fn was_killed(self) -> bool {
        matches!(self, Exit::Signal(9) | Exit::Code(137))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What a shell says of a child that signal 9 ended.
            Exit::Code(137) => f.write_str("exit code 137, as when memory runs out"),
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(9) => f.write_str("killed by signal 9, as when memory runs out"),
            Exit::Signal(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_shows_its_words_and_none_of_its_variables() {
        let command = Command::new("/usr/bin/pip", "/srv").args(["install", "a b"]).var("TOKEN", "hunter2");
        assert_eq!(command.to_string(), "pip install 'a b'");
        assert!(!format!("{command:?}").contains("hunter2"));
    }

    #[test]
    fn what_a_command_sees_of_its_caller() {
        let taken = |inherit: Inherit| {
            let names = ["API", "https_proxy", "NODE_EXTRA_CA_CERTS", "GIT_DIR", "NODE_ENV"];
            names.map(|name| inherit.takes(name))
        };
        assert_eq!(taken(Inherit::All), [true, true, true, false, false]);
        assert_eq!(taken(Inherit::Network), [false, true, true, false, false]);
        assert_eq!(taken(Inherit::Nothing), [false; 5]);
    }
}
