//! The files of Git LFS in a tree: git-lfs gets them, and keeps them in the mirror.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use git2::{Oid, Repository};
use release_core::host::{HostError, HostResult};

use crate::git::because;
use crate::git::program::{self, Program};
use crate::git::tidy::large_file;

/// What a pointer says before the name of its file.
const NAME: &str = "oid sha256:";

/// They that are to be written, at least one.
#[derive(Debug)]
pub(super) struct Large {
    first: PathBuf,
    /// What git itself has: a pointer to each.
    pointers: Vec<Oid>,
}

impl Large {
    /// Begins with the one at `path`.
    pub(super) fn at(path: &Path) -> Self {
        Self { first: path.to_owned(), pointers: Vec::new() }
    }

    /// One more.
    pub(super) fn add(&mut self, pointer: Oid) {
        self.pointers.push(pointer);
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.pointers.len() as u64
    }

    /// Only git-lfs can get them.
    pub(super) fn refuse_without_lfs(&self, program: Program<'_>) -> HostResult<()> {
        let mut version = program.prepare("git-lfs");
        version.arg("version");
        program::run(version, b"").map(|_| ()).map_err(|source| without_lfs(&self.first, source))
    }

    /// Notes at the files that the mirror keeps when they were last needed.
    pub(super) fn note_use(&self, repository: &Path) {
        let Ok(opened) = Repository::open_bare(repository) else { return };
        for pointer in &self.pointers {
            let Ok(blob) = opened.find_blob(*pointer) else { continue };
            let text = String::from_utf8_lossy(blob.content());
            let name = text.lines().find_map(|line| line.strip_prefix(NAME));
            // One that is not noted is fetched again one day.
            let _ = name.and_then(|name| large_file(repository, name.trim())).map(|file| touch(&file));
        }
    }
}

fn touch(file: &Path) -> io::Result<()> {
    File::options().append(true).open(file)?.set_modified(SystemTime::now())
}

fn without_lfs(path: &Path, source: HostError) -> HostError {
    let what = format!("{} is kept in Git LFS, and `git-lfs` does not run here", path.display());
    because(what, Some("apt install git-lfs".to_owned()), source)
}
