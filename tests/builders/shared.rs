//! Two roots of one server that share their cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::project::Project;
use crate::support::Finished;

/// Two roots of one project, and their cache.
struct Neighbours {
    first: Project,
    second: Project,
    cache: TempDir,
}

impl Neighbours {
    fn new() -> Self {
        let cache = tempfile::Builder::new().prefix("rl-cache-").tempdir_in("/tmp").unwrap();
        let more = format!("keep: 2\ncache: {}\npython: {{installer: pip}}\n", cache.path().display());
        let [first, second] = [0, 1].map(|_| Project::new("pip", &more));
        Self { first, second, cache }
    }

    fn entries(&self) -> Vec<PathBuf> {
        let mut entries: Vec<_> = list(&self.cache.path().join("venv"));
        entries.sort();
        entries
    }

    /// Whether somebody is in the middle of building.
    fn is_building(&self) -> bool {
        self.entries().iter().any(|entry| !entry.join(".complete").exists() && entry.join("bin/pip").exists())
    }

    fn assert_shared(&self) {
        let [first, second] = [&self.first, &self.second].map(venv);
        assert_eq!(first, second);
        assert!(first.starts_with(self.cache.path()), "{}", first.display());
        assert_eq!(list(&self.cache.path().join("trash")), [""; 0].map(PathBuf::from));
    }
}

fn list(directory: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(directory) else { return Vec::new() };
    found.map(|entry| entry.unwrap().path()).collect()
}

fn venv(project: &Project) -> PathBuf {
    fs::canonicalize(project.sandbox.root.join("current/venv")).unwrap()
}

#[track_caller]
fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !ready() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn bytes(done: &Finished) -> u64 {
    done.json()["bytes"].as_u64().unwrap()
}

#[test]
fn two_roots_that_deploy_at_once_build_one_environment() {
    let roots = Neighbours::new();
    let mut first = roots.first.sandbox.start(&["deploy"]);
    wait_until("the first build", || roots.is_building() || first.is_over());
    let second = roots.second.deploy();
    first.finish().exits(0);
    assert!(!second.built("venv"), "{second}");
    let told = roots.second.sandbox.release(&["log", "--step", "venv"]).exits(0);
    let waited = format!("waiting for {}, which builds the same venv", roots.first.sandbox.root.display());
    assert!(told.out.contains(&waited), "{told}");
    roots.assert_shared();
    assert_eq!(roots.entries().len(), 1);
}

#[test]
fn what_a_killed_build_left_is_built_again_by_whoever_comes_next() {
    let roots = Neighbours::new();
    roots.first.deploy();
    roots.second.deploy();
    roots.first.bump();
    roots.second.bump();
    roots.first.kill_in("venv", |_| roots.is_building());
    assert!(roots.second.deploy().built("venv"));
    assert!(!roots.first.deploy().built("venv"));
    roots.assert_shared();
    assert_eq!(roots.entries().len(), 2, "each root goes back to the first one");

    let nothing = roots.first.sandbox.release(&["prune", "--dry-run", "--json"]).exits(0);
    assert_eq!(bytes(&nothing), 0, "{nothing}");
    // The root that is gone needed nothing that the other one does not need.
    let away = roots.second.sandbox.root.with_extension("away");
    fs::rename(&roots.second.sandbox.root, &away).unwrap();
    assert_eq!(bytes(&roots.first.sandbox.release(&["prune", "--dry-run", "--json"]).exits(0)), 0);
    // Two releases later nobody goes back to the first one.
    for name in ["one", "two"] {
        roots.first.commit(name, "");
        roots.first.deploy();
    }
    assert_eq!(roots.entries(), [venv(&roots.first)]);
    fs::rename(&away, &roots.second.sandbox.root).unwrap();
}
