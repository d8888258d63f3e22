//! The fake machine's repository: one, whatever its path.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use release_core::event::Progress;
use release_core::host::{CheckedOut, Files, FindError, Git, HostError, HostResult, Written};
use release_core::revision::Revision;

use crate::fake_host::{FakeHost, io_error, lock};
use crate::tree::Node;

/// A commit and its tree.
#[derive(Clone, Debug)]
pub struct Commit {
    revision: Revision,
    subject: String,
    tree: BTreeMap<String, Node>,
}

impl Commit {
    /// An empty tree at `revision`, a full sha.
    pub fn new(revision: &str) -> Self {
        let revision: Revision = revision.parse().expect("a test names full shas");
        Self { subject: format!("Change {}", revision.short()), revision, tree: BTreeMap::new() }
    }

    /// Tracks a file.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.tree.insert(path.to_owned(), Node::File(text.into(), 0o644));
        self
    }

    /// Tracks a symlink.
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.tree.insert(path.to_owned(), Node::Link(target.into()));
        self
    }

    fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        self.tree.iter().filter_map(move |(name, node)| match path {
            "" | "." => Some((name.as_str(), node)),
            path if name == path => Some(("", node)),
            path => name.strip_prefix(path)?.strip_prefix('/').map(|name| (name, node)),
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Repository {
    commits: Vec<Commit>,
    branches: BTreeMap<String, Revision>,
    fetches: Vec<String>,
}

impl FakeHost {
    /// Adds a commit; `main` points at the one that was added last.
    pub fn commit(&self, commit: Commit) {
        self.branch("main", commit.revision.as_str());
        lock(&self.repository).commits.push(commit);
    }

    /// Points a branch or tag at a full sha.
    pub fn branch(&self, name: &str, revision: &str) {
        let revision = revision.parse().expect("a test names full shas");
        lock(&self.repository).branches.insert(name.to_owned(), revision);
    }

    /// The URLs that were fetched from.
    pub fn fetches(&self) -> Vec<String> {
        lock(&self.repository).fetches.clone()
    }

    fn commit_of(&self, operation: &'static str, revision: &Revision, at: &Path) -> HostResult<Commit> {
        self.ask(operation, at)?;
        let repository = lock(&self.repository);
        let found = repository.commits.iter().find(|commit| commit.revision == *revision).cloned();
        found.ok_or_else(|| HostError::Git {
            what: format!("cannot read {revision} in {}", at.display()),
            help: None,
            source: "the test has no such commit".into(),
        })
    }
}

impl Git for FakeHost {
    fn fetch(&self, mirror: &Path, url: &str, progress: &dyn Fn(Progress)) -> HostResult<()> {
        self.act("fetch", url)?;
        lock(&self.repository).fetches.push(url.to_owned());
        progress(Progress { done: 1, total: 1, unit: "objects" });
        lock(&self.tree).make_dir(mirror).map_err(|source| io_error("fetch", mirror, source))
    }

    fn find(&self, repository: &Path, name: &str) -> Result<Revision, FindError> {
        self.ask("find", repository)?;
        let repository = lock(&self.repository);
        if let Some(revision) = repository.branches.get(name) {
            return Ok(revision.clone());
        }
        let mut found: Vec<Revision> =
            repository.commits.iter().map(|commit| commit.revision.clone()).collect();
        found.retain(|revision| name.len() >= 4 && revision.as_str().starts_with(name));
        match found.len() {
            0 => Err(FindError::Unknown(name.to_owned())),
            1 => Ok(found.remove(0)),
            _ => Err(FindError::Ambiguous {
                name: name.to_owned(),
                candidates: found.iter().map(Revision::to_string).collect(),
            }),
        }
    }

    fn file(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Option<Vec<u8>>> {
        let commit = self.commit_of("file", revision, repository)?;
        Ok(match commit.tree.get(path) {
            Some(Node::File(contents, _)) => Some(contents.clone()),
            Some(Node::Link(target)) => Some(target.display().to_string().into_bytes()),
            _ => None,
        })
    }

    fn content_id(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Option<String>> {
        let commit = self.commit_of("content_id", revision, repository)?;
        let below: Vec<_> = commit.below(path).map(|(name, node)| (name, format!("{node:?}"))).collect();
        let mut hasher = DefaultHasher::new();
        below.hash(&mut hasher);
        Ok((!below.is_empty()).then(|| format!("{:016x}", hasher.finish())))
    }

    fn changes(&self, repository: &Path, from: &Revision, to: &Revision) -> HostResult<Vec<PathBuf>> {
        let from = self.commit_of("changes", from, repository)?.tree;
        let to = self.commit_of("changes", to, repository)?.tree;
        let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        let differs = |name: &&String| format!("{:?}", from.get(*name)) != format!("{:?}", to.get(*name));
        Ok(names.into_iter().filter(differs).map(PathBuf::from).collect())
    }

    fn names(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Vec<String>> {
        let commit = self.commit_of("names", revision, repository)?;
        let first = |(name, _): (&str, _)| name.split('/').next().unwrap_or_default().to_owned();
        let mut names: Vec<String> = commit.below(path).map(first).filter(|name| !name.is_empty()).collect();
        names.dedup();
        Ok(names)
    }

    fn checkout(
        &self,
        repository: &Path,
        revision: &Revision,
        into: &CheckedOut,
        spare: &CheckedOut,
        _: Option<&CheckedOut>,
        progress: &dyn Fn(Progress),
    ) -> HostResult<Written> {
        let record = &into.record;
        let into = into.tree.as_path();
        let commit = self.commit_of("checkout", revision, repository)?;
        self.act("checkout", into)?;
        let mut tree = lock(&self.tree);
        let mut put = |path: PathBuf, node| tree.put(&path, node);
        for (path, node) in &commit.tree {
            put(into.join(path), node.clone()).map_err(|source| io_error("check out", into, source))?;
        }
        tree.make_dir(into).map_err(|source| io_error("check out", into, source))?;
        drop(tree);
        let taken = if self.kind(&spare.tree)?.is_some() { commit.tree.len() } else { 0 };
        for path in [&spare.tree, &spare.record] {
            self.remove(path)?;
        }
        self.put_file(record, "");
        let files = commit.tree.len();
        progress(Progress { done: files as u64, total: files as u64, unit: "files" });
        Ok(Written { files, taken, cloned: 0 })
    }

    fn tidy(&self, mirror: &Path, _: Timestamp) -> HostResult<()> {
        self.ask("tidy", mirror)
    }

    fn strip(&self, tree: &CheckedOut) -> HostResult<()> {
        self.act("strip", &tree.tree)
    }

    fn subject(&self, repository: &Path, revision: &Revision) -> HostResult<String> {
        self.commit_of("subject", revision, repository).map(|commit| commit.subject)
    }
}
