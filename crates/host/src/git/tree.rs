//! Reading a revision without checking it out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use git2::{Commit, Error, ErrorCode, ObjectType, Oid, Repository, Tree};
use release_core::revision::Revision;

/// The mode of a symlink in a tree.
const LINK: i32 = 0o120_000;
/// How many links are followed before they are taken for a circle.
const MOST_LINKS: usize = 8;

/// The contents of the file at `path`.
pub(super) fn file(
    repository: &Repository,
    revision: &Revision,
    path: &str,
) -> Result<Option<Vec<u8>>, Error> {
    match lookup(repository, &tree(repository, revision)?, path)? {
        Some((oid, ObjectType::Blob)) => Ok(Some(repository.find_blob(oid)?.content().to_owned())),
        _ => Ok(None),
    }
}

/// The id of what stands at `path`.
pub(super) fn content_id(
    repository: &Repository,
    revision: &Revision,
    path: &str,
) -> Result<Option<String>, Error> {
    Ok(lookup(repository, &tree(repository, revision)?, path)?.map(|(oid, _)| oid.to_string()))
}

/// The names in the directory at `path`.
pub(super) fn names(repository: &Repository, revision: &Revision, path: &str) -> Result<Vec<String>, Error> {
    match lookup(repository, &tree(repository, revision)?, path)? {
        Some((oid, ObjectType::Tree)) => {
            let directory = repository.find_tree(oid)?;
            Ok(directory
                .iter()
                .map(|entry| String::from_utf8_lossy(entry.name_bytes()).into_owned())
                .collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// The paths at which two revisions differ. Trees that are equal are not looked into.
pub(super) fn changes(
    repository: &Repository,
    from: &Revision,
    to: &Revision,
) -> Result<Vec<PathBuf>, Error> {
    let (from, to) = (tree(repository, from)?, tree(repository, to)?);
    let differences = repository.diff_tree_to_tree(Some(&from), Some(&to), None)?;
    let paths = differences.deltas().filter_map(|delta| delta.new_file().path_bytes().map(OsStr::from_bytes));
    Ok(paths.map(PathBuf::from).collect())
}

/// The first line of the commit's message.
pub(super) fn subject(repository: &Repository, revision: &Revision) -> Result<String, Error> {
    let commit = commit(repository, revision)?;
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    Ok(message.trim_start().lines().next().unwrap_or_default().trim_end().to_owned())
}

/// The whole tree of `revision`.
pub(super) fn tree<'r>(repository: &'r Repository, revision: &Revision) -> Result<Tree<'r>, Error> {
    commit(repository, revision)?.tree()
}

fn commit<'r>(repository: &'r Repository, revision: &Revision) -> Result<Commit<'r>, Error> {
    repository.find_commit(Oid::from_str(revision.as_str())?)
}

/// What stands at `path`. Follows a link at its end: the id of a linked lock file must change
/// when the file does.
fn lookup(repository: &Repository, tree: &Tree<'_>, path: &str) -> Result<Option<(Oid, ObjectType)>, Error> {
    let mut path = PathBuf::from(path);
    for _ in 0..=MOST_LINKS {
        let Some(inside) = normal(&path) else { return Ok(None) };
        if inside.as_os_str().is_empty() {
            return Ok(Some((tree.id(), ObjectType::Tree)));
        }
        let entry = match tree.get_path(&inside) {
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            entry => entry?,
        };
        if entry.filemode() != LINK {
            return Ok(entry.kind().map(|kind| (entry.id(), kind)));
        }
        let target = repository.find_blob(entry.id())?;
        path = inside.with_file_name("").join(OsStr::from_bytes(target.content()));
    }
    Ok(None)
}

/// `path` without dots; `None` if it leads out of the tree.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !inside.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}
