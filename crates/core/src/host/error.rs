//! Why the machine did not do what was asked, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why the machine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as it reads after "cannot".
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`")]
    Spawn {
        /// As it was to be called.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A deadline passed.
    #[error("{what} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The run was asked to stop.
    #[error("interrupted by {0}")]
    Interrupted(String),
    /// git could not do it.
    #[error("{what}")]
    Git {
        /// What was tried, and with which repository.
        what: String,
        /// What to do about it.
        help: Option<String>,
        /// What git said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The process manager could not do it.
    #[error("the process manager {what}")]
    Services {
        /// What went wrong, as it reads after "the process manager".
        what: String,
        /// What to do about it.
        help: Option<String>,
        /// The cause, where there is one.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A process could not be given what its service asks for.
    #[error("cannot {what}")]
    Setting {
        /// What was tried, as it reads after "cannot".
        what: String,
        /// What to do about it.
        help: Option<String>,
        /// What the system said.
        source: io::Error,
    },
    /// The user's crontab could not be read or written.
    #[error("the crontab cannot be {what}")]
    Crontab {
        /// What was tried and why it failed, as it reads after "cannot be".
        what: String,
        /// What to do about it.
        help: String,
    },
    /// An HTTP request was not answered.
    #[error("no answer from {address}")]
    NoAnswer {
        /// Who was asked.
        address: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl HostError {
    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            HostError::Git { help, .. }
            | HostError::Services { help, .. }
            | HostError::Setting { help, .. } => help.clone(),
            HostError::Crontab { help, .. } => Some(help.clone()),
            HostError::Io { source, path, .. } => match source.kind() {
                // The file itself may not be there yet.
                io::ErrorKind::StorageFull => {
                    let place = path.parent().unwrap_or(path).display();
                    Some(format!("free some space or inodes: `df -h {place}; df -i {place}`"))
                }
                io::ErrorKind::InvalidData => Some(format!(
                    "if a newer `release` wrote it, use that one; else mend it: `less {}`",
                    path.display()
                )),
                io::ErrorKind::ReadOnlyFilesystem => {
                    Some(format!("make it writable: `findmnt -T {}` says how it is mounted", path.display()))
                }
                io::ErrorKind::PermissionDenied => Some(format!(
                    "is this the user who deploys? look at who may: `ls -ld {}`",
                    path.display()
                )),
                _ => None,
            },
            HostError::Spawn { program, source } if source.kind() == io::ErrorKind::NotFound => {
                Some(format!("install it, or put it on PATH: `command -v {program}`"))
            }
            _ => None,
        }
    }
}
