//! What a tree holds: one walk, before anything is written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository, Tree};
use release_core::host::HostResult;

use super::names::Once;
use super::paths::Paths;
use super::{cannot, refused};

/// More are an attack: a few trees that hold each other many times over.
const MOST_FILES: usize = 1_000_000;
/// Linux knows no longer path.
const LONGEST_PATH: usize = 4095;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    File,
    Executable,
    Link,
}

impl Mode {
    /// The permissions of a new file, before the umask; a link has none.
    pub(super) fn bits(self) -> Option<u32> {
        match self {
            Self::File => Some(0o666),
            Self::Executable => Some(0o777),
            Self::Link => None,
        }
    }
}

/// A file or a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub path: &'a Path,
    pub mode: Mode,
    pub id: Oid,
}

/// A whole tree, files of one directory next to each other. There may be very many: some 60 bytes and its
/// path are kept of each.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Parents before what is in them; the top is left out.
    pub directories: Paths,
    /// Files and links.
    pub paths: Paths,
    blobs: Vec<(Mode, Oid)>,
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

    /// How many files and links there are.
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// The file or link with this number.
    pub(super) fn entry(&self, number: usize) -> Entry<'_> {
        let (mode, id) = self.blobs[number];
        Entry { path: self.paths.at(number), mode, id }
    }

    /// All files and links.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.len()).map(|number| self.entry(number))
    }

    /// Leaves the files and links that `keeps` wants.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(Entry<'_>) -> bool) {
        let (mut paths, mut blobs) = (Paths::default(), Vec::new());
        for entry in self.entries().filter(|entry| keeps(*entry)) {
            paths.push(entry.path);
            blobs.push((entry.mode, entry.id));
        }
        (self.paths, self.blobs) = (paths, blobs);
    }

    fn add(&mut self, repository: &Repository, tree: &Tree<'_>, at: &Path) -> HostResult<()> {
        let mut names = Once::default();
        let mut below = Vec::new();
        for entry in tree {
            let path = at.join(OsStr::from_bytes(entry.name_bytes()));
            if let Some(why) = names.problem(entry.name_bytes()).or_else(|| self.problem(&path)) {
                return Err(refused(&path, why));
            }
            match entry.filemode_raw() & 0o170_000 {
                0o040_000 => below.push((path, entry.id())),
                0o160_000 => self.modules.push((path, entry.id())),
                0o120_000 => self.file(&path, Mode::Link, entry.id()),
                0o100_000 if entry.filemode_raw() & 0o100 == 0 => self.file(&path, Mode::File, entry.id()),
                0o100_000 => self.file(&path, Mode::Executable, entry.id()),
                _ => return Err(refused(&path, "it has a mode that git does not know")),
            }
        }
        for (path, id) in below {
            let tree = repository.find_tree(id).map_err(cannot("read", &path))?;
            self.directories.push(&path);
            self.add(repository, &tree, &path)?;
        }
        Ok(())
    }

    fn problem(&self, path: &Path) -> Option<&'static str> {
        match path.as_os_str().len() {
            length if length > LONGEST_PATH => Some("its path is too long"),
            _ if self.len() + self.directories.len() > MOST_FILES => Some("a million files stand before it"),
            _ => None,
        }
    }

    fn file(&mut self, path: &Path, mode: Mode, id: Oid) {
        self.has_attributes |= mode != Mode::Link && path.file_name() == Some(OsStr::new(".gitattributes"));
        self.paths.push(path);
        self.blobs.push((mode, id));
    }
}
