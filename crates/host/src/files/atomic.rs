//! Replacing by rename: whoever looks sees the old or the new, also after a power loss.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::parent;

/// Replaces the file at `path`.
pub(super) fn write(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let directory = parent(path);
    let mut file = tempfile::Builder::new().prefix(&beside(path)).tempfile_in(directory)?;
    file.write_all(contents)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Makes `link` a symlink that holds `target`.
pub(super) fn replace_link(link: &Path, target: &Path) -> io::Result<()> {
    let directory = parent(link);
    let made =
        tempfile::Builder::new().prefix(&beside(link)).make_in(directory, |path| symlink(target, path))?;
    made.into_temp_path().persist(link).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Writes the names in a directory to the disk.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// How the temporary name begins: hidden, and it tells what it was for.
fn beside(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name
}
