//! The fake machine's locks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use release_core::host::{Clock, Held, Holder, HostResult, Locks};
use release_core::run::RunId;
use std::time::Duration;

use crate::fake_host::{FakeHost, lock};

/// Who holds what, and what killed runs left.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    holders: BTreeMap<PathBuf, Holder>,
    killed: BTreeMap<PathBuf, RunId>,
}

/// Gives a lock back.
struct Guard {
    taken: Arc<Mutex<Taken>>,
    path: PathBuf,
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.taken).holders.remove(&self.path);
    }
}

impl FakeHost {
    /// As if another run held the lock at `path`, for ever.
    pub fn set_held(&self, path: impl Into<PathBuf>, holder: Holder) {
        lock(&self.taken).holders.insert(path.into(), holder);
    }

    /// As if `run` had been killed while it held the lock at `path`.
    pub fn set_killed(&self, path: impl Into<PathBuf>, run: RunId) {
        lock(&self.taken).killed.insert(path.into(), run);
    }
}

impl Locks for FakeHost {
    fn hold(&self, path: &Path, holder: &Holder, waiting: &dyn Fn(&str)) -> HostResult<Held> {
        let mut told = None;
        loop {
            if let Some(held) = self.try_hold(path, holder)? {
                return Ok(held);
            }
            let other = lock(&self.taken).holders.get(path).cloned();
            if other != told {
                waiting(other.as_ref().map_or("another run", |other| &other.what));
                told = other;
            }
            self.pause(Duration::from_millis(50))?;
        }
    }

    fn try_hold(&self, path: &Path, holder: &Holder) -> HostResult<Option<Held>> {
        self.ask("try_hold", path)?;
        let mut taken = lock(&self.taken);
        if taken.holders.contains_key(path) {
            return Ok(None);
        }
        taken.holders.insert(path.to_owned(), holder.clone());
        let killed = taken.killed.remove(path);
        let guard = Guard { taken: Arc::clone(&self.taken), path: path.to_owned() };
        Ok(Some(Held::new(killed, guard)))
    }
}
