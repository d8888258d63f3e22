//! Locks between the runs of several roots.

use std::any::Any;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::HostResult;
use crate::run::RunId;

/// A lock that is held until this is dropped.
pub struct Held {
    /// The run that was killed while it held the lock, if the last one was.
    pub killed: Option<RunId>,
    _guard: Box<dyn Any + Send>,
}

impl Held {
    /// What `guard` gives back when it is dropped.
    pub fn new(killed: Option<RunId>, guard: impl Any + Send) -> Self {
        Self { killed, _guard: Box::new(guard) }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("killed", &self.killed).finish_non_exhaustive()
    }
}

/// Who holds a lock, for those who wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// What it does, as it reads after "waiting for": `/srv/shop, which builds a venv`.
    pub what: String,
}

/// Locks between the runs of several roots. The kernel gives them back, however a run ends.
pub trait Locks {
    /// Waits for the lock at `path` and holds it; `waiting` hears of each other holder once.
    fn hold(&self, path: &Path, holder: &Holder, waiting: &dyn Fn(&str)) -> HostResult<Held>;
    /// Holds the lock at `path` if nobody else does.
    fn try_hold(&self, path: &Path, holder: &Holder) -> HostResult<Option<Held>>;
}
