//! Takes from a used tree all that was not checked out: what the app made while it ran.

use std::fs;
use std::io;
use std::path::Path;

use release_core::host::CheckedOut;

use super::paths::{Numbers, Paths};
use super::record::{self, Known};
use crate::files;

/// Removes what the tree's record does not name; all of it where the record cannot be believed.
/// Links are not followed, whatever stands where a directory was.
pub(super) fn strip(tree: &CheckedOut) -> io::Result<()> {
    let (mut directories, mut others) = (Paths::default(), Paths::default());
    let whole = record::read(&tree.record, &mut |path, known| match known {
        Known::Directory(_) => directories.push(path),
        Known::File(..) => others.push(path),
    })?;
    if !whole {
        (directories, others) = (Paths::default(), Paths::default());
    }
    let named = Named { directories: Numbers::of(&directories), others: Numbers::of(&others) };
    named.keep(&tree.tree, Path::new(""))
}

/// What the record names.
struct Named<'a> {
    directories: Numbers<'a>,
    others: Numbers<'a>,
}

impl Named<'_> {
    /// Leaves nothing else in the directory `at`.
    fn keep(&self, tree: &Path, at: &Path) -> io::Result<()> {
        for entry in fs::read_dir(tree.join(at))? {
            let entry = entry?;
            let path = at.join(entry.file_name());
            // Of the entry itself: links are not followed.
            let is_directory = entry.file_type()?.is_dir();
            let named = if is_directory { &self.directories } else { &self.others };
            match named.get(&path) {
                Some(_) if is_directory => self.keep(tree, &path)?,
                Some(_) => {}
                None => files::remove(&entry.path())?,
            }
        }
        Ok(())
    }
}
