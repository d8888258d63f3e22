//! From the name that a person types to a commit.

use git2::{ErrorCode, ObjectType, Oid, Repository};
use release_core::host::{FindError, HostError};
use release_core::revision::Revision;

use super::failed;

/// The shortest sha that is taken for one.
const SHORTEST: usize = 4;
/// How many commits an ambiguous sha is shown to mean.
const CANDIDATES: usize = 5;

/// A full sha, a branch, a tag, a short sha: the first that fits.
pub(super) fn find(repository: &Repository, name: &str) -> Result<Revision, FindError> {
    let problem = |error| FindError::Host(failed(format!("cannot look for `{name}`"), error));
    let unknown = || FindError::Unknown(name.to_owned());
    if let Some(oid) = full_sha(name) {
        return peel(repository, oid).map_err(problem)?.ok_or_else(unknown);
    }
    if !is_plain(name) {
        return Err(unknown());
    }
    for reference in references(name) {
        if let Some(revision) = follow(repository, &reference).map_err(problem)? {
            return Ok(revision);
        }
    }
    let mut found = beginning_with(repository, name).map_err(problem)?;
    match found.len() {
        0 => Err(unknown()),
        1 => revision(found.remove(0)).map_err(FindError::Host),
        _ => {
            let candidates = found.iter().take(CANDIDATES).map(Oid::to_string).collect();
            Err(FindError::Ambiguous { name: name.to_owned(), candidates })
        }
    }
}

/// Names only: git's language of revisions (`main~2`, `a..b`, `@{yesterday}`) is for people at work.
fn is_plain(name: &str) -> bool {
    let of_language = |c: char| c.is_control() || matches!(c, '^' | '~' | ':');
    !name.is_empty() && !name.contains("..") && !name.contains("@{") && !name.contains(of_language)
}

fn full_sha(name: &str) -> Option<Oid> {
    (name.len() == 40).then(|| Oid::from_str(name).ok()).flatten()
}

/// The references that `name` may mean, branches before tags.
fn references(name: &str) -> Vec<String> {
    let mut names = vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")];
    if name.starts_with("refs/") {
        names.push(name.to_owned());
    } else {
        names.extend([format!("refs/{name}"), format!("refs/remotes/{name}")]);
    }
    // In a mirror the branches of the origin are its own.
    names.extend(name.strip_prefix("origin/").map(|branch| format!("refs/heads/{branch}")));
    names
}

fn follow(repository: &Repository, reference: &str) -> Result<Option<Revision>, git2::Error> {
    match repository.refname_to_id(reference) {
        Ok(oid) => peel(repository, oid),
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The commit that an object is, or that a tag stands for.
fn peel(repository: &Repository, oid: Oid) -> Result<Option<Revision>, git2::Error> {
    let found = repository.find_object(oid, None).and_then(|object| object.peel(ObjectType::Commit));
    match found {
        Ok(commit) => Ok(commit.id().to_string().parse().ok()),
        Err(error)
            if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Peel) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Every commit whose sha begins with `prefix`, in order.
fn beginning_with(repository: &Repository, prefix: &str) -> Result<Vec<Oid>, git2::Error> {
    if prefix.len() < SHORTEST || prefix.len() >= 40 || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Vec::new());
    }
    let prefix = prefix.to_ascii_lowercase();
    let odb = repository.odb()?;
    let mut found = Vec::new();
    odb.foreach(|oid| {
        if oid.to_string().starts_with(&prefix) {
            found.push(*oid);
        }
        true
    })?;
    found.retain(|oid| odb.read_header(*oid).is_ok_and(|(_, kind)| kind == ObjectType::Commit));
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn revision(oid: Oid) -> Result<Revision, HostError> {
    let parsed = oid.to_string().parse();
    parsed.map_err(|error: release_core::revision::NotARevision| HostError::Git {
        what: format!("cannot use the commit {oid}"),
        help: None,
        source: error.into(),
    })
}
