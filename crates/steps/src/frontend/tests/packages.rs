//! What is installed, once for equal locks.

use super::*;
use crate::frontend::packages;

fn key(commit: Commit, change: &dyn Fn(&mut Scene)) -> Option<String> {
    let mut scene = scene(commit);
    change(&mut scene);
    let cx = scene.context("frontend");
    let frontend = frontends(&cx).unwrap().remove(0);
    let manager = crate::frontend::manager::Manager::by_lock(&cx, &frontend.directory).unwrap();
    packages::build(&cx, &frontend, manager.as_ref()).unwrap().map(|packages| packages.0.key.finish())
}

fn tree(path: &str, text: &str) -> Option<String> {
    key(app().file(path, text), &|_| {})
}

/// Another lock file than npm's.
fn locked_by(lock: &str, text: &str) -> Option<String> {
    let commit = Commit::new(REVISION).file("frontend/package.json", PACKAGE);
    key(commit.file(&format!("frontend/{lock}"), text), &|_| {})
}

fn installing(command: &'static str) -> impl Fn(&mut Scene) {
    move |scene| {
        let install = Some(command.to_owned());
        scene.facts.config.frontend = Some(vec![Frontend { install, ..Frontend::usual("frontend") }]);
    }
}

#[test]
fn everything_that_is_installed_by_makes_another_entry() {
    let table = [
        ("as it is", key(app(), &|_| {})),
        ("the lock", tree("frontend/package-lock.json", "{\"a\": 1}")),
        (
            "a dependency",
            tree(
                "frontend/package.json",
                "{\"dependencies\": {\"a\": \"1\"}, \"scripts\": {\"build\": \"\"}}",
            ),
        ),
        ("a setting", tree("frontend/.npmrc", "legacy-peer-deps=true")),
        ("a patch", tree("frontend/patches/a.patch", "")),
        (
            "another manager",
            locked_by("pnpm-lock.yaml", "lockfileVersion: '9.0'\n  excludeLinksFromLockfile: false\n"),
        ),
        ("node", key(app(), &|scene| scene.host.on("node --version", Answer::ok().says("v22.1.0")))),
        (
            "a variable",
            key(app(), &|scene| {
                drop(scene.facts.env.insert("NODE_ENV".to_owned(), Secret::new("production")))
            }),
        ),
        ("the command", key(app(), &installing("npm ci --omit=optional"))),
    ];
    for (index, (what, key)) in table.iter().enumerate() {
        assert!(key.is_some(), "{what}");
        for (other, earlier) in &table[..index] {
            assert_ne!(key, earlier, "{what} is like {other}");
        }
    }
}

#[test]
fn what_is_built_of_them_makes_no_other_one() {
    let expected = key(app(), &|_| {});
    let package = "{\"version\": \"2\", \"scripts\": {\"build\": \"vite build --minify\"}}";
    for (what, key) in [
        ("a source", tree("frontend/main.js", "2")),
        ("the app", tree("manage.py", "changed")),
        ("a script", tree("frontend/package.json", package)),
        (
            "the terminal",
            key(app(), &|scene| drop(scene.facts.env.insert("TERM".to_owned(), Secret::new("dumb")))),
        ),
    ] {
        assert_eq!(key, expected, "{what}");
    }
}

#[test]
fn where_it_depends_on_more_than_can_be_known_they_are_installed_each_time() {
    let package = |more: &str| tree("frontend/package.json", &format!("{{{more}, \"x\": 1}}"));
    for (what, key) in [
        (
            "a script of the project",
            package("\"scripts\": {\"build\": \"\", \"postinstall\": \"node own.js\"}"),
        ),
        ("workspaces", package("\"scripts\": {\"build\": \"\"}, \"workspaces\": [\"a\"]")),
        ("a package beside it", tree("frontend/package-lock.json", "{\"resolved\": \"file:../ui\"}")),
        ("a linked package", tree("frontend/package-lock.json", "{\"link\": true}")),
        ("tracked packages", tree("frontend/node_modules/a.js", "")),
        ("another program", key(app(), &installing("make packages"))),
        ("Berry", locked_by("yarn.lock", "\n__metadata:\n")),
    ] {
        assert_eq!(key, None, "{what}");
    }
}

#[test]
fn another_source_is_built_with_the_same_packages() {
    let mut scene = scene(app());
    scene.host.on_call("npm run build", |host, command| {
        let packages = command.directory.join("node_modules");
        assert!(host.exists(packages.join("vite/index.js")));
        host.put_file(packages.join(".vite/cache"), "written by a build");
        host.put_file(command.directory.join("dist/app.js"), "built");
        Answer::ok()
    });
    scene.run(&Frontends).unwrap();
    let next = REVISION.replace('3', "4");
    scene.host.commit(app_at(&next).file("frontend/main.js", "2"));
    scene.facts.revision = next.parse().unwrap();
    let release = next_release(&mut scene);
    let Look::Needed(why) = scene.look(&Frontends).unwrap() else { panic!("it is cached") };
    assert!(why.ends_with("(its packages: built 2026-11-20 10:15 UTC)"), "{why}");
    scene.run(&Frontends).unwrap();
    assert_eq!((builds(&scene), scene.host.commands_with("npm ci").len()), (2, 1));
    assert!(!scene.host.exists(format!("{release}/frontend/node_modules")));
    let entries = release_core::host::Files::list(&scene.host, "/srv/shop/cache/node".as_ref()).unwrap();
    assert_eq!(entries.len(), 1);
    assert!(!scene.host.exists(entries[0].join("node_modules/.vite")), "an entry is never changed");
    scene.undo(&Frontends).unwrap();
    assert!(!is_used(&scene, &entries[0], "20261121T101500Z-3f2c1a9"));
    assert!(is_used(&scene, &entries[0], "20261120T101500Z-3f2c1a9"));
}

#[test]
fn they_stay_while_a_release_uses_the_bundle_that_was_built_with_them() {
    let mut scene = scene(app());
    scene.run(&Frontends).unwrap();
    next_release(&mut scene);
    scene.run(&Frontends).unwrap();
    let entries = release_core::host::Files::list(&scene.host, "/srv/shop/cache/node".as_ref()).unwrap();
    assert!(is_used(&scene, &entries[0], "20261121T101500Z-3f2c1a9"));
    assert_eq!(scene.host.commands_with("npm ci").len(), 1);
}
