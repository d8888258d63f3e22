//! Begins a checkout with the tree of a release that is gone: what did not change since need not
//! be written again. Nothing is shared with any release, so nothing can change in two at once.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

use release_core::host::CheckedOut;

use super::list::List;
use super::noted::{Noted, Taken, Wanted};
use super::record::Stamp;
use crate::files;
use crate::processes::holds_open;

/// Makes the spare tree `into`, without what `list` does not want, and says what is left of it.
/// Where there is none that can be trusted, `into` is not made.
pub(super) fn take_over(spare: &CheckedOut, into: &Path, list: &List) -> io::Result<Taken> {
    // There is none before the first release is pruned.
    if !spare.record.exists() {
        gone(files::remove(&spare.tree))?;
        return Ok(Taken::nothing(list));
    }
    let wanted = Wanted::of(list);
    let noted = noted(&wanted, spare)?;
    // From now on it tells nothing true.
    gone(fs::remove_file(&spare.record))?;
    let Some(noted) = noted else {
        gone(files::remove(&spare.tree))?;
        return Ok(Taken::nothing(list));
    };
    fs::rename(&spare.tree, into)?;
    let mut left = Taken { top: true, ..Taken::nothing(list) };
    keep(&wanted, into, Path::new(""), &noted.as_it_was, &mut left)?;
    Ok(left)
}

/// What is noted of a spare tree that nobody uses.
fn noted(wanted: &Wanted<'_>, spare: &CheckedOut) -> io::Result<Option<Noted>> {
    thread::scope(|scope| {
        // To look at every process takes as long as to read the record.
        let is_idle = scope.spawn(|| holds_open(&spare.tree).is_ok_and(|open| !open));
        let noted = wanted.noted(&spare.record);
        // A process that has a file open could still write to it, in the new release.
        let is_idle = is_idle.join().is_ok_and(|idle| idle);
        Ok(noted?.filter(|noted| is_idle && has_mode(&spare.tree, noted.mode)))
    })
}

fn has_mode(tree: &Path, noted: Option<u32>) -> bool {
    let mode = fs::symlink_metadata(tree).map(|metadata| metadata.mode()).ok();
    mode.is_some() && noted == mode
}

/// Keeps in the directory `at` what is wanted and still is as it was, and removes all else.
fn keep(wanted: &Wanted<'_>, tree: &Path, at: &Path, as_it_was: &Taken, left: &mut Taken) -> io::Result<()> {
    for entry in fs::read_dir(tree.join(at))? {
        let entry = entry?;
        let path = at.join(entry.file_name());
        // Of the entry itself: links are not followed.
        if entry.file_type()?.is_dir() {
            let number = wanted.directories.get(&path);
            match number.filter(|number| has_mode(&entry.path(), as_it_was.directories[*number])) {
                Some(number) => {
                    left.directories[number] = as_it_was.directories[number];
                    keep(wanted, tree, &path, as_it_was, left)?;
                }
                None => files::remove(&entry.path())?,
            }
            continue;
        }
        let is_same = |stamp: Stamp| entry.metadata().is_ok_and(|now| Stamp::of(&now) == stamp);
        let number = wanted.entries.get(&path);
        match number.filter(|number| as_it_was.entries[*number].is_some_and(is_same)) {
            Some(number) => left.entries[number] = as_it_was.entries[number],
            None => files::remove(&entry.path())?,
        }
    }
    Ok(())
}

/// Fine if it was not there.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
