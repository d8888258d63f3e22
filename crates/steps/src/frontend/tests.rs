use release_core::command::{Inherit, Secret};
use release_core::config::Frontend;
use release_testkit::{Answer, Commit, REVISION, Scene};

use super::*;
use crate::cache::tests::is_used;

mod keys;
mod managers;
mod outputs;
mod packages;

const RELEASE: &str = "/srv/shop/releases/20261120T101500Z-3f2c1a9";
const PACKAGE: &str = r#"{"scripts": {"build": "vite build"}}"#;

fn app() -> Commit {
    app_at(REVISION)
}

fn app_at(revision: &str) -> Commit {
    Commit::new(revision)
        .file("manage.py", "")
        .file("templates/a.html", "<a>")
        .file("frontend/package.json", PACKAGE)
        .file("frontend/package-lock.json", "{}")
        .file("frontend/main.js", "1")
}

/// The commit is checked out, and the server has node and an npm that builds `dist`.
fn scene(commit: Commit) -> Scene {
    let scene = Scene::new();
    scene.host.commit(commit);
    scene.host.install("npm", "/usr/bin/npm");
    scene.host.install("node", "/usr/bin/node");
    scene.host.on("node --version", Answer::ok().says("v20.20.2"));
    scene.host.on_call("npm ci", |host, command| {
        host.put_file(command.directory.join("node_modules/vite/index.js"), "");
        Answer::ok()
    });
    scene.host.on_call("npm run build", |host, command| {
        host.put_file(command.directory.join("dist/app.js"), "built");
        Answer::ok()
    });
    check_out(&scene);
    scene
}

fn check_out(scene: &Scene) {
    let facts = &scene.facts;
    let (into, spare) = (facts.layout.checked_out(facts.release()), facts.layout.spare());
    let repo = facts.layout.repo();
    release_core::host::Git::checkout(&scene.host, &repo, &facts.revision, &into, &spare, None, &|_| {})
        .unwrap();
}

fn next_release(scene: &mut Scene) -> String {
    scene.facts.generation.release = "20261121T101500Z-3f2c1a9".parse().unwrap();
    scene.facts.env.insert("RELEASE_ID".to_owned(), Secret::new("20261121T101500Z-3f2c1a9"));
    check_out(scene);
    "/srv/shop/releases/20261121T101500Z-3f2c1a9".to_owned()
}

fn builds(scene: &Scene) -> usize {
    scene.host.commands_with("npm run build").len()
}

fn entries(scene: &Scene) -> Vec<std::path::PathBuf> {
    release_core::host::Files::list(&scene.host, "/srv/shop/cache/bundle".as_ref()).unwrap()
}

#[test]
fn a_front_end_is_found_and_built_in_its_directory() {
    let mut scene = scene(app());
    scene.facts.env.insert("API".to_owned(), Secret::new("https://api"));
    assert_eq!(scene.run(&Frontends).unwrap(), Outcome::DoneWith("frontend built".to_owned()));
    assert!(scene.host.exists(format!("{RELEASE}/frontend/dist/app.js")));
    assert!(!scene.host.exists(format!("{RELEASE}/frontend/node_modules")));
    let build = scene.host.commands_with("npm run build").remove(0);
    assert_eq!(build.directory.display().to_string(), format!("{RELEASE}/frontend"));
    assert_eq!((build.inherit, build.env["API"].reveal()), (Inherit::Network, "https://api"));
    assert_eq!(scene.host.commands_with("npm ci").remove(0).inherit, Inherit::All);
    assert!(!build.env.contains_key("RELEASE_ID"), "a bundle is used by many releases");
    let entry = entries(&scene).remove(0);
    assert_eq!(scene.host.text(entry.join("outputs/frontend/dist/app.js")).as_deref(), Some("built"));
    assert!(scene.host.exists(entry.join(".complete")));
    assert!(is_used(&scene, &entry, "20261120T101500Z-3f2c1a9"));
}

#[test]
fn an_app_below_the_top_has_its_front_end_in_itself_or_beside_it() {
    let commit = app().file("shop/ui/package.json", PACKAGE).file("shop/ui/package-lock.json", "{}");
    let mut scene = scene(commit);
    scene.facts.config.directory = "shop".to_owned();
    assert_eq!(scene.run(&Frontends).unwrap(), Outcome::DoneWith("shop/ui built".to_owned()));
    assert!(scene.host.exists(format!("{RELEASE}/shop/ui/dist/app.js")));
    assert!(!scene.host.exists(format!("{RELEASE}/frontend/dist")), "what lies beside it is not looked for");
    scene.facts.config.frontend = Some(vec![Frontend::usual("frontend")]);
    assert_eq!(scene.run(&Frontends).unwrap(), Outcome::DoneWith("frontend built".to_owned()));
    assert!(scene.host.exists(format!("{RELEASE}/frontend/dist/app.js")));
}

#[test]
fn a_second_run_and_another_release_use_the_bundle() {
    let mut scene = scene(app());
    scene.run(&Frontends).unwrap();
    let before = scene.host.all();
    assert_eq!(scene.run(&Frontends).unwrap(), Outcome::DoneWith("frontend from the cache".to_owned()));
    assert_eq!(scene.host.all(), before);
    assert!(matches!(scene.look(&Frontends).unwrap(), Look::Cached(_)));
    let release = next_release(&mut scene);
    scene.run(&Frontends).unwrap();
    assert!(scene.host.exists(format!("{release}/frontend/dist/app.js")));
    assert_eq!((builds(&scene), entries(&scene).len()), (1, 1));
}

