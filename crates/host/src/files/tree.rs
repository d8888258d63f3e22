//! Whole trees: copied, measured, removed. Links are never followed.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use fs_extra::file::{CopyOptions, TransitProcess, copy_with_progress};
use release_core::event::Progress;
use release_core::host::{HostResult, Kind};
use rustix::fs::ioctl_ficlone;

use super::{failed, kind_of};
use crate::Interruption;

/// Removes whatever stands at `path`.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        result => result,
    }
}

/// Lets the owner change every directory of a tree: package caches are often read-only.
fn open_up(directory: &Path) -> io::Result<()> {
    let mode = fs::symlink_metadata(directory)?.mode();
    fs::set_permissions(directory, Permissions::from_mode(mode | 0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Adds up what trees take on the disk.
#[derive(Default)]
pub(super) struct Size {
    /// Files with several names that were counted.
    counted: HashSet<(u64, u64)>,
}

impl Size {
    pub(super) fn of(&mut self, path: &Path) -> io::Result<u64> {
        let metadata = match fs::symlink_metadata(path) {
            // What is measured may be in use, and files come and go.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            found => found?,
        };
        let linked = !metadata.is_dir() && metadata.nlink() > 1;
        if linked && !self.counted.insert((metadata.dev(), metadata.ino())) {
            return Ok(0);
        }
        let mut bytes = metadata.blocks() * 512;
        if metadata.is_dir() {
            for entry in fs::read_dir(path)? {
                bytes += self.of(&entry?.path())?;
            }
        }
        Ok(bytes)
    }
}

/// Copies a tree.
///
/// `fs_extra` copies the bytes of each file and tells how far it is; its own copy of a whole
/// directory would follow links, lose modes and refuse names that are not UTF-8.
pub(super) struct Copy<'a> {
    progress: &'a dyn Fn(Progress),
    interruption: &'a Interruption,
    options: CopyOptions,
    done: Cell<u64>,
    cannot_clone: Cell<bool>,
    total: u64,
}

impl<'a> Copy<'a> {
    pub(super) fn new(
        from: &Path,
        progress: &'a dyn Fn(Progress),
        interruption: &'a Interruption,
    ) -> HostResult<Self> {
        let total = bytes(from).map_err(failed("measure", from))?;
        Ok(Self {
            progress,
            interruption,
            options: CopyOptions::new().buffer_size(1 << 20),
            done: Cell::new(0),
            cannot_clone: Cell::new(false),
            total,
        })
    }

    pub(super) fn tree(&self, from: &Path, to: &Path) -> HostResult<()> {
        self.interruption.check()?;
        let metadata = fs::symlink_metadata(from).map_err(failed("read", from))?;
        match kind_of(metadata.file_type()) {
            Kind::Directory => self.directory(from, to)?,
            Kind::File => self.file(from, to).map_err(failed("copy", from))?,
            Kind::Link => {
                fs::read_link(from).and_then(|target| symlink(target, to)).map_err(failed("copy", from))?
            }
            // A socket or a fifo means nothing without the process behind it.
            Kind::Other => return Ok(()),
        }
        keep(&metadata, to).map_err(failed("set the owner and mode of", to))
    }

    fn directory(&self, from: &Path, to: &Path) -> HostResult<()> {
        fs::create_dir(to).map_err(failed("make the directory", to))?;
        for entry in fs::read_dir(from).map_err(failed("list", from))? {
            let name = entry.map_err(failed("list", from))?.file_name();
            self.tree(&from.join(&name), &to.join(&name))?;
        }
        Ok(())
    }

    fn file(&self, from: &Path, to: &Path) -> io::Result<()> {
        let before = self.done.get();
        let tell = |file: TransitProcess| {
            self.done.set(before + file.copied_bytes);
            (self.progress)(Progress { done: self.done.get(), total: self.total, unit: "bytes" });
        };
        if let Some(bytes) = self.clone(from, to)? {
            tell(TransitProcess { copied_bytes: bytes, total_bytes: bytes });
            return Ok(());
        }
        copy_with_progress(from, to, &self.options, tell).map(|_| ()).map_err(cause)
    }

    /// Makes `to` share the blocks of `from` until one of them is written, where the file system
    /// can, and says of how many bytes; `None`, and nothing is there, where it cannot.
    fn clone(&self, from: &Path, to: &Path) -> io::Result<Option<u64>> {
        if self.cannot_clone.get() {
            return Ok(None);
        }
        let (source, target) = (File::open(from)?, File::create_new(to)?);
        if ioctl_ficlone(&target, &source).is_ok() {
            return Ok(Some(source.metadata()?.len()));
        }
        self.cannot_clone.set(true);
        fs::remove_file(to)?;
        Ok(None)
    }
}

fn bytes(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(if metadata.is_file() { metadata.len() } else { 0 });
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + bytes(&entry?.path())?))
}

/// Gives the copy the owner and mode of what it was copied from. Only root may give files away.
fn keep(metadata: &Metadata, to: &Path) -> io::Result<()> {
    match lchown(to, Some(metadata.uid()), Some(metadata.gid())) {
        Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
        _ => {}
    }
    if metadata.is_symlink() { Ok(()) } else { fs::set_permissions(to, metadata.permissions()) }
}

fn cause(error: fs_extra::error::Error) -> io::Error {
    use fs_extra::error::ErrorKind as Cause;
    let text = error.to_string();
    match error.kind {
        Cause::Io(error) => error,
        Cause::NotFound => ErrorKind::NotFound.into(),
        Cause::PermissionDenied => ErrorKind::PermissionDenied.into(),
        Cause::AlreadyExists => ErrorKind::AlreadyExists.into(),
        _ => io::Error::other(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_tree_can_be_opened_up() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        symlink("/", inner.join("link")).unwrap();
        let before = fs::metadata("/").unwrap().mode();
        for directory in [inner.as_path(), &root.path().join("a")] {
            fs::set_permissions(directory, Permissions::from_mode(0o500)).unwrap();
        }
        open_up(&root.path().join("a")).unwrap();
        assert_eq!(fs::metadata(&inner).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata("/").unwrap().mode(), before, "links are not followed");
        remove(&root.path().join("a")).unwrap();
        assert!(!inner.exists());
    }
}
