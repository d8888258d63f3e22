//! What a tree holds: one walk, before anything is written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository, Tree};
use release_core::host::HostResult;

use super::names::Once;
use super::{cannot, refused};

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    File,
    Executable,
    Link,
}

/// A file or a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub mode: Mode,
    pub id: Oid,
}

/// A whole tree, files of one directory next to each other.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Parents before what is in them; the top is left out.
    pub directories: Vec<PathBuf>,
    pub entries: Vec<Entry>,
    /// Where another repository's commit belongs.
    pub modules: Vec<(PathBuf, Oid)>,
    /// Some `.gitattributes` says how files are to be written.
    pub has_attributes: bool,
}

impl List {
    /// Walks the whole tree.
    pub(super) fn of(repository: &Repository, tree: &Tree<'_>) -> HostResult<Self> {
        let mut list = Self::default();
        list.add(repository, tree, Path::new(""))?;
        Ok(list)
    }

    fn add(&mut self, repository: &Repository, tree: &Tree<'_>, at: &Path) -> HostResult<()> {
        let mut names = Once::default();
        let mut below = Vec::new();
        for entry in tree {
            let path = at.join(OsStr::from_bytes(entry.name_bytes()));
            if let Some(why) = names.problem(entry.name_bytes()) {
                return Err(refused(&path, why));
            }
            match entry.filemode_raw() & 0o170_000 {
                0o040_000 => below.push((path, entry.id())),
                0o160_000 => self.modules.push((path, entry.id())),
                0o120_000 => self.entries.push(Entry { path, mode: Mode::Link, id: entry.id() }),
                0o100_000 => self.file(path, entry.filemode_raw(), entry.id()),
                _ => return Err(refused(&path, "it has a mode that git does not know")),
            }
        }
        for (path, id) in below {
            let tree = repository.find_tree(id).map_err(cannot("read", &path))?;
            self.directories.push(path.clone());
            self.add(repository, &tree, &path)?;
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, mode: i32, id: Oid) {
        self.has_attributes |= path.file_name() == Some(OsStr::new(".gitattributes"));
        let mode = if mode & 0o100 == 0 { Mode::File } else { Mode::Executable };
        self.entries.push(Entry { path, mode, id });
    }
}
