//! The app's repository and our mirror of it: git fetches, filters, and streams what is large; libgit2 reads all else.

mod address;
mod attended;
mod beside;
mod checkout;
mod fetch;
mod find;
mod mirror;
mod program;
mod tidy;
mod tree;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{ErrorCode, Repository};
use jiff::Timestamp;
use release_core::event::Progress;
use release_core::host::{CheckedOut, FindError, Git, HostError, HostResult, Written};
use release_core::revision::Revision;

use crate::UnixHost;

pub use address::without_password;

impl Git for UnixHost {
    fn fetch(&self, mirror: &Path, url: &str, progress: &dyn Fn(Progress)) -> HostResult<()> {
        fetch::fetch(self, mirror, url, progress)
    }

    fn find(&self, repository: &Path, name: &str) -> Result<Revision, FindError> {
        find::find(&open(repository)?, name)
    }

    fn file(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Option<Vec<u8>>> {
        let found = tree::file(&open(repository)?, revision, path);
        found.map_err(|error| failed(format!("cannot read {path} of {revision}"), error))
    }

    fn content_id(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Option<String>> {
        let found = tree::content_id(&open(repository)?, revision, path);
        found.map_err(|error| failed(format!("cannot look at {path} of {revision}"), error))
    }

    fn changes(&self, repository: &Path, from: &Revision, to: &Revision) -> HostResult<Vec<PathBuf>> {
        let found = tree::changes(&open(repository)?, from, to);
        found.map_err(|error| failed(format!("cannot compare {from} with {to}"), error))
    }

    fn names(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Vec<String>> {
        let found = tree::names(&open(repository)?, revision, path);
        found.map_err(|error| failed(format!("cannot list {path} of {revision}"), error))
    }

    fn checkout(
        &self,
        repository: &Path,
        revision: &Revision,
        into: &CheckedOut,
        spare: &CheckedOut,
        like: Option<&CheckedOut>,
        progress: &dyn Fn(Progress),
    ) -> HostResult<Written> {
        checkout::checkout(self, repository, revision, into, spare, like, progress)
    }

    fn tidy(&self, mirror: &Path, needed_since: Timestamp) -> HostResult<()> {
        tidy::tidy(self, mirror, needed_since.into())
    }

    fn strip(&self, tree: &CheckedOut) -> HostResult<()> {
        checkout::strip(tree)
    }

    fn subject(&self, repository: &Path, revision: &Revision) -> HostResult<String> {
        let found = tree::subject(&open(repository)?, revision);
        found.map_err(|error| failed(format!("cannot read the message of {revision}"), error))
    }
}

fn open(repository: &Path) -> HostResult<Repository> {
    // What a fetch brings is hashed then; to hash it at each reading, as git itself does not, takes two thirds of that.
    git2::opts::strict_hash_verification(false);
    // Our mirror is bare, and may belong to another user of ours; only a checked out one is asked for its owner.
    let opened = Repository::open_bare(repository).or_else(|_| Repository::open(repository));
    opened.map_err(|source| {
        let help = not_ours(&source, &repository.display().to_string());
        git_error(format!("cannot open the git repository {}", repository.display()), help, source)
    })
}

fn failed(what: String, source: git2::Error) -> HostError {
    git_error(what, None, source)
}

fn git_error(what: String, help: Option<String>, source: git2::Error) -> HostError {
    // Its class and code say nothing to people.
    because(what, help, source.message().trim())
}

fn because(
    what: String,
    help: Option<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> HostError {
    HostError::Git { what, help, source: source.into() }
}

/// What to do about a repository that libgit2 does not trust because of its owner.
fn not_ours(error: &git2::Error, path: &str) -> Option<String> {
    (error.code() == ErrorCode::Owner).then(|| trust(path))
}

fn trust(path: &str) -> String {
    let path = path.strip_prefix("file://").unwrap_or(path);
    format!("it belongs to another user; to trust it: `git config --global --add safe.directory {path}`")
}

/// Lets a few of very many calls through, so that telling costs less than the work.
struct Pace(Option<Instant>);

impl Pace {
    const EVERY: Duration = Duration::from_millis(50);

    fn due(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= Self::EVERY);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests;