#[test]
fn undo_forgets_a_whole_bundle_and_removes_a_half_one() {
    let scene = scene(app());
    scene.run(&Frontends).unwrap();
    scene.undo(&Frontends).unwrap();
    scene.undo(&Frontends).unwrap();
    let entry = entries(&scene).remove(0);
    assert!(scene.host.exists(entry.join(".complete")));
    assert!(!is_used(&scene, &entry, "20261120T101500Z-3f2c1a9"));

    let scene = self::scene(app());
    scene.host.fail_at("sync", "bundle");
    assert!(scene.run(&Frontends).is_err());
    assert_eq!(entries(&scene).len(), 1);
    scene.undo(&Frontends).unwrap();
    assert!(entries(&scene).is_empty());
}

#[test]
fn an_output_that_was_not_made_is_named() {
    let mut scene = scene(app());
    scene.facts.config.frontend = Some(vec![Frontend {
        outputs: vec!["dist".to_owned(), "build".to_owned()],
        ..Frontend::usual("frontend")
    }]);
    let error = scene.run(&Frontends).unwrap_err();
    assert_eq!(error.to_string(), "`npm run build` succeeded, but made no build");
    scene.undo(&Frontends).unwrap();
    assert!(entries(&scene).is_empty());
}

#[test]
fn a_tracked_output_is_replaced_by_the_bundle() {
    let mut scene = scene(app());
    scene.run(&Frontends).unwrap();
    let release = next_release(&mut scene);
    scene.host.put_file(format!("{release}/frontend/dist/stale.js"), "");
    scene.run(&Frontends).unwrap();
    assert!(!scene.host.exists(format!("{release}/frontend/dist/stale.js")));
}

#[test]
fn several_front_ends_are_each_built() {
    let commit = app().file("package.json", PACKAGE).file("yarn.lock", "");
    let scene = scene(commit);
    scene.host.install("yarn", "/usr/bin/yarn");
    scene.host.on_call("/usr/bin/yarn", |host, command| {
        if command.args == ["--version"] {
            return Answer::ok().says("1.22.19");
        }
        host.put_file(command.directory.join("dist/app.js"), "");
        Answer::ok()
    });
    let note = "the front end built; frontend built".to_owned();
    assert_eq!(scene.run(&Frontends).unwrap(), Outcome::DoneWith(note));
    assert_eq!(
        scene.host.commands_with("yarn install")[0].to_string(),
        "yarn install --frozen-lockfile --non-interactive"
    );
}

#[test]
fn what_is_no_front_end_is_skipped() {
    let packages = [
        Commit::new(REVISION).file("frontend/package.json", PACKAGE),
        Commit::new(REVISION).file("frontend/package.json", "{}").file("frontend/package-lock.json", ""),
        Commit::new(REVISION).file("a/b/package.json", PACKAGE).file("a/b/package-lock.json", ""),
    ];
    for commit in packages {
        let scene = scene(commit);
        assert_eq!(scene.run(&Frontends).unwrap(), Outcome::Skipped(NOTHING.to_owned()));
        assert_eq!(scene.look(&Frontends).unwrap(), Look::Nothing(NOTHING.to_owned()));
    }
}

#[test]
fn a_directory_that_leads_out_of_the_release_is_refused() {
    let mut scene = scene(Commit::new(REVISION).link("frontend", "/etc"));
    scene.host.put_dir("/etc");
    scene.facts.config.frontend = Some(vec![Frontend::usual("frontend")]);
    let error = scene.run(&Frontends).unwrap_err();
    assert_eq!(error.to_string(), "the front end's directory frontend leads out of the release");
    scene.facts.config.frontend = Some(vec![Frontend::usual("web")]);
    let error = scene.run(&Frontends).unwrap_err();
    assert_eq!(error.to_string(), "the front end's directory web is not in the revision");
}

#[test]
fn missing_programs_are_named_with_what_to_type() {
    let mut scene = scene(app());
    scene.facts.config.frontend =
        Some(vec![Frontend { install: Some("bun install".to_owned()), ..Frontend::usual("frontend") }]);
    let error = scene.run(&Frontends).unwrap_err();
    assert_eq!(error.to_string(), "there is no bun on this server, and the front end needs it");
    assert!(error.help().unwrap().contains("npm install --global bun"));
}

#[test]
fn a_failing_build_tells_its_last_lines() {
    let scene = scene(app());
    let output = "sh: 1: vite: not found";
    scene.host.on("npm run build", Answer::code(127).says("\x1b[31msh: 1: \x1b[0mvite: not found"));
    let error = scene.run(&Frontends).unwrap_err();
    assert_eq!(error.output(), [output]);
    assert!(error.help().unwrap().contains("devDependencies"));
}

#[test]
fn an_output_below_a_link_out_of_the_release_replaces_nothing_there() {
    let mut scene = scene(app().link("frontend/static", "/srv/shop/shared/static"));
    scene.host.put_file("/srv/shop/shared/static/bundle/precious.js", "1");
    let outputs = vec!["static/bundle".to_owned()];
    scene.facts.config.frontend = Some(vec![Frontend { outputs, ..Frontend::usual("frontend") }]);
    let error = scene.run(&Frontends).unwrap_err();
    assert_eq!(error.to_string(), "the front end's output static/bundle leads out of the release");
    assert_eq!(scene.host.text("/srv/shop/shared/static/bundle/precious.js").as_deref(), Some("1"));
}
