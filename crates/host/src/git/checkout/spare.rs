//! Begins a checkout with the tree of a release that is gone: what did not change since need not
//! be written again. Nothing is shared with any release, so nothing can change in two at once.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

use release_core::host::CheckedOut;

use super::list::List;
use super::record::{self, Known, Stamp};
use crate::files;
use crate::processes::holds_open;

/// What stands already, by the numbers of the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Whether the top stands.
    pub top: bool,
    /// The modes of the directories that stand.
    pub directories: Vec<Option<u32>>,
    /// How the files are that stand.
    pub entries: Vec<Option<Stamp>>,
}

impl Taken {
    /// Nothing of `list`.
    pub(super) fn nothing(list: &List) -> Self {
        let (directories, entries) = (vec![None; list.directories.len()], vec![None; list.entries.len()]);
        Self { top: false, directories, entries }
    }
}

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
    wanted.keep(into, Path::new(""), &noted.as_it_was, &mut left)?;
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

/// Where something stands in the list.
#[derive(Clone, Copy)]
enum Number {
    Directory(usize),
    Entry(usize),
}

/// What is wanted, by the bytes of its path: to hash paths as such would read each of their parts.
struct Wanted<'a> {
    list: &'a List,
    numbers: HashMap<&'a [u8], Number>,
}

/// How a tree was when it was checked out, as far as it is wanted.
struct Noted {
    /// The mode of the top.
    mode: Option<u32>,
    as_it_was: Taken,
}

impl<'a> Wanted<'a> {
    fn of(list: &'a List) -> Self {
        let directories = list.directories.iter().enumerate();
        let directories = directories.map(|(number, path)| (bytes(path), Number::Directory(number)));
        let entries = list.entries.iter().enumerate();
        let entries = entries.map(|(number, entry)| (bytes(&entry.path), Number::Entry(number)));
        Self { list, numbers: directories.chain(entries).collect() }
    }

    /// What the record notes of what is wanted; `None` if it cannot be believed.
    fn noted(&self, record: &Path) -> io::Result<Option<Noted>> {
        let mut noted = Noted { mode: None, as_it_was: Taken::nothing(self.list) };
        let whole = record::read(record, &mut |path, known| match (known, self.numbers.get(bytes(path))) {
            (Known::Directory(mode), _) if path == Path::new("") => noted.mode = Some(mode),
            (Known::Directory(mode), Some(Number::Directory(number))) => {
                noted.as_it_was.directories[*number] = Some(mode);
            }
            (Known::File(id, stamp), Some(Number::Entry(number))) => {
                let entry = &self.list.entries[*number];
                let same = entry.id == id && stamp.fits(entry.mode);
                noted.as_it_was.entries[*number] = same.then_some(stamp);
            }
            _ => {}
        })?;
        Ok(whole.then_some(noted))
    }

    /// Keeps in the directory `at` what is wanted and still is as it was, and removes all else.
    fn keep(&self, tree: &Path, at: &Path, as_it_was: &Taken, left: &mut Taken) -> io::Result<()> {
        for entry in fs::read_dir(tree.join(at))? {
            let entry = entry?;
            let path = at.join(entry.file_name());
            // Of the entry itself: links are not followed.
            let metadata = || entry.metadata();
            match self.numbers.get(bytes(&path)) {
                Some(Number::Directory(number)) if is_same(&metadata()?, as_it_was.directories[*number]) => {
                    left.directories[*number] = as_it_was.directories[*number];
                    self.keep(tree, &path, as_it_was, left)?;
                }
                Some(Number::Entry(number))
                    if as_it_was.entries[*number]
                        .is_some_and(|stamp| metadata().is_ok_and(|now| Stamp::of(&now) == stamp)) =>
                {
                    left.entries[*number] = as_it_was.entries[*number];
                }
                _ => files::remove(&entry.path())?,
            }
        }
        Ok(())
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn is_same(now: &fs::Metadata, mode: Option<u32>) -> bool {
    now.is_dir() && Some(now.mode()) == mode
}

/// Fine if it was not there.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
