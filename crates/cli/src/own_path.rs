//! Where this program is: the process manager and git call it by that path.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The path of this program.
pub(crate) fn find() -> Result<PathBuf, Error> {
    let own =
        std::env::current_exe().map_err(|error| Error::Bug(format!("cannot find my own path: {error}")))?;
    Ok(successor(&own).unwrap_or(own))
}

/// The kernel adds ` (deleted)` for a program that was replaced while it runs, as by an upgrade.
fn successor(own: &Path) -> Option<PathBuf> {
    let bytes = own.as_os_str().as_bytes().strip_suffix(b" (deleted)")?;
    Some(PathBuf::from(OsStr::from_bytes(bytes))).filter(|path| !own.exists() && path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgraded_program_is_called_by_the_name_of_its_successor() {
        let home = tempfile::tempdir().unwrap();
        let (own, gone) = (home.path().join("release"), home.path().join("release (deleted)"));
        assert_eq!(successor(&gone), None);
        std::fs::write(&own, "").unwrap();
        assert_eq!(successor(&gone), Some(own.clone()));
        assert_eq!(successor(&own), None);
        std::fs::write(&gone, "").unwrap();
        assert_eq!(successor(&gone), None, "that is its name");
    }
}
