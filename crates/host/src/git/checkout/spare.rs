//! Begins a checkout with the tree of a release that is gone: what did not change since need not
//! be written again. Nothing is shared with any release, so nothing can change in two at once.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use release_core::host::CheckedOut;

use super::list::{Entry, List};
use super::record::{self, Known, Record};
use super::strip::strip;
use crate::files;
use crate::processes::holds_open;

/// Makes the spare tree `into`, without what `list` does not want, and gives what is left of it.
/// Where there is none that can be trusted, `into` is not made.
pub(super) fn take_over(spare: &CheckedOut, into: &Path, list: &List) -> io::Result<Record> {
    let record = record::read(&spare.record)?.filter(|record| can_be_trusted(&spare.tree, record));
    // From now on it tells nothing true.
    gone(fs::remove_file(&spare.record))?;
    let Some(record) = record else {
        gone(files::remove(&spare.tree))?;
        return Ok(Record::new());
    };
    fs::rename(&spare.tree, into)?;
    let left = strip(into, &record)?;
    drop(record);
    keep_wanted(into, left, list)
}

/// A process that has a file open could still write to it, in the new release.
fn can_be_trusted(tree: &Path, record: &Record) -> bool {
    let mode = fs::symlink_metadata(tree).map(|metadata| metadata.mode()).ok();
    mode.is_some()
        && record.get(Path::new("")).copied() == mode.map(Known::Directory)
        && holds_open(tree).is_ok_and(|open| !open)
}

fn keep_wanted(into: &Path, mut left: Record, list: &List) -> io::Result<Record> {
    let entries: HashMap<&Path, &Entry> =
        list.entries.iter().map(|entry| (entry.path.as_path(), entry)).collect();
    let mut directories: HashSet<&Path> = list.directories.iter().map(AsRef::as_ref).collect();
    directories.insert(Path::new(""));
    let wanted = |path: &Path, known: &Known| match known {
        Known::Directory(_) => directories.contains(path),
        Known::File(id, stamp) => {
            entries.get(path).is_some_and(|entry| entry.id == *id && stamp.fits(entry.mode))
        }
    };
    let mut result = Ok(());
    left.retain(|path, known| {
        let keep = wanted(path, known);
        if !keep && result.is_ok() {
            // It may have gone with its directory.
            result = gone(files::remove(&into.join(path)));
        }
        keep
    });
    result.map(|()| left)
}

/// Fine if it was not there.
pub(super) fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
