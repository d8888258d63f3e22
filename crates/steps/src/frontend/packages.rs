//! What a front end's lock file installs: `node_modules`, once for equal locks.
//!
//! A build gets a copy of its own, which shares its blocks with the entry where the file system
//! can: bundlers write into `node_modules` (`.vite`, `.cache`), and a link would let them write
//! into what other builds use.

use std::path::Path;

use release_core::cache_key::CacheKey;
use release_core::config::Frontend;
use release_core::host::HostResult;
use release_core::step::{Context, StepError};
use serde_json::Value;

use super::build::{copy, words};
use super::detect::{file, in_directory, package};
use super::key::with_variables;
use super::manager::Manager;
use super::node::fitting_node;
use crate::cache::{self, Build, Provided};

/// The kind of its entries.
pub(super) const KIND: &str = "node";
const NAME: &str = "node_modules";

/// The packages of one front end.
pub(super) struct Packages(pub(super) Build);

/// Scripts of the project that run when its packages are installed: they may read anything.
const SCRIPTS: [&str; 7] =
    ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/// Where managers find settings, and what they change in packages.
const SETTINGS: [&str; 6] = [".npmrc", ".yarnrc", ".pnpmfile.cjs", "pnpm-workspace.yaml", "patches", ".yarn"];

/// What `package.json` says that no installation depends on.
const OF_NO_MATTER: [&str; 4] = ["version", "description", "scripts", "browserslist"];

impl Packages {
    /// Since when they are there, or why they have to be installed.
    pub(super) fn outlook(&self, cx: &Context<'_>) -> HostResult<String> {
        match self.0.find(cx)? {
            Some(entry) => cache::since(cx, &entry),
            None => self.0.why_needed(cx),
        }
    }

    /// The release uses them, although they are not needed to build it.
    pub(super) fn keep(&self, cx: &Context<'_>) -> HostResult<()> {
        self.0.keep(cx)
    }

    /// Puts them into the front end's directory, by `install` if they are not there yet.
    pub(super) fn provide(
        &self,
        cx: &Context<'_>,
        directory: &Path,
        install: impl FnOnce() -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        let place = directory.join(NAME);
        let Provided { entry, cached } = self.0.provide(cx, |entry| {
            install()?;
            // A project without any package has no such directory.
            cx.host.make_dir(&place)?;
            Ok(copy(cx, &place, &entry.join(NAME))?)
        })?;
        if cached {
            cx.line("the packages are taken from the cache");
            cx.host.remove(&place)?;
            copy(cx, &entry.join(NAME), &place)?;
        }
        Ok(())
    }
}

/// What is installed for a front end; `None` where that depends on more than can be known.
pub(super) fn build(
    cx: &Context<'_>,
    frontend: &Frontend,
    manager: Option<&Manager>,
) -> Result<Option<Packages>, StepError> {
    let Some(manager) = manager.filter(|manager| manager.fills_node_modules()) else { return Ok(None) };
    let (install, _) = words(frontend, Some(manager));
    let calls_manager = install.split_whitespace().next() == Some(manager.program());
    if !calls_manager || !is_plain(cx, frontend, manager)? {
        return Ok(None);
    }
    let key = key(cx, frontend, manager, install)?;
    Ok(Some(Packages(Build { kind: KIND, of: frontend.directory.clone(), key })))
}

/// Whether the lock file and the settings beside it say it all.
fn is_plain(cx: &Context<'_>, frontend: &Frontend, manager: &Manager) -> HostResult<bool> {
    let directory = &frontend.directory;
    let package = package(cx, directory)?.unwrap_or_default();
    let lock = file(cx, directory, manager.lock)?.unwrap_or_default();
    let workspace = file(cx, directory, "pnpm-workspace.yaml")?.unwrap_or_default();
    let has = |text: &[u8], word: &str| String::from_utf8_lossy(text).contains(word);
    let runs_own = SCRIPTS.iter().any(|script| package["scripts"].get(script).is_some());
    let is_tracked = content(cx, &in_directory(directory, NAME))?.is_some();
    Ok(!locks_local(&String::from_utf8_lossy(&lock))
        && !runs_own
        && !is_tracked
        && package.get("workspaces").is_none()
        && !has(&workspace, "packages:"))
}

/// Whether a lock file names packages that lie beside it.
fn locks_local(lock: &str) -> bool {
    // pnpm writes `excludeLinksFromLockfile:` into each of its own.
    let is_word = |at: usize| !lock[..at].ends_with(|before: char| before.is_alphanumeric());
    let names = |word: &str| lock.match_indices(word).any(|(at, _)| is_word(at));
    ["file:", "link:", "portal:", "workspace:", "\"link\": true"].into_iter().any(names)
}

fn key(
    cx: &Context<'_>,
    frontend: &Frontend,
    manager: &Manager,
    install: &str,
) -> Result<CacheKey, StepError> {
    let directory = &frontend.directory;
    let mut package = package(cx, directory)?.unwrap_or_default();
    if let Value::Object(fields) = &mut package {
        fields.retain(|name, _| !OF_NO_MATTER.contains(&name.as_str()));
    }
    let lock = in_directory(directory, manager.lock);
    let mut key = CacheKey::new(KIND, 2)
        .shown("node", &fitting_node(cx, frontend)?)
        .shown("what installs", install)
        .shown("the package manager", &manager.name())
        .with(&lock, content(cx, &lock)?.unwrap_or_default())
        .with("package.json", package.to_string());
    for name in SETTINGS {
        if let Some(id) = content(cx, &in_directory(directory, name))? {
            key = key.with(name, id);
        }
    }
    Ok(with_variables(cx.run, key))
}

fn content(cx: &Context<'_>, path: &str) -> HostResult<Option<String>> {
    cx.host.content_id(&cx.run.layout.repo(), &cx.run.revision, path)
}
