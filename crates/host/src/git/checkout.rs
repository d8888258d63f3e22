//! From a revision in the mirror to a directory.

use std::fs;
use std::path::Path;

use git2::build::CheckoutBuilder;
use git2::{Error, ObjectType, Repository, Tree};
use release_core::event::Progress;
use release_core::host::{HostError, HostResult};
use release_core::revision::Revision;

use super::{Pace, failed, git_error, tree};
use crate::files;

/// Writes the tree of `revision` into the new directory `into`.
pub(super) fn checkout(
    repository: &Repository,
    revision: &Revision,
    into: &Path,
    progress: &dyn Fn(Progress),
) -> HostResult<()> {
    let what = || format!("cannot check out {revision}");
    let tree = tree::tree(repository, revision).map_err(|error| failed(what(), error))?;
    if let Some(path) = submodule(repository, &tree).map_err(|error| failed(what(), error))? {
        return Err(unsupported(revision, &path));
    }
    fs::create_dir_all(files::parent(into)).map_err(files::failed("make the directory", into))?;
    fs::create_dir(into).map_err(files::failed("make the directory", into))?;
    write(repository, &tree, into, progress).map_err(|error| failed(what(), error))
}

fn write(
    repository: &Repository,
    tree: &Tree<'_>,
    into: &Path,
    progress: &dyn Fn(Progress),
) -> Result<(), Error> {
    let mut pace = Pace(None);
    let mut options = CheckoutBuilder::new();
    // The mirror is bare and stays so: neither does its index count, nor is one written.
    options.target_dir(into).force().update_index(false).refresh(false);
    options.progress(|_, done, total| {
        if done == total || pace.due() {
            progress(Progress { done: done as u64, total: total as u64, unit: "files" });
        }
    });
    repository.checkout_tree(tree.as_object(), Some(&mut options))
}

/// The path of the first submodule.
fn submodule(repository: &Repository, tree: &Tree<'_>) -> Result<Option<String>, Error> {
    for entry in tree {
        let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
        match entry.kind() {
            Some(ObjectType::Commit) => return Ok(Some(name)),
            Some(ObjectType::Tree) => {
                if let Some(below) = submodule(repository, &repository.find_tree(entry.id())?)? {
                    return Ok(Some(format!("{name}/{below}")));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

fn unsupported(revision: &Revision, path: &str) -> HostError {
    let what = format!("cannot check out {revision}: {path} is a submodule");
    let help = "submodules are not supported yet; install it as a package, or merge it with `git subtree`";
    git_error(what, Some(help.to_owned()), Error::from_str("its contents are in another repository"))
}
