//! Locks between runs of several roots, such as those that share a cache: flock, by file.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use release_core::host::{Clock, Held, Holder, HostResult, Locks};
use rustix::fs::{FlockOperation, flock};

use crate::UnixHost;
use crate::files::{failed, parent};

/// When a waiting run asks again: soon at first, as most are held for a moment, and less and less often.
const FIRST_POLL: Duration = Duration::from_millis(1);
const LAST_POLL: Duration = Duration::from_millis(50);

impl Locks for UnixHost {
    fn hold(&self, path: &Path, holder: &Holder, waiting: &dyn Fn(&str)) -> HostResult<Held> {
        let (mut told, mut poll) = (None, FIRST_POLL);
        loop {
            if let Some(held) = self.try_hold(path, holder)? {
                return Ok(held);
            }
            let other = fs::read(path).ok().and_then(|text| parse(&text));
            if other != told {
                waiting(other.as_ref().map_or("another run", |other| &other.what));
                told = other;
            }
            self.pause(poll)?;
            poll = (poll * 2).min(LAST_POLL);
        }
    }

    fn try_hold(&self, path: &Path, holder: &Holder) -> HostResult<Option<Held>> {
        let Some(file) = take(path).map_err(failed("lock", path))? else { return Ok(None) };
        let mut before = Vec::new();
        io::Read::read_to_end(&mut &file, &mut before).map_err(failed("read", path))?;
        // Who ends in order empties the file: what stands there is of a run that was killed.
        let killed = parse(&before).map(|holder| holder.run);
        let note = Note(file);
        note.write(holder);
        Ok(Some(Held::new(killed, note)))
    }
}

/// Says who holds the lock while it lives.
#[derive(Debug)]
struct Note(File);

impl Note {
    /// For people, and for who comes after a kill: a full disk or another user's file keeps nobody
    /// from the lock.
    fn write(&self, holder: &Holder) {
        let text = serde_json::to_vec(holder).expect("a holder is plain data");
        let _ = self.0.set_len(0).and_then(|()| self.0.write_all_at(&text, 0));
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
    }
}

/// The locked file; `None` when somebody else holds it.
fn take(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if is_at(&file, path)? => return Ok(Some(file)),
            // Whoever held it removed it: what others will lock is another file.
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Close-on-exec, as std opens everything: a child that outlives us does not hold the lock.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // Another user's: to lock it needs no right to write.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return File::open(path),
        opened => return opened,
    }
    fs::create_dir_all(parent(path))?;
    let file = options.create(true).truncate(false).open(path)?;
    // Whatever the umask: others may say that they hold it. Only its owner can do that.
    let _ = file.set_permissions(Permissions::from_mode(0o664));
    Ok(file)
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let here = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((here.dev(), here.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whoever reads while it is written sees half of it.
fn parse(text: &[u8]) -> Option<Holder> {
    serde_json::from_slice(text).ok()
}

#[cfg(test)]
mod tests;
