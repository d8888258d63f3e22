//! npm, yarn 1, yarn Berry and pnpm, and bundles that were built elsewhere.

use std::fs;
use std::process::Command;

use crate::project::{Project, all, seconds};

const BUILT: &str = "dist/built.txt";

/// Builds, takes from the cache, and builds again when the lock is newer.
fn builds(name: &'static str, lock: &str) -> Project {
    let project = Project::new(name, "");
    let first = project.deploy();
    assert!(first.built("frontend"), "{first}");
    assert_eq!(project.text(BUILT), "is-number 7.0.0\n");
    let second = project.sandbox.release(&["deploy", "--force", "--json"]).exits(0);
    assert!(!second.built("frontend"), "{second}");
    assert_eq!(project.text(BUILT), "is-number 7.0.0\n");
    assert_eq!(project.plan("frontend").0, "cached");
    println!("{name}: {:.1} s, from the cache {:.1} s", seconds(&first), seconds(&second));
    project.commit("more.js", "");
    let third = project.deploy();
    assert!(third.built("frontend"), "{third}");
    assert_eq!(project.text(BUILT), "is-number 7.0.0\n");
    let told = project.sandbox.release(&["log", "--step", "frontend"]).exits(0);
    // Berry may put packages anywhere.
    let taken = told.out.contains("the packages are taken from the cache");
    assert_eq!(taken, name != "berry", "{told}");
    println!("{name}: {:.1} s with other code", seconds(&third));
    project.bump();
    let (state, why) = project.plan("frontend");
    assert!(state == "needed" && why.contains(&format!("{lock} changed")), "{state}: {why}");
    assert!(project.deploy().built("frontend"));
    assert_eq!(project.text(BUILT), "is-number 6.0.0\n");
    project
}

#[test]
fn pnpm() {
    builds("pnpm", "pnpm-lock.yaml");
}

#[test]
fn npm() {
    if all("npm") {
        builds("npm", "package-lock.json");
    }
}

#[test]
fn yarn() {
    if all("yarn 1") {
        builds("yarn", "yarn.lock");
    }
}

#[test]
fn berry() {
    if all("yarn Berry") {
        builds("berry", "yarn.lock");
    }
}

#[test]
fn killed_while_it_brings_its_tool_along() {
    if !all("a kill while pnpm is installed") {
        return;
    }
    let project = Project::new("pnpm", "");
    project.kill_in("frontend", |root| root.join("cache/tool/pnpm-10.34.9").exists());
    assert!(project.deploy().built("frontend"));
    assert_eq!(project.text(BUILT), "is-number 7.0.0\n");
}

#[test]
fn an_archive_that_was_built_elsewhere() {
    let prebuilt = "frontend: [{prebuilt: \"shared/bundle-{revision}.tar.gz\"}]\n";
    let project = Project::new("npm", prebuilt);
    project.sandbox.release(&["deploy"]).exits(3).says("the prebuilt bundle").says("does not exist");
    let root = &project.sandbox.root;
    let elsewhere = project.sandbox.directory().join("ci");
    fs::create_dir_all(elsewhere.join("dist")).unwrap();
    fs::write(elsewhere.join(BUILT), "theirs\n").unwrap();
    let revision = Command::new("git").arg("-C").arg(root.join("repo")).args(["rev-parse", "main"]).output();
    let revision = String::from_utf8(revision.unwrap().stdout).unwrap();
    let archive = root.join(format!("shared/bundle-{}.tar.gz", revision.trim()));
    let packed = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&elsewhere).arg("dist").status();
    assert!(packed.unwrap().success());
    project.deploy();
    assert_eq!(project.text(BUILT), "theirs\n");
}

#[test]
fn a_node_that_does_not_fit_is_told_before_anything_is_built() {
    let project = Project::new("npm", "");
    project.commit(".nvmrc", "v1.2.3\n");
    project.sandbox.release(&["deploy"]).exits(3).says("node v1.2.3 is wanted (.nvmrc), and node here is v");
    assert!(project.sandbox.releases().is_empty());
}

#[test]
fn a_build_that_gets_no_more_memory_says_why() {
    let project = Project::new("npm", "build: {nice: 5, memory: 256m}\n");
    let greedy = "console.log('nice', require('os').getPriority());\n\
                  for (const all = [];;) all.push(Buffer.alloc(16 << 20, 1));\n";
    project.commit("build.js", greedy);
    let failed = project.sandbox.release(&["deploy"]).exits(3);
    failed
        .says("nice 5")
        .says("Array buffer allocation failed")
        .says("`build: {memory: 256m}` of release.yml");
    assert!(project.sandbox.releases().is_empty());
}
