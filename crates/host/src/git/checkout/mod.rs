//! From a revision in the mirror to a directory.

mod attributes;
mod blobs;
mod large;
mod like;
mod list;
pub(super) mod mapped;
mod modules;
mod names;
mod noted;
mod paths;
mod places;
mod record;
mod spare;
mod stream;
mod strip;
mod urls;
mod write;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use git2::{Oid, Repository};
use release_core::event::Progress;
use release_core::host::{CheckedOut, HostError, HostResult, Written};
use release_core::revision::Revision;

use super::program::Program;
use super::{because, failed, open};
use crate::UnixHost;
use crate::files;
use attributes::Attributes;
use like::Like;
use list::List;
use noted::Taken;
use record::{Known, Stamp};
use spare::take_over;
use write::Writer;

/// See `Git::checkout`.
pub(super) fn checkout(
    host: &UnixHost,
    repository: &Path,
    revision: &Revision,
    into: &CheckedOut,
    spare: &CheckedOut,
    like: Option<&CheckedOut>,
    progress: &dyn Fn(Progress),
) -> HostResult<Written> {
    host.interruption.check()?;
    let what = || format!("cannot check out {revision}");
    let repository = open(repository)?;
    let commit = Oid::from_str(revision.as_str()).map_err(|error| failed(what(), error))?;
    for path in [&into.tree, &into.record] {
        fs::create_dir_all(files::parent(path)).map_err(files::failed("make the directory of", path))?;
    }
    let checkout = Checkout { host, progress, depth: 0 };
    let top = Top { record: &into.record, spare, like };
    checkout.commit(repository, commit, &into.tree, Some(&top)).map_err(|error| match &error {
        HostError::Git { help, .. } => {
            let help = help.clone();
            because(what(), help, error)
        }
        _ => error,
    })
}

/// See `Git::strip`.
pub(super) fn strip(tree: &CheckedOut) -> HostResult<()> {
    strip::strip(tree).map_err(files::failed("strip", &tree.tree))
}

/// What only the app's own tree has, and no submodule.
#[derive(Debug)]
struct Top<'a> {
    record: &'a Path,
    spare: &'a CheckedOut,
    like: Option<&'a CheckedOut>,
}

/// One checkout, or that of a submodule within it.
#[derive(Clone, Copy)]
struct Checkout<'a> {
    host: &'a UnixHost,
    progress: &'a dyn Fn(Progress),
    depth: usize,
}

impl Checkout<'_> {
    fn commit(
        &self,
        repository: Repository,
        commit: Oid,
        into: &Path,
        top: Option<&Top<'_>>,
    ) -> HostResult<Written> {
        let (tree, mut list) = listed(&repository, commit)?;
        let git_directory = repository.path().to_owned();
        let program = Program { repository: &git_directory, run: self.host.run.as_ref() };
        let by_git = if list.has_attributes {
            Some(Attributes::take(program, &tree.to_string(), &mut list)?)
        } else {
            None
        };
        // Nothing was written so far, and nothing will be of a tree that is refused.
        let modules = modules::of(self, &repository, &list)?;
        // What it has mapped is given back when nobody has it open.
        drop(repository);
        let mut left = match top {
            Some(top) => {
                take_over(top.spare, into, &list).map_err(files::failed("take over", &top.spare.tree))?
            }
            None => Taken::nothing(&list),
        };
        make_directories(into, &list, &left)?;
        if let Some(by_git) = &by_git {
            by_git.write(self, program, into, &commit.to_string())?;
        }
        let by_git = by_git.as_ref().map_or(0, Attributes::count);
        let taken = left.entries.iter().flatten().count();
        let like = top.and_then(|top| top.like).and_then(|like| Like::read(like, &list));
        let (like, interruption) = (like.as_ref(), &self.host.interruption);
        let writer = Writer { program, into, like, interruption, progress: self.progress };
        writer.write(&list, &mut left.entries, by_git)?;
        let cloned = like.map_or(0, Like::count);
        let mut written = Written { files: by_git + list.len(), taken, cloned };
        for module in &modules {
            written.files += module.check_out(self, &git_directory, into)?.files;
        }
        if let Some(top) = top {
            note(top.record, into, &list, &left.entries).map_err(files::failed("write", top.record))?;
        }
        Ok(written)
    }
}

/// The tree of a commit, and what it holds.
fn listed(repository: &Repository, commit: Oid) -> HostResult<(Oid, List)> {
    let tree = repository.find_commit(commit).and_then(|commit| commit.tree());
    let tree = tree.map_err(|error| failed(format!("cannot read {commit}"), error))?;
    Ok((tree.id(), List::of(repository, &tree)?))
}

/// Each must be new, or be left of a spare tree: any other could be a link to anywhere.
fn make_directories(into: &Path, list: &List, left: &Taken) -> HostResult<()> {
    let missing = list.directories.iter().zip(&left.directories).filter(|(_, left)| left.is_none());
    let top = (!left.top).then(|| into.to_owned());
    let mut all = top.into_iter().chain(missing.map(|(path, _)| into.join(path)));
    all.try_for_each(|path| fs::create_dir(&path).map_err(files::failed("make the directory", &path)))
}

/// Notes how everything is now.
fn note(record: &Path, into: &Path, list: &List, stamps: &[Option<Stamp>]) -> io::Result<()> {
    let directories = std::iter::once(Path::new("")).chain(list.directories.iter());
    let directories = directories.map(|path| {
        let metadata = fs::symlink_metadata(into.join(path))?;
        Ok((path, Known::Directory(metadata.mode())))
    });
    let directories = directories.collect::<io::Result<Vec<_>>>()?;
    let files = list.entries().zip(stamps);
    let files = files.filter_map(|(entry, stamp)| Some((entry.path, Known::File(entry.id, (*stamp)?))));
    record::write(record, directories.into_iter().chain(files))
}

/// Makes an error of what libgit2 said of a path.
fn cannot(action: &'static str, path: &Path) -> impl FnOnce(git2::Error) -> HostError {
    let what = format!("cannot {action} {}", path.display());
    move |error| failed(what, error)
}

/// A tree that may not be written.
fn refused(path: &Path, why: &'static str) -> HostError {
    because(format!("{} may not be written", path.display()), None, why)
}
