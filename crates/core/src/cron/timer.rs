//! What systemd is told of an entry, where its timers run the entries.

use serde::{Deserialize, Serialize};

use super::{Entry, Schedule};
use crate::config::Scope;

/// An entry, as a timer of systemd runs it. Like a line of a crontab it names no release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Whose systemd, which is not left open.
    pub scope: Scope,
    /// The name of the entry.
    pub entry: String,
    /// When it fires; what the active release has otherwise does not run by it.
    pub at: Schedule,
    /// How it calls `release`.
    pub program: String,
}

impl Timer {
    /// The timer of `entry`, which calls `program`.
    pub fn of(entry: &Entry, scope: Scope, program: &str) -> Self {
        let (name, at) = (entry.name.clone(), entry.at.clone());
        Self { scope, entry: name, at, program: program.to_owned() }
    }
}
