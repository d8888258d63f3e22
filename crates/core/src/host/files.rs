//! Files, directories and links.

use std::path::{Path, PathBuf};

use super::HostResult;
use crate::event::Progress;

/// What stands at a path; links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink.
    Link,
    /// A socket, a device, a fifo.
    Other,
}

/// What is free on a file system for this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes.
    pub bytes: u64,
    /// Inodes; `u64::MAX` on a file system that does not count them.
    pub inodes: u64,
}

/// Files, directories and links.
pub trait Files {
    /// The contents of a file; `None` when nothing is there.
    fn read(&self, path: &Path) -> HostResult<Option<Vec<u8>>>;
    /// Replaces a file atomically: written beside it, synced, renamed. Makes its directory.
    fn write(&self, path: &Path, contents: &[u8], mode: u32) -> HostResult<()>;
    /// Makes a file where nothing stands. It is not synced by itself: for a part of what [`sync`](Files::sync)
    /// puts onto the disk as a whole, before anybody relies on it.
    fn make_file(&self, path: &Path, contents: &[u8], mode: u32) -> HostResult<()>;
    /// Makes a directory and its parents; fine when it exists.
    fn make_dir(&self, path: &Path) -> HostResult<()>;
    /// What stands at `path` itself; `None` when nothing does.
    fn kind(&self, path: &Path) -> HostResult<Option<Kind>>;
    /// What a symlink holds; `None` when `path` is absent or no link.
    fn read_link(&self, path: &Path) -> HostResult<Option<PathBuf>>;
    /// `path` with every link followed; `None` when it leads nowhere.
    fn resolve(&self, path: &Path) -> HostResult<Option<PathBuf>>;
    /// Points `link` at `target` in one rename(2) and syncs its directory. Refuses to replace
    /// what is no link. Makes its directory.
    fn replace_link(&self, link: &Path, target: &Path) -> HostResult<()>;
    /// The entries of a directory, sorted; none when it is absent.
    fn list(&self, directory: &Path) -> HostResult<Vec<PathBuf>>;
    /// Renames within one file system. Makes the directory of `to`.
    fn rename(&self, from: &Path, to: &Path) -> HostResult<()>;
    /// Removes a file, a link or a whole tree; fine when it is absent. Links are not followed.
    fn remove(&self, path: &Path) -> HostResult<()>;
    /// Copies a tree to a place that does not exist yet, keeping modes and links.
    fn copy_tree(&self, from: &Path, to: &Path, progress: &dyn Fn(Progress)) -> HostResult<()>;
    /// Gives a file a second name, by a hard link where that can be, else by a copy. Makes the
    /// directory of `to`, where nothing stands yet.
    fn link_file(&self, from: &Path, to: &Path) -> HostResult<()>;
    /// Writes everything on the file system of `path` to the disk.
    fn sync(&self, path: &Path) -> HostResult<()>;
    /// The bytes that a tree takes on the disk; 0 when it is absent. Links are not followed.
    fn size(&self, path: &Path) -> HostResult<u64>;
    /// What is free where `path` (or its nearest existing parent) is.
    fn space(&self, path: &Path) -> HostResult<Space>;
    /// Whether this user may write in the directory `path` (or its nearest existing parent).
    fn is_writable(&self, path: &Path) -> HostResult<bool>;
}
