//! How a tree was when it was checked out, as far as another one wants the same.

use std::io;
use std::path::Path;

use super::list::List;
use super::paths::Numbers;
use super::record::{self, Known, Stamp};

/// What stands already, by the numbers of a list.
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
        let (directories, entries) = (vec![None; list.directories.len()], vec![None; list.len()]);
        Self { top: false, directories, entries }
    }
}

/// What is noted of a tree.
#[derive(Debug)]
pub(super) struct Noted {
    /// The mode of the top.
    pub mode: Option<u32>,
    /// What of it is wanted.
    pub as_it_was: Taken,
}

/// What is wanted, by its path.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    list: &'a List,
    pub directories: Numbers<'a>,
    pub entries: Numbers<'a>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(list: &'a List) -> Self {
        Self { list, directories: Numbers::of(&list.directories), entries: Numbers::of(&list.paths) }
    }

    /// What the record notes of what is wanted; `None` if it cannot be believed.
    pub(super) fn noted(&self, record: &Path) -> io::Result<Option<Noted>> {
        let mut noted = Noted { mode: None, as_it_was: Taken::nothing(self.list) };
        let whole = record::read(record, &mut |path, known| match known {
            Known::Directory(mode) if path == Path::new("") => noted.mode = Some(mode),
            Known::Directory(mode) => {
                if let Some(number) = self.directories.get(path) {
                    noted.as_it_was.directories[number] = Some(mode);
                }
            }
            Known::File(id, stamp) => {
                if let Some(number) = self.entries.get(path) {
                    let entry = self.list.entry(number);
                    let same = entry.id == id && stamp.fits(entry.mode);
                    noted.as_it_was.entries[number] = same.then_some(stamp);
                }
            }
        })?;
        Ok(whole.then_some(noted))
    }
}
