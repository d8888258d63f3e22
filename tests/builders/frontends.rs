//! Several front ends in one app, and builds that are killed, with the real npm.

use std::fs;
use std::path::{Path, PathBuf};

use crate::project::Project;

const BUILT: &str = "dist/built.txt";

/// Begins to write, and goes on only where nothing holds it.
const HELD: &str = r#"
const { existsSync, mkdirSync, writeFileSync } = require("fs");
mkdirSync("dist", { recursive: true });
writeFileSync("dist/built.txt", "half");
if (existsSync(`${process.env.RELEASE_ROOT}/shared/hold`)) setInterval(() => {}, 1000);
else writeFileSync("dist/built.txt", `is-number ${require("is-number/package.json").version}\n`);
"#;

/// What the pages of the shop and of its admin load; each says when it was built.
fn bundles(project: &Project) -> [String; 2] {
    ["static/shop/bundle.js", "static/admin.js"].map(|file| project.text(file))
}

#[track_caller]
fn assert_made_with(bundles: &[String; 2], api: &str) {
    let [shop, admin] = bundles;
    assert!(shop.starts_with(&format!("is-number 7.0.0, {api}, undefined, ")), "{shop}");
    assert!(admin.starts_with(&format!("admin, {api}, undefined, ")), "{admin}");
}

#[test]
fn two_front_ends_beside_their_outputs_and_with_variables() {
    let project = Project::new("fronts", "");
    project.variables("API=https://one.example\n");
    // npm would leave out what the build needs, and keep it so in the cache.
    let shell = [("SHELL_ONLY", "one"), ("NODE_ENV", "production")];
    project.release_with(&shell, &["deploy"]).exits(0);
    let first = bundles(&project);
    assert_made_with(&first, "https://one.example");

    project.commit("notes.txt", "of no matter");
    let second = project.release_with(&[("SHELL_ONLY", "two")], &["deploy", "--json"]).exits(0);
    assert!(!second.built("frontend"), "{second}");
    assert_eq!(bundles(&project), first, "a variable of the shell is none of the app's");
    assert_eq!(
        [project.text("static/kept.css"), project.text("admin/dist/index.html")],
        ["kept\n", "admin\n"]
    );

    project.commit("admin/more.js", "");
    project.deploy();
    let third = bundles(&project);
    assert!(third[0] == first[0] && third[1] != first[1], "one of the two is built: {third:?}");

    project.variables("API=https://two.example\n");
    let (state, why) = project.plan("frontend");
    let both = ["shop", "admin"].map(|name| format!("{name}: the variable API changed"));
    assert!(state == "needed" && both.iter().all(|text| why.contains(text)), "{state}: {why}");
    project.sandbox.release(&["deploy", "--force"]).exits(0);
    assert_made_with(&bundles(&project), "https://two.example");
}

#[test]
fn killed_while_npm_installs_and_while_it_builds() {
    let project = Project::new("npm", "");
    project.kill_in("frontend", is_installing);
    assert_eq!(entries(&project, "node"), [""; 0].map(PathBuf::from));
    assert!(project.deploy().built("frontend"));
    assert_eq!(project.text(BUILT), "is-number 7.0.0\n");

    project.bump();
    project.commit("build.js", HELD);
    let hold = project.sandbox.root.join("shared/hold");
    fs::write(&hold, "").unwrap();
    project.kill_in("frontend", |root| {
        releases(root).any(|release| fs::read(release.join(BUILT)).is_ok_and(|text| text == b"half"))
    });
    fs::remove_file(&hold).unwrap();
    assert_eq!(project.text(BUILT), "is-number 7.0.0\n", "the active release is as it was");
    assert!(project.deploy().built("frontend"));
    assert_eq!(project.text(BUILT), "is-number 6.0.0\n");
    let told = project.sandbox.release(&["log", "--step", "frontend"]).exits(0);
    told.says("the packages are taken from the cache");
    for kind in ["node", "bundle"] {
        let entries = entries(&project, kind);
        let whole = |entry: &PathBuf| entry.join(".complete").exists();
        assert!(entries.len() == 2 && entries.iter().all(whole), "{entries:?}");
    }
}

/// npm writes its hidden lock file last.
fn is_installing(root: &Path) -> bool {
    releases(root)
        .map(|release| release.join("node_modules"))
        .any(|packages| packages.join("is-number").exists() && !packages.join(".package-lock.json").exists())
}

fn releases(root: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(root.join("releases")).into_iter().flatten().map(|entry| entry.unwrap().path())
}

/// What the cache holds of a kind, whole or not.
fn entries(project: &Project, kind: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(project.sandbox.root.join("cache").join(kind)) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}
