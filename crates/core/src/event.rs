//! What a run tells while it goes on: one stream, read by the screen, the log and JSON.

use serde::Serialize;

use crate::release::ReleaseId;
use crate::revision::Revision;
use crate::run::Action;

/// How far countable work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Done so far.
    pub done: u64,
    /// All there is to do; 0 while unknown.
    pub total: u64,
    /// What is counted, in the plural: `objects`, `files`, `bytes`.
    pub unit: &'static str,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The target release is active.
    Deployed,
    /// It had been active already.
    Unchanged,
    /// Failed before `activate`; users noticed nothing.
    Failed,
    /// Failed after `activate`; the previous release is active again. Also: a rollback that succeeded.
    RolledBack,
    /// The active release runs anew.
    Restarted,
    /// Could not be finished nor undone.
    Stuck,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run begins.
    Started {
        /// Deploy, rollback or restart.
        action: Action,
        /// The release that is to be active.
        release: ReleaseId,
        /// Its commit.
        revision: Revision,
    },
    /// A step begins.
    StepStarted {
        /// Its name in the journal.
        step: String,
        /// What it does, for people.
        describe: String,
    },
    /// A step goes on.
    Progress {
        /// The step.
        step: String,
        /// How far it has come.
        #[serde(flatten)]
        progress: Progress,
    },
    /// A command of a step printed a line.
    Line {
        /// The step.
        step: String,
        /// The line, secrets masked.
        text: String,
    },
    /// A step ended.
    StepEnded {
        /// The step.
        step: String,
        /// How.
        #[serde(flatten)]
        end: StepEnd,
        /// How long it took.
        seconds: f64,
    },
    /// A step takes back what it did.
    UndoStarted {
        /// The step.
        step: String,
    },
    /// It did, or could not.
    UndoEnded {
        /// The step.
        step: String,
        /// Why it could not.
        error: Option<String>,
    },
    /// Something that people should know and that stops nothing.
    Warning {
        /// A lowercase sentence.
        text: String,
    },
    /// The run is over.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// The release it was about.
        release: ReleaseId,
        /// Its commit.
        revision: Revision,
        /// How long it took.
        seconds: f64,
    },
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "end", content = "why", rename_all = "snake_case")]
pub enum StepEnd {
    /// It did its work; the note says what, where that is worth a word.
    Done(Option<String>),
    /// There was nothing to do, and why.
    Skipped(String),
    /// It failed, and why.
    Failed(String),
}

/// Who listens. Steps that run side by side tell it from two threads.
pub trait Observer: Sync {
    /// Takes notice of `event`.
    fn observe(&self, event: &Event);
}
