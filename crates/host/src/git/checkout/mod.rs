//! From a revision in the mirror to a directory.

mod attributes;
mod blobs;
mod like;
mod list;
mod modules;
mod names;
mod record;
mod spare;
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
use record::{Known, Record};
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
    let like = like.and_then(Like::read);
    let top = Top { record: &into.record, spare, like: like.as_ref() };
    checkout.commit(&repository, commit, &into.tree, Some(&top)).map_err(|error| match &error {
        HostError::Git { help, .. } => {
            let help = help.clone();
            because(what(), help, error)
        }
        _ => error,
    })
}

/// See `Git::strip`.
pub(super) fn strip(tree: &CheckedOut) -> HostResult<()> {
    let known = record::read(&tree.record).map_err(files::failed("read", &tree.record))?;
    let known = known.unwrap_or_default();
    strip::strip(&tree.tree, &known).map(|_| ()).map_err(files::failed("strip", &tree.tree))
}

/// What only the app's own tree has, and no submodule.
#[derive(Debug)]
struct Top<'a> {
    record: &'a Path,
    spare: &'a CheckedOut,
    like: Option<&'a Like>,
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
        repository: &Repository,
        commit: Oid,
        into: &Path,
        top: Option<&Top<'_>>,
    ) -> HostResult<Written> {
        let tree = repository.find_commit(commit).and_then(|commit| commit.tree());
        let tree = tree.map_err(|error| failed(format!("cannot read {commit}"), error))?;
        let mut list = List::of(repository, &tree)?;
        let program = Program { repository: repository.path(), run: self.host.run.as_ref() };
        let like = top.and_then(|top| top.like);
        let interruption = &self.host.interruption;
        let writer = Writer { program, into, like, interruption, progress: self.progress };
        let by_git = if list.has_attributes {
            Some(Attributes::take(&writer, &tree.id().to_string(), &mut list)?)
        } else {
            None
        };
        // Nothing was written so far, and nothing will be of a tree that is refused.
        let modules = modules::of(self, repository, &list)?;
        let left = match top {
            Some(top) => {
                take_over(top.spare, into, &list).map_err(files::failed("take over", &top.spare.tree))?
            }
            None => Record::new(),
        };
        make_directories(into, &list, &left)?;
        if let Some(by_git) = &by_git {
            by_git.write(&writer, &commit.to_string())?;
        }
        let by_git = by_git.as_ref().map_or(0, Attributes::count);
        let (there, missing): (Vec<_>, Vec<_>) =
            list.entries.iter().partition(|entry| left.contains_key(&entry.path));
        let taken = there.len();
        drop(there);
        let stamps = writer.write(&missing, by_git + taken)?;
        let cloned = like.map_or(0, Like::count);
        let mut written = Written { files: by_git + list.entries.len(), taken, cloned };
        for module in &modules {
            written.files += module.check_out(self, repository, into)?.files;
        }
        if let Some(top) = top {
            let stamped = missing
                .iter()
                .map(|entry| entry.path.as_path())
                .zip(missing.iter().zip(stamps).map(|(entry, stamp)| Known::File(entry.id, stamp)));
            note(top.record, into, &list, &left, stamped).map_err(files::failed("write", top.record))?;
        }
        Ok(written)
    }
}

/// Each must be new, or be left of a spare tree: any other could be a link to anywhere.
fn make_directories(into: &Path, list: &List, left: &Record) -> HostResult<()> {
    let missing =
        list.directories.iter().filter(|path| !left.contains_key(*path)).map(|path| into.join(path));
    let top = left.is_empty().then(|| into.to_owned());
    let mut all = top.into_iter().chain(missing);
    all.try_for_each(|path| fs::create_dir(&path).map_err(files::failed("make the directory", &path)))
}

/// Notes how everything is now.
fn note<'a>(
    record: &Path,
    into: &Path,
    list: &'a List,
    left: &'a Record,
    written: impl Iterator<Item = (&'a Path, Known)>,
) -> io::Result<()> {
    let directories = std::iter::once(Path::new("")).chain(list.directories.iter().map(AsRef::as_ref));
    let directories = directories.map(|path| {
        let metadata = fs::symlink_metadata(into.join(path))?;
        Ok((path, Known::Directory(metadata.mode())))
    });
    let directories = directories.collect::<io::Result<Vec<_>>>()?;
    let left = left.iter().filter(|(_, known)| matches!(known, Known::File(..)));
    let left = left.map(|(path, known)| (path.as_path(), *known));
    record::write(record, directories.into_iter().chain(left).chain(written))
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
