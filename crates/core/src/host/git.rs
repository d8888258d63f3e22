//! The repository, its mirror, and what is checked out of it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{HostError, HostResult};
use crate::event::Progress;
use crate::revision::Revision;

/// The app's repository and our mirror of it.
pub trait Git {
    /// Brings the bare mirror up to date with every branch and tag of `url`; makes it if need be.
    fn fetch(&self, mirror: &Path, url: &str, progress: &dyn Fn(Progress)) -> HostResult<()>;
    /// The commit that a full sha, an unambiguous short sha, a branch or a tag names.
    fn find(&self, repository: &Path, name: &str) -> Result<Revision, FindError>;
    /// The contents of a file of `revision`; `None` when there is none at `path`.
    fn file(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Option<Vec<u8>>>;
    /// The id of the tree or blob at `path` of `revision`: equal ids are equal contents.
    fn content_id(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Option<String>>;
    /// The names in a directory of `revision` (`""` is the top); none when there is no such directory.
    fn names(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Vec<String>>;
    /// The paths at which two revisions differ.
    fn changes(&self, repository: &Path, from: &Revision, to: &Revision) -> HostResult<Vec<PathBuf>>;
    /// Writes the tree of `revision` into a new directory. It starts from `spare` where there is
    /// one, which is gone then: only files that nobody touched since they were checked out stay.
    /// What is missing still shares its blocks with those of `like`, where the file system can.
    fn checkout(
        &self,
        repository: &Path,
        revision: &Revision,
        into: &CheckedOut,
        spare: &CheckedOut,
        like: Option<&CheckedOut>,
        progress: &dyn Fn(Progress),
    ) -> HostResult<Written>;
    /// Puts together the packs that many fetches left, quick where there are few, and forgets the files of Git LFS
    /// that no checkout since `needed_since` has needed.
    fn tidy(&self, mirror: &Path, needed_since: Timestamp) -> HostResult<()>;
    /// Removes from a tree whatever was not checked out.
    fn strip(&self, tree: &CheckedOut) -> HostResult<()>;
    /// The first line of a commit's message.
    fn subject(&self, repository: &Path, revision: &Revision) -> HostResult<String>;
}

/// A tree that was checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOut {
    /// Its directory.
    pub tree: PathBuf,
    /// The file that tells how everything in it was when its checkout ended.
    pub record: PathBuf,
}

/// What a checkout did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The files and links of the revision.
    pub files: usize,
    /// How many of them were there already, in the spare tree.
    pub taken: usize,
    /// How many share their blocks with those of a tree that is like it.
    pub cloned: usize,
}

/// Why a name leads to no commit.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing has that name.
    #[error("`{0}` names no branch, tag or commit of the repository")]
    Unknown(String),
    /// More than one commit begins like that.
    #[error("`{name}` is ambiguous: it could be {}", candidates.join(", "))]
    Ambiguous {
        /// As it was given.
        name: String,
        /// What it could mean.
        candidates: Vec<String>,
    },
    /// The repository could not be read.
    #[error(transparent)]
    Host(#[from] HostError),
}
