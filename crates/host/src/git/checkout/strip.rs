//! Takes from a used tree all that is not as it was checked out.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::record::{Known, Record, Stamp};
use crate::files;

/// Removes what `record` does not know, and what was changed since, and gives what is left.
/// Links are not followed, whatever stands where a directory was.
pub(super) fn strip(tree: &Path, record: &Record) -> io::Result<Record> {
    let mut left = Record::with_capacity(record.len());
    let top = Path::new("");
    directory(tree, top, record, &mut left)?;
    // It stands, whatever was in it.
    left.extend(record.get_key_value(top).map(|(path, known)| (path.clone(), *known)));
    Ok(left)
}

fn directory(tree: &Path, at: &Path, record: &Record, left: &mut Record) -> io::Result<()> {
    for entry in fs::read_dir(tree.join(at))? {
        let entry = entry?;
        let path = at.join(entry.file_name());
        // Of the entry itself: links are not followed.
        let metadata = entry.metadata()?;
        match record.get(&path) {
            Some(Known::Directory(mode)) if metadata.is_dir() && metadata.mode() == *mode => {
                directory(tree, &path, record, left)?;
                left.insert(path, Known::Directory(*mode));
            }
            Some(known @ Known::File(_, stamp)) if !metadata.is_dir() && Stamp::of(&metadata) == *stamp => {
                left.insert(path, *known);
            }
            _ => files::remove(&entry.path())?,
        }
    }
    Ok(())
}
