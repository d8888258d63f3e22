//! What is known of a program that was asked to end and still finishes what it has.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::host::{Host, HostResult};
use crate::layout::Layout;

/// Kept in a file of its own for each program, so that it outlives the run that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// When it was asked to end.
    pub since: Timestamp,
    /// When it is killed at the latest; `None` where that is not known.
    pub until: Option<Timestamp>,
}

impl Draining {
    /// Asked at `now`, with `patience` until it is killed.
    pub fn new(now: Timestamp, patience: Option<Duration>) -> Self {
        Self { since: now, until: patience.and_then(|patience| now.checked_add(patience).ok()) }
    }

    /// What is known of `program`; `None` when nothing is, or nothing that can be read.
    pub fn read(host: &dyn Host, layout: &Layout, program: &str) -> HostResult<Option<Self>> {
        let json = host.read(&layout.draining(program))?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Writes it where [`Draining::read`] finds it.
    pub fn write(&self, host: &dyn Host, layout: &Layout, program: &str) -> HostResult<()> {
        let json = serde_json::to_vec(self).expect("it has text keys only");
        host.write(&layout.draining(program), &json, 0o644)
    }
}
