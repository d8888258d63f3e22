//! Takes from a used tree all that was not checked out: what the app made while it ran.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use release_core::host::CheckedOut;

use super::record::{self, Known};
use crate::files;

/// Removes what the tree's record does not name; all of it where the record cannot be believed.
/// Links are not followed, whatever stands where a directory was.
pub(super) fn strip(tree: &CheckedOut) -> io::Result<()> {
    let mut is_directory = HashMap::new();
    let whole = record::read(&tree.record, &mut |path, known| {
        is_directory.insert(path.to_owned(), matches!(known, Known::Directory(_)));
    })?;
    if !whole {
        is_directory.clear();
    }
    directory(&tree.tree, Path::new(""), &is_directory)
}

fn directory(tree: &Path, at: &Path, is_directory: &HashMap<PathBuf, bool>) -> io::Result<()> {
    for entry in fs::read_dir(tree.join(at))? {
        let entry = entry?;
        let path = at.join(entry.file_name());
        // Of the entry itself: links are not followed.
        match (is_directory.get(&path), entry.file_type()?.is_dir()) {
            (Some(true), true) => directory(tree, &path, is_directory)?,
            (Some(false), false) => {}
            _ => files::remove(&entry.path())?,
        }
    }
    Ok(())
}
