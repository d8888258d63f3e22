//! The fake machine: its parts, its clock, and the ways in which it goes wrong on demand.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use release_core::host::{Clock, HostError, HostResult, Space};

use crate::accounts::People;
use crate::crontab::Table;
use crate::git::Repository;
use crate::locks::Taken;
use crate::network::Net;
use crate::processes::Shell;
use crate::services::Manager;
use crate::tree::Tree;

/// What a thread unwinds with when [`FakeHost::die_at`] or a journal ends it: a kill -9.
#[derive(Debug)]
pub struct Killed;

/// A machine in memory.
#[derive(Debug)]
pub struct FakeHost {
    pub(crate) tree: Mutex<Tree>,
    pub(crate) shell: Mutex<Shell>,
    pub(crate) people: Mutex<People>,
    pub(crate) repository: Mutex<Repository>,
    pub(crate) net: Mutex<Net>,
    pub(crate) manager: Mutex<Manager>,
    pub(crate) crontab: Mutex<Table>,
    pub(crate) disk: Mutex<Disk>,
    pub(crate) taken: Arc<Mutex<Taken>>,
    fate: Mutex<Fate>,
}

#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) space: Space,
    pub(crate) unwritable: BTreeSet<PathBuf>,
}

/// What has happened, and what is to go wrong.
#[derive(Debug, Default)]
struct Fate {
    elapsed: Duration,
    effects: Vec<String>,
    failing: Vec<(&'static str, String)>,
    interrupted: bool,
    ignores_interruptions: bool,
    dies_at: Option<usize>,
}

/// A test that failed while it held a lock says nothing of what is behind it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for FakeHost {
    fn default() -> Self {
        let space = Space { bytes: 100 << 30, inodes: 1 << 20 };
        Self {
            tree: Mutex::default(),
            shell: Mutex::default(),
            people: Mutex::default(),
            repository: Mutex::default(),
            net: Mutex::default(),
            manager: Mutex::default(),
            crontab: Mutex::default(),
            disk: Mutex::new(Disk { space, unwritable: BTreeSet::new() }),
            taken: Arc::default(),
            fate: Mutex::default(),
        }
    }
}

impl FakeHost {
    /// An empty machine at 2026-11-20 10:15 UTC.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every `operation` (a method of a host trait, such as `replace_link`) fails.
    pub fn fail_on(&self, operation: &'static str) {
        self.fail_at(operation, "");
    }

    /// Like [`FakeHost::fail_on`], only where the path or program contains `part`.
    pub fn fail_at(&self, operation: &'static str, part: &str) {
        lock(&self.fate).failing.push((operation, part.to_owned()));
    }

    /// Nothing fails, dies or is interrupted any more.
    pub fn heal(&self) {
        let mut fate = lock(&self.fate);
        fate.failing.clear();
        fate.interrupted = false;
        fate.dies_at = None;
    }

    /// Dies (unwinds with [`Killed`]) instead of the effect number `n`, from 0, and of all after it.
    pub fn die_at(&self, n: usize) {
        lock(&self.fate).dies_at = Some(n);
    }

    /// Every effect so far, in order: `write /srv/shop/…`, `run npm ci`, `start web-…`.
    pub fn effects(&self) -> Vec<String> {
        lock(&self.fate).effects.clone()
    }

    /// As if somebody had pressed Ctrl-C.
    pub fn interrupt(&self) {
        lock(&self.fate).interrupted = true;
    }

    /// Whether [`Clock::ignore_interruptions`] was called.
    pub fn ignores_interruptions(&self) -> bool {
        lock(&self.fate).ignores_interruptions
    }

    /// Lets time go by.
    pub fn advance(&self, duration: Duration) {
        lock(&self.fate).elapsed += duration;
    }

    /// A read: may fail on demand.
    pub(crate) fn ask(&self, operation: &'static str, path: &Path) -> HostResult<()> {
        let text = path.display().to_string();
        match lock(&self.fate).failing.iter().any(|(name, part)| *name == operation && text.contains(part)) {
            true => Err(io_error(operation, path, io::Error::other("on demand"))),
            false => Ok(()),
        }
    }

    /// An effect: recorded, and the moment to fail or to die.
    pub(crate) fn act(&self, operation: &'static str, on: impl AsRef<Path>) -> HostResult<()> {
        self.ask(operation, on.as_ref())?;
        let mut fate = lock(&self.fate);
        if fate.dies_at.is_some_and(|n| fate.effects.len() >= n) {
            drop(fate);
            std::panic::resume_unwind(Box::new(Killed));
        }
        fate.effects.push(format!("{operation} {}", on.as_ref().display()));
        Ok(())
    }

    pub(crate) fn check_interruption(&self) -> HostResult<()> {
        let fate = lock(&self.fate);
        if fate.interrupted && !fate.ignores_interruptions {
            return Err(HostError::Interrupted("SIGINT".to_owned()));
        }
        Ok(())
    }
}

pub(crate) fn io_error(action: &'static str, path: &Path, source: io::Error) -> HostError {
    HostError::Io { action, path: path.to_owned(), source }
}

impl Clock for FakeHost {
    fn now(&self) -> Timestamp {
        const START: i64 = 1_795_169_700; // 2026-11-20T10:15:00Z
        let start = Timestamp::from_second(START).expect("the start is a valid time");
        start + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        lock(&self.fate).elapsed
    }

    fn pause(&self, duration: Duration) -> HostResult<()> {
        self.advance(duration);
        self.check_interruption()
    }

    fn ignore_interruptions(&self) {
        lock(&self.fate).ignores_interruptions = true;
    }
}
