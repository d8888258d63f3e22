//! One run at a time: an flock, which the kernel gives back however we end.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use release_core::host::{Clock, HostError, Services};
use release_core::layout::Layout;
use release_core::revision::Revision;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::UnixHost;
use crate::files::{failed, parent};

/// How often a waiting run asks again.
const POLL: Duration = Duration::from_millis(50);
/// Who only looks holds the lock for a moment, which must not refuse a run.
const GLANCES: u32 = 10;
const GLANCE: Duration = Duration::from_millis(10);

/// Who holds the lock, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Whose it is.
    pub user: String,
    /// Since when.
    pub since: Timestamp,
    /// What it does: `deploy`, `rollback`, `prune` ….
    pub action: String,
    /// The revision that it is about, a full sha or as it was asked for.
    pub revision: Option<String>,
    /// The step that it is at.
    pub step: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "{} (pid {}) since {since}: {}", self.user, self.pid, self.action)?;
        if let Some(revision) = &self.revision {
            let sha: Option<Revision> = revision.parse().ok();
            write!(f, " of {}", sha.as_ref().map_or(revision.as_str(), Revision::short))?;
        }
        self.step.as_ref().map_or(Ok(()), |step| write!(f, ", at step {step}"))
    }
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("locked by {}", .holder.as_ref().map_or("another run".to_owned(), Holder::to_string))]
    Held {
        /// Which; `None` if it has not said so yet.
        holder: Option<Holder>,
    },
    /// The lock file could not be used, or the waiting was interrupted.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl LockError {
    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            LockError::Held { .. } => {
                Some("wait for it with `--wait`, or watch it with `release status`".to_owned())
            }
            LockError::Host(error) => error.help(),
        }
    }
}

/// The right to change this root. Dropping it gives it back.
#[derive(Debug)]
pub struct Lock {
    file: File,
    holder: Mutex<Holder>,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub fn acquire(layout: &Layout, holder: &Holder) -> Result<Self, LockError> {
        let path = layout.lock();
        let file = open(&path).map_err(failed("open", &path))?;
        if !take(&file).map_err(failed("lock", &path))? {
            return Err(LockError::Held { holder: read(&file) });
        }
        let lock = Self { file, holder: Mutex::new(holder.clone()) };
        lock.tell(|_| {});
        Ok(lock)
    }

    /// Takes the lock as soon as it is free; says who has it if that is not within `limit`. What is ending
    /// meanwhile gets its further signals in time.
    pub fn wait(
        layout: &Layout,
        holder: &Holder,
        limit: Duration,
        host: &UnixHost,
    ) -> Result<Self, LockError> {
        let end = host.elapsed() + limit;
        loop {
            match Self::acquire(layout, &Holder { since: host.now(), ..holder.clone() }) {
                Err(LockError::Held { .. }) if host.elapsed() < end => {
                    host.climb()?;
                    host.pause(POLL)?;
                }
                result => return result,
            }
        }
    }

    /// Looks whether the lock is free, without keeping anyone from it.
    pub fn probe(layout: &Layout) -> Result<(), LockError> {
        let path = layout.lock();
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file.map_err(failed("open", &path))?,
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held { holder: read(&file) }),
            Err(error) => Err(failed("lock", &path)(error.into()).into()),
        }
    }

    /// Who holds the lock; `None` when nobody does, or has not said so yet.
    pub fn holder(layout: &Layout) -> Option<Holder> {
        match Self::probe(layout) {
            Err(LockError::Held { holder }) => holder,
            _ => None,
        }
    }

    /// Tells others which step the run is at.
    pub fn step(&self, step: &str) {
        self.tell(|holder| holder.step = Some(step.to_owned()));
    }

    /// Tells others which revision the run is about.
    pub fn revision(&self, revision: &Revision) {
        self.tell(|holder| holder.revision = Some(revision.to_string()));
    }

    fn tell(&self, change: impl FnOnce(&mut Holder)) {
        let mut holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut holder);
        // It is only said for people: a full disk must not keep anyone from making room.
        let _ = write(&self.file, &holder);
    }
}

pub(crate) fn open(path: &Path) -> io::Result<File> {
    fs::create_dir_all(parent(path))?;
    // Close-on-exec, as std opens everything: a child that outlives us does not hold the lock.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Whether `file` is ours now.
pub(crate) fn take(file: &File) -> io::Result<bool> {
    for glance in 0..GLANCES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) if glance + 1 < GLANCES => thread::sleep(GLANCE),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// In place, for the lock is on this very file. Whoever reads meanwhile may see half of it.
fn write(file: &File, holder: &Holder) -> io::Result<()> {
    let mut text = serde_json::to_vec(holder)?;
    text.push(b'\n');
    file.write_all_at(&text, 0)?;
    file.set_len(text.len() as u64)
}

fn read(file: &File) -> Option<Holder> {
    let mut text = vec![0; file.metadata().ok()?.len().try_into().ok()?];
    file.read_exact_at(&mut text, 0).ok()?;
    // After the first line stands what a longer one left, until it is cut off.
    serde_json::from_slice(text.split(|byte| *byte == b'\n').next()?).ok()
}

#[cfg(test)]
mod tests;
