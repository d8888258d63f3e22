//! Where new files go: a directory stays open for all that goes into it, so that no path is walked for each.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, open, openat, symlinkat, unlinkat};

/// A tree that is being written, by one thread.
pub(super) struct Places<'a> {
    tree: &'a Path,
    /// The directory that was used last, by its bytes: to compare paths as such would read each of their parts.
    last: Option<(&'a [u8], OwnedFd)>,
}

impl<'a> Places<'a> {
    pub(super) fn in_tree(tree: &'a Path) -> Self {
        Self { tree, last: None }
    }

    /// Makes the file at `path`: never through a link and never over a file.
    pub(super) fn file(&mut self, path: &'a Path, bits: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let (directory, name) = self.at(path)?;
        Ok(openat(directory, name, flags, Mode::from_raw_mode(bits))?.into())
    }

    /// Makes the link at `path`: never over anything.
    pub(super) fn link(&mut self, path: &'a Path, target: &[u8]) -> io::Result<()> {
        let (directory, name) = self.at(path)?;
        Ok(symlinkat(OsStr::from_bytes(target), directory, name)?)
    }

    /// Removes what was just made at `path`.
    pub(super) fn remove(&mut self, path: &'a Path) -> io::Result<()> {
        let (directory, name) = self.at(path)?;
        Ok(unlinkat(directory, name, AtFlags::empty())?)
    }

    fn at(&mut self, path: &'a Path) -> io::Result<(&OwnedFd, &'a OsStr)> {
        let bytes = path.as_os_str().as_bytes();
        let (directory, name) = match bytes.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&bytes[..slash], &bytes[slash + 1..]),
            None => (&bytes[..0], bytes),
        };
        let last = match self.last.take() {
            Some((last, open)) if last == directory => (last, open),
            _ => (directory, self.open(directory)?),
        };
        Ok((&self.last.insert(last).1, OsStr::from_bytes(name)))
    }

    fn open(&self, directory: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(open(self.tree.join(OsStr::from_bytes(directory)), flags, Mode::empty())?)
    }
}
