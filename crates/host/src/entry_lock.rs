//! One run of an entry of cron at a time: an flock that its command holds, too.

use std::fs::File;
use std::io;
use std::path::Path;

use release_core::host::HostResult;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::files::failed;
use crate::lock;

/// The right to run an entry. It is given back when this is dropped and every process has ended
/// that was started meanwhile: a killed `release` does not let a second run begin beside the first.
#[derive(Debug)]
pub struct EntryLock {
    _file: File,
}

impl EntryLock {
    /// Takes it; `None` while a run of the entry holds it.
    pub fn take(path: &Path) -> HostResult<Option<Self>> {
        let file = lock::open(path).map_err(failed("open", path))?;
        if !lock::take(&file).map_err(failed("lock", path))? {
            return Ok(None);
        }
        // Inherited by what is started from now on.
        fcntl_setfd(&file, FdFlags::empty()).map_err(io::Error::from).map_err(failed("keep", path))?;
        Ok(Some(Self { _file: file }))
    }

    /// Whether a run of the entry holds it, without keeping one from beginning.
    pub fn is_held(path: &Path) -> bool {
        let held = |file: File| flock(&file, FlockOperation::NonBlockingLockShared);
        File::open(path).is_ok_and(|file| held(file) == Err(rustix::io::Errno::WOULDBLOCK))
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn it_is_held_as_long_as_the_command_runs_whatever_becomes_of_its_parent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cron/clear.lock");
        assert!(!EntryLock::is_held(&path));
        let lock = EntryLock::take(&path).unwrap().unwrap();
        assert!(EntryLock::is_held(&path));
        assert!(EntryLock::take(&path).unwrap().is_none());
        let mut command = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        drop(lock);
        assert!(EntryLock::take(&path).unwrap().is_none());
        drop(command.stdin.take());
        command.wait().unwrap();
        assert!(EntryLock::take(&path).unwrap().is_some());
    }
}
