//! Submodules: each has a mirror of its own below that of its superproject.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};
use release_core::host::{Git, HostError, HostResult, Written};

use super::list::{List, Mode};
use super::{Checkout, urls};
use crate::git::program::{self, Program};
use crate::git::{because, git_error, open};

/// How deep submodules may lie in each other: hostile ones have no end.
const DEEPEST: usize = 10;

/// A submodule that belongs to the release.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    path: PathBuf,
    id: Oid,
    /// The name of its mirror.
    name: String,
    url: String,
}

/// The submodules of a tree that `.gitmodules` does not tell to leave alone.
pub(super) fn of(checkout: &Checkout<'_>, repository: &Repository, list: &List) -> HostResult<Vec<Module>> {
    if list.modules.is_empty() {
        return Ok(Vec::new());
    }
    if checkout.depth == DEEPEST {
        return Err(refused(&list.modules[0].0, "submodules lie too deep in each other"));
    }
    let file =
        list.entries().find(|entry| entry.path == Path::new(".gitmodules") && entry.mode != Mode::Link);
    let told = match file {
        Some(file) => {
            let program = Program { repository: repository.path(), run: checkout.host.run.as_ref() };
            let blob = file.id.to_string();
            program::run(program.git(&["config", "--no-includes", "-z", "--blob", &blob, "--list"]), b"")?
        }
        None => Vec::new(),
    };
    let origin = repository.config().and_then(|config| config.get_string("remote.origin.url")).ok();
    let told = sections(&told);
    let found = list.modules.iter().map(|(path, id)| module(&told, path, *id, origin.as_deref()));
    Ok(found.collect::<HostResult<Vec<_>>>()?.into_iter().flatten().collect())
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// What `git config -z --list` told of each submodule; the last of equal keys counts.
fn sections(told: &[u8]) -> Sections {
    let mut sections = Sections::new();
    for record in told.split(|byte| *byte == 0) {
        let record = String::from_utf8_lossy(record);
        let Some((key, value)) = record.split_once('\n') else { continue };
        let Some((name, key)) = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.')) else {
            continue;
        };
        sections.entry(name.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }
    sections
}

fn module(told: &Sections, path: &Path, id: Oid, origin: Option<&str>) -> HostResult<Option<Module>> {
    let at = |values: &BTreeMap<_, String>| {
        values.get("path").is_some_and(|told| Path::new(told.trim_end_matches('/')) == path)
    };
    let Some((name, values)) = told.iter().find(|(_, values)| at(values)) else {
        return Err(refused(path, "it is a submodule, and .gitmodules does not say where it comes from"));
    };
    if values.get("update").is_some_and(|update| update == "none") {
        return Ok(None);
    }
    let url = values.get("url").map_or("", String::as_str);
    let url = urls::resolve(url, origin).map_err(|why| refused(path, why))?;
    let name = directory(name).ok_or_else(|| refused(path, "its name in .gitmodules is no name"))?;
    Ok(Some(Module { path: path.to_owned(), id, name, url }))
}

/// The name as one directory: with slashes, one could lie within another.
fn directory(name: &str) -> Option<String> {
    let hostile = name.is_empty() || name.starts_with('-') || name.chars().any(char::is_control);
    let named = !hostile && name.split(['/', '\\']).all(|part| !matches!(part, "" | "." | ".."));
    (named && name.len() <= 200).then(|| name.replace('%', "%25").replace('/', "%2F"))
}

impl Module {
    /// Writes it into its directory in `into`.
    pub(super) fn check_out(
        &self,
        checkout: &Checkout<'_>,
        superproject: &Path,
        into: &Path,
    ) -> HostResult<Written> {
        let mirror = superproject.join("modules").join(&self.name);
        let repository = self.fetched(checkout, &mirror)?;
        let deeper = Checkout { depth: checkout.depth + 1, ..*checkout };
        deeper.commit(repository, self.id, &into.join(&self.path), None)
    }

    /// Its mirror, which has its commit.
    fn fetched(&self, checkout: &Checkout<'_>, mirror: &Path) -> HostResult<Repository> {
        if let Ok(repository) = Repository::open_bare(mirror)
            && repository.find_commit(self.id).is_ok()
        {
            return Ok(repository);
        }
        checkout.host.fetch(mirror, &self.url, checkout.progress)?;
        let repository = open(mirror)?;
        repository.find_commit(self.id).map(|_| ()).map_err(|error| self.not_pushed(error))?;
        Ok(repository)
    }

    fn not_pushed(&self, error: git2::Error) -> HostError {
        let what =
            format!("the submodule {} has no commit {} on any branch or tag", self.path.display(), self.id);
        let help = format!("push it there: git -C {} push", self.path.display());
        git_error(what, Some(help), error)
    }
}

fn refused(path: &Path, why: &'static str) -> HostError {
    let help = "git config -f .gitmodules --list";
    because(format!("cannot take the submodule {}", path.display()), Some(help.to_owned()), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> HostResult<Option<Module>> {
        let id = Oid::from_str("0123456789012345678901234567890123456789").unwrap();
        module(&sections(text.as_bytes()), Path::new("vendor/theme"), id, Some("/srv/git/shop.git"))
    }

    #[test]
    fn a_submodule_is_found_by_its_path() {
        let module = told(
            "submodule.a.b.path\nvendor/theme\0submodule.a.b.url\n../theme.git\0core.x\ny\0submodule.c.path\nvendor\0",
        );
        let module = module.unwrap().unwrap();
        assert_eq!((module.name.as_str(), module.url.as_str()), ("a.b", "/srv/git/theme.git"));
    }

    #[test]
    fn hostile_names_and_missing_lines_are_refused() {
        for name in ["..", "../x", "a/../../hooks", "a//b", "/abs", "-x", "a\\..\\b"] {
            let text = format!("submodule.{name}.path\nvendor/theme\0submodule.{name}.url\n../theme.git\0");
            assert!(told(&text).is_err(), "{name}");
        }
        for text in ["", "submodule.a.path\nvendor/theme\0", "submodule.a.url\n../theme.git\0"] {
            assert!(told(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_submodule_that_is_not_to_be_updated_is_left_out() {
        assert_eq!(told("submodule.a.path\nvendor/theme\0submodule.a.update\nnone\0").unwrap(), None);
    }

    #[test]
    fn mirrors_never_lie_within_each_other() {
        assert_eq!(directory("vendor/theme").unwrap(), "vendor%2Ftheme");
        assert_ne!(directory("a%2Fb"), directory("a/b"));
    }
}
