//! From a revision in the mirror to a directory.

mod attributes;
mod blobs;
mod list;
mod modules;
mod names;
mod urls;
mod write;

use std::fs;
use std::path::Path;

use git2::{Oid, Repository};
use release_core::event::Progress;
use release_core::host::{HostError, HostResult};
use release_core::revision::Revision;

use super::program::Program;
use super::{failed, git_error, open};
use crate::UnixHost;
use crate::files;
use attributes::Attributes;
use list::List;
use write::Writer;

/// Writes the tree of `revision` into the new directory `into`.
pub(super) fn checkout(
    host: &UnixHost,
    repository: &Path,
    revision: &Revision,
    into: &Path,
    progress: &dyn Fn(Progress),
) -> HostResult<()> {
    host.interruption.check()?;
    let what = || format!("cannot check out {revision}");
    let repository = open(repository)?;
    let commit = Oid::from_str(revision.as_str()).map_err(|error| failed(what(), error))?;
    fs::create_dir_all(files::parent(into)).map_err(files::failed("make the directory", into))?;
    let checkout = Checkout { host, progress, depth: 0 };
    checkout.commit(&repository, commit, into).map_err(|error| match &error {
        HostError::Git { help, .. } => {
            let help = help.clone();
            git_error(what(), help, error)
        }
        _ => error,
    })
}

/// One checkout, or that of a submodule within it.
#[derive(Clone, Copy)]
struct Checkout<'a> {
    host: &'a UnixHost,
    progress: &'a dyn Fn(Progress),
    depth: usize,
}

impl Checkout<'_> {
    fn commit(&self, repository: &Repository, commit: Oid, into: &Path) -> HostResult<()> {
        let tree = repository.find_commit(commit).and_then(|commit| commit.tree());
        let tree = tree.map_err(|error| failed(format!("cannot read {commit}"), error))?;
        let mut list = List::of(repository, &tree)?;
        let program = Program { repository: repository.path(), run: self.host.run.as_ref() };
        let writer = Writer { program, into, interruption: &self.host.interruption, progress: self.progress };
        let by_git = if list.has_attributes {
            Some(Attributes::take(&writer, &tree.id().to_string(), &mut list)?)
        } else {
            None
        };
        let modules = modules::of(self, repository, &list)?;
        make_directories(into, &list)?;
        if let Some(by_git) = &by_git {
            by_git.write(&writer, &commit.to_string())?;
        }
        writer.write(&list.entries, by_git.as_ref().map_or(0, Attributes::count))?;
        modules.iter().try_for_each(|module| module.check_out(self, repository, into))
    }
}

/// Each must be new: one that is there already could be a link to anywhere.
fn make_directories(into: &Path, list: &List) -> HostResult<()> {
    let mut all = std::iter::once(into.to_owned()).chain(list.directories.iter().map(|path| into.join(path)));
    all.try_for_each(|path| fs::create_dir(&path).map_err(files::failed("make the directory", &path)))
}

/// Makes an error of what libgit2 said of a path.
fn cannot(action: &'static str, path: &Path) -> impl FnOnce(git2::Error) -> HostError {
    let what = format!("cannot {action} {}", path.display());
    move |error| failed(what, error)
}

/// A tree that may not be written.
fn refused(path: &Path, why: &'static str) -> HostError {
    git_error(format!("{} may not be written", path.display()), None, why)
}
