//! pip, uv, Poetry, Pipenv, `pylock.toml`, and a project that is itself a package.

use std::fs;
use std::path::Path;

use crate::project::{Project, SIX, all, seconds};

/// The modules of the environment that the first process would have to compile.
const NOT_COMPILED: &str = "
import importlib.util, pathlib, sysconfig
modules = pathlib.Path(sysconfig.get_path('purelib')).rglob('*.py')
print([str(one) for one in modules if not pathlib.Path(importlib.util.cache_from_source(str(one))).exists()])";

/// Builds, takes from the cache, and builds again when the lock is newer.
fn builds(name: &'static str, more: &str, lock: &str) -> Project {
    let project = Project::new(name, more);
    let first = project.deploy();
    assert!(first.built("venv"), "{first}");
    assert_eq!(project.python(NOT_COMPILED), "[]", "whatever installs also compiles");
    assert_eq!(project.python(SIX), "1.16.0");
    assert!(!project.has("toml"), "packages for developers are left out");
    project.commit("notes.txt", "of no matter");
    assert_eq!(project.plan("venv").0, "cached");
    let second = project.deploy();
    assert!(!second.built("venv"), "{second}");
    println!("{name}: {:.1} s, from the cache {:.1} s", seconds(&first), seconds(&second));
    project.bump();
    let (state, why) = project.plan("venv");
    assert!(state == "needed" && why.contains(&format!("{lock} changed")), "{state}: {why}");
    assert!(project.deploy().built("venv"));
    assert_eq!(project.python(SIX), "1.17.0");
    project
}

/// One of two groups, and one of two extras.
#[track_caller]
fn assert_has_what_was_asked_for(project: &Project) {
    let has = ["packaging", "toml", "idna", "iniconfig"].map(|module| project.has(module));
    assert_eq!(has, [true, false, true, false]);
}

#[test]
fn uv() {
    let project = builds("uv", "python: {groups: [more], extras: [fast]}\n", "uv.lock");
    assert_has_what_was_asked_for(&project);
}

#[test]
fn poetry() {
    let project = builds("poetry", "python: {groups: [more], extras: [fast]}\n", "poetry.lock");
    assert_has_what_was_asked_for(&project);
}

#[test]
fn pip() {
    if all("pip") {
        builds("pip", "python: {installer: pip}\n", "requirements.txt");
    }
}

#[test]
fn pipenv() {
    if all("pipenv") {
        let project = builds("pipenv", "python: {groups: [more]}\n", "Pipfile.lock");
        assert!(project.has("packaging"), "a group that was asked for");
    }
}

#[test]
fn pylock() {
    if all("pylock.toml") {
        builds("pylock", "", "pylock.toml");
        builds("pylock", "python: {installer: pip}\n", "pylock.toml");
    }
}

#[test]
fn a_project_that_is_itself_a_package() {
    if !all("a package") {
        return;
    }
    let project = Project::new("package", "python: {installer: pip, packages: [packaging==24.0]}\n");
    assert!(project.deploy().built("venv"));
    let version = "import hello; print(hello.VERSION, hello.__file__)";
    let said = project.python(version);
    assert!(said.starts_with("1.0 ") && said.contains("/site-packages/"), "{said}");
    assert!(project.has("packaging"));
    assert!(!project.sandbox.release(&["deploy", "--force", "--json"]).exits(0).built("venv"));
    project.bump();
    assert!(project.deploy().built("venv"));
    assert!(project.python(version).starts_with("2.0 "));
}

#[test]
fn killed_while_it_installs() {
    let project = Project::new("uv", "");
    // The environment is there, and not yet all that belongs into it.
    project.kill_in("venv", |root| !entries(root).is_empty());
    assert!(project.deploy().built("venv"));
    assert_eq!(project.python(SIX), "1.16.0");
    assert_eq!(entries(&project.sandbox.root).len(), 1);
}

#[test]
fn rebuilt_on_request_beside_what_a_release_runs_from() {
    let project = Project::new("uv", "");
    project.deploy();
    let first = fs::canonicalize(project.sandbox.root.join("current/venv")).unwrap();
    let marker = first.join("bin/marker");
    fs::write(&marker, "").unwrap();
    let anew = project.sandbox.release(&["deploy", "--no-cache", "--json"]).exits(0);
    assert!(anew.built("venv"), "{anew}");
    let second = fs::canonicalize(project.sandbox.root.join("current/venv")).unwrap();
    assert!(first != second && marker.exists(), "the older release keeps its own");
    project.commit("notes.txt", "of no matter");
    project.deploy();
    assert_eq!(fs::canonicalize(project.sandbox.root.join("current/venv")).unwrap(), second);
    project.sandbox.release(&["rollback"]).exits(0);
    assert_eq!(project.python(SIX), "1.16.0");
}

#[test]
fn a_python_that_is_not_there_is_told_before_anything_is_built() {
    let project = Project::new("pip", "");
    project.commit(".python-version", "3.7.99\n");
    let failed = project.sandbox.release(&["deploy"]).exits(3);
    let failed = failed.says("python 3.7 (.python-version) is wanted, and this server has only python3 (3.");
    drop(failed);
    assert!(project.sandbox.releases().is_empty());
}

fn entries(root: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(root.join("cache/venv")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}
