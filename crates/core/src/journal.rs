//! The journal: every step's start and end, recorded and synced before the effect.
//!
//! One JSON object a line. Old journals parse for ever: `fixtures/journals` keeps one of each format.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::host::HostError;
use crate::release::Generation;
use crate::revision::Revision;
use crate::run::{Action, RunId};

/// The format that is written today.
pub const VERSION: u32 = 1;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The format, [`VERSION`].
    #[serde(rename = "v")]
    pub version: u32,
    /// When it was written.
    pub at: Timestamp,
    /// The run that wrote it.
    pub run: RunId,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A run begins.
    Begin {
        /// What it does.
        action: Action,
        /// The processes it boots, and with them the release.
        generation: Generation,
        /// The release's commit.
        revision: Revision,
        /// What served before.
        previous: Option<Generation>,
        /// As what its workers come back if the run is taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stand_in: Option<Generation>,
        /// Who asked for it.
        by: String,
    },
    /// A step reached a mark.
    Step {
        /// The step's id.
        step: String,
        /// Which mark.
        mark: Mark,
        /// Why, where there is a why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The run is over.
    End {
        /// How.
        outcome: End,
        /// Why, where it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It is about to act.
    Started,
    /// It did its work.
    Succeeded,
    /// It had nothing to do.
    Skipped,
    /// It failed, perhaps half way.
    Failed,
    /// It is about to be taken back.
    UndoStarted,
    /// It was taken back.
    Undone,
    /// It could not be.
    UndoFailed,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The target is active.
    Activated,
    /// Taken back before `activate`.
    Undone,
    /// Taken back after `activate`.
    FlippedBack,
}

/// Where records are kept. Steps that run side by side append from two threads.
pub trait Journal: Sync {
    /// Appends a record of `run` and returns when it is on the disk.
    fn append(&self, run: &RunId, entry: Entry) -> Result<(), HostError>;
}
