//! What is known of the last run of an entry.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::release::ReleaseId;

/// The format that is written today.
const VERSION: u32 = 1;

/// The last run of an entry, under way or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// The format.
    pub version: u32,
    /// The release that it ran from.
    pub release: ReleaseId,
    /// When it began.
    pub started_at: Timestamp,
    /// The minute, since 1970, for which cron began the last run that it began.
    pub minute: Option<i64>,
    /// How it ended; `None` while it runs, or when `release` was killed meanwhile.
    pub ended: Option<Ended>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Its exit code; `None` when a signal ended it or it could not begin.
    pub exit_code: Option<i32>,
    /// Why it failed, and the last lines that it printed; empty when it did not fail.
    pub failure: Vec<String>,
}

impl LastRun {
    /// A run that begins now; by cron, if it is `scheduled`, after `last`.
    pub fn begin(release: ReleaseId, now: Timestamp, scheduled: bool, last: Option<&Self>) -> Self {
        let minute = if scheduled { Some(minute(now)) } else { last.and_then(|last| last.minute) };
        Self { version: VERSION, release, started_at: now, minute, ended: None }
    }

    /// Whether cron began a run in the minute of `now` already: two crontabs may have its line.
    pub fn is_of(&self, now: Timestamp) -> bool {
        self.minute == Some(minute(now))
    }

    /// How it failed, if it did.
    pub fn failed(&self) -> Option<&Ended> {
        self.ended.as_ref().filter(|ended| ended.exit_code != Some(0))
    }
}

fn minute(moment: Timestamp) -> i64 {
    moment.as_second().div_euclid(60)
}
