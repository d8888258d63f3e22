use std::path::Path;

use release_core::config::{Installer, Python};
use release_testkit::{Answer, Commit, Node, REVISION, Scene};

use super::*;
use crate::cache::tests::is_used;

mod keys;
mod tools;

const RELEASE: &str = "/srv/shop/releases/20261120T101500Z-3f2c1a9";

const ABOUT: &str = r#"{"executable": "/usr/bin/python3.11", "version": "3.11.7", "build": "3.11.7 (main)",
                        "platform": "linux-x86_64", "pip": "24.0"}"#;

fn about(version: &str) -> Answer {
    Answer::ok().says(&ABOUT.replace('\n', "").replace("3.11.7", version))
}

/// A release with one requirement, and a server with Python 3.11 and pip.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.host.put_file(format!("{RELEASE}/requirements.txt"), "Django==5.2.19\n");
    scene.host.install("python3", "/usr/bin/python3");
    scene.host.on("python3 -I -S -c", about("3.11.7"));
    scene.host.on_call("-m venv", |host, command| {
        host.put_file(format!("{}/bin/python", command.args[2]), "");
        Answer::ok()
    });
    scene.host.on("-m pip install", Answer::ok().says("Successfully installed Django-5.2.19"));
    scene
}

fn entries(scene: &Scene) -> Vec<std::path::PathBuf> {
    let all = scene.host.all();
    let stands = |path: &&std::path::PathBuf| path.parent() == Some(Path::new("/srv/shop/cache/venv"));
    all.keys().filter(stands).cloned().collect()
}

#[test]
fn the_environment_is_built_in_its_place_and_linked() {
    let scene = scene();
    assert_eq!(scene.run(&Venv).unwrap(), Outcome::DoneWith("python 3.11.7, pip 24.0".to_owned()));
    let entry = entries(&scene).remove(0);
    let Some(Node::Link(target)) = scene.host.node(format!("{RELEASE}/venv")) else { panic!("no link") };
    assert_eq!(target, Path::new("../../cache/venv").join(entry.file_name().unwrap()));
    assert!(scene.host.exists(format!("{RELEASE}/venv/bin/python")));
    assert!(scene.host.exists(entry.join(".complete")));
    assert!(is_used(&scene, &entry, "20261120T101500Z-3f2c1a9"));
    let pip = scene.host.commands_with("pip install").remove(0);
    assert_eq!(pip.program, entry.join("bin/python"));
    let args = "-m pip install --no-input --disable-pip-version-check --progress-bar off -r requirements.txt";
    assert_eq!((pip.args.join(" ").as_str(), pip.directory.as_path()), (args, Path::new(RELEASE)));
}

#[test]
fn an_app_below_the_top_installs_its_own_and_two_apps_share_what_is_equal() {
    let mut scene = scene();
    scene.run(&Venv).unwrap();
    scene.facts.config.directory = "services/shop".to_owned();
    scene.host.put_file(format!("{RELEASE}/services/shop/requirements.txt"), "Django==5.2.19\n");
    scene.run(&Venv).unwrap();
    assert_eq!(entries(&scene).len(), 1, "equal requirements are one environment");
    let own = "-r ../base.txt\n";
    scene.host.put_file(format!("{RELEASE}/services/shop/requirements.txt"), own);
    scene.host.put_file(format!("{RELEASE}/services/base.txt"), "Django==5.2.18\n");
    scene.run(&Venv).unwrap();
    assert_eq!(entries(&scene).len(), 2);
    let pip = scene.host.commands_with("pip install").pop().unwrap();
    assert_eq!(pip.directory, Path::new(RELEASE).join("services/shop"));
    scene.host.put_file(format!("{RELEASE}/services/base.txt"), "Django==5.2.17\n");
    scene.run(&Venv).unwrap();
    assert_eq!(entries(&scene).len(), 3, "what is included beside the app counts");
}

#[test]
fn the_stamp_comes_last_after_all_is_on_the_disk() {
    let scene = scene();
    scene.run(&Venv).unwrap();
    let effects = scene.host.effects();
    let at = |part: &str| effects.iter().position(|effect| effect.contains(part)).unwrap();
    assert!(at("pip install") < at("sync ") && at("sync ") < at(".complete"), "{effects:?}");
}

#[test]
fn a_second_run_is_skipped_and_another_release_uses_the_same() {
    let mut scene = scene();
    scene.run(&Venv).unwrap();
    assert!(matches!(scene.run(&Venv).unwrap(), Outcome::Skipped(_)));
    assert_eq!(scene.look(&Venv).unwrap(), Look::Cached("built 2026-11-20 10:15 UTC".to_owned()));
    scene.facts.generation.release = "20261121T101500Z-3f2c1a9".parse().unwrap();
    scene.host.put_file("/srv/shop/releases/20261121T101500Z-3f2c1a9/requirements.txt", "Django==5.2.19\n");
    assert_eq!(scene.run(&Venv).unwrap(), Outcome::DoneWith("from the cache".to_owned()));
    assert_eq!(scene.host.commands_with("pip install").len(), 1);
    assert_eq!(entries(&scene).len(), 1);
}

#[test]
fn what_is_installed_from_the_release_itself_is_not_shared() {
    let mut scene = scene();
    scene.host.put_file(format!("{RELEASE}/requirements.txt"), "-e .\n");
    scene.run(&Venv).unwrap();
    scene.facts.generation.release = "20261121T101500Z-3f2c1a9".parse().unwrap();
    scene.host.put_file("/srv/shop/releases/20261121T101500Z-3f2c1a9/requirements.txt", "-e .\n");
    scene.run(&Venv).unwrap();
    assert_eq!(entries(&scene).len(), 2);
}

#[test]
fn uv_is_used_where_it_is() {
    let scene = scene();
    scene.host.install("uv", "/usr/bin/uv");
    scene.host.on("uv --version", Answer::ok().says("uv 0.9.1"));
    scene.host.on("uv venv", Answer::ok());
    scene.host.on("uv pip install", Answer::ok());
    assert_eq!(scene.run(&Venv).unwrap(), Outcome::DoneWith("python 3.11.7, uv 0.9.1".to_owned()));
    let install = scene.host.commands_with("uv pip").remove(0);
    let entry = entries(&scene).remove(0);
    assert_eq!(
        install.to_string(),
        format!(
            "uv pip install --compile-bytecode --python {}/bin/python -r requirements.txt",
            entry.display()
        )
    );
}

#[test]
fn undo_forgets_a_whole_environment_and_removes_a_half_one() {
    let scene = scene();
    scene.run(&Venv).unwrap();
    scene.undo(&Venv).unwrap();
    scene.undo(&Venv).unwrap();
    let entry = entries(&scene).remove(0);
    assert!(scene.host.exists(entry.join(".complete")));
    assert!(!is_used(&scene, &entry, "20261120T101500Z-3f2c1a9"));

    let scene = self::scene();
    scene
        .host
        .on("-m pip install", Answer::code(1).says("ERROR: No matching distribution found for Django==9"));
    let error = scene.run(&Venv).unwrap_err();
    assert_eq!(error.output(), ["ERROR: No matching distribution found for Django==9"]);
    assert!(error.help().unwrap().contains("cannot be found for this Python"));
    scene.undo(&Venv).unwrap();
    assert!(entries(&scene).is_empty());
}

#[test]
fn what_a_killed_build_left_is_built_anew() {
    let scene = scene();
    scene.host.fail_on("sync");
    assert!(scene.run(&Venv).is_err());
    let entry = entries(&scene).remove(0);
    scene.host.put_file(entry.join("half.py"), "");
    scene.host.heal();
    scene.run(&Venv).unwrap();
    assert!(!scene.host.exists(entry.join("half.py")));
}

#[test]
fn a_missing_interpreter_is_named_with_those_that_are_there() {
    let mut scene = scene();
    scene.facts.config.python.version = Some("3.13".to_owned());
    // A shim of a version that is not installed.
    scene.host.install("python3.13", "/shims/python3.13");
    scene.host.on("/shims/python3.13", Answer::code(127).says("python3.13: command not found"));
    let error = scene.run(&Venv).unwrap_err();
    let what = "python 3.13 (python.version) is wanted, and this server has only python3 (3.11.7)";
    assert_eq!(error.to_string(), what);
    assert!(error.help().unwrap().contains("apt install python3.13"));
}

#[test]
fn another_patch_version_than_the_wanted_one_is_refused() {
    let mut scene = scene();
    scene.host.install("python3.11", "/usr/bin/python3.11");
    scene.host.on("python3.11 -I -S -c", about("3.11.7"));
    scene.facts.config.python.version = Some("3.11.70".to_owned());
    let error = scene.run(&Venv).unwrap_err();
    let what = "python 3.11.70 (python.version) is wanted, and this server has only python3 (3.11.7), python3.11 (3.11.7)";
    assert_eq!(error.to_string(), what);
    scene.facts.config.python.version = Some("3.11".to_owned());
    assert!(scene.run(&Venv).is_ok());
}

#[test]
fn a_system_without_ensurepip_is_told_what_to_install() {
    let scene = scene();
    scene
        .host
        .on("python3 -I -S -c", Answer::ok().says(&ABOUT.replace('\n', "").replace("\"24.0\"", "null")));
    assert!(scene.run(&Venv).unwrap_err().help().unwrap().contains("apt install python3.11-venv"));
}

#[test]
fn files_that_are_not_there_are_named() {
    let scene = scene();
    scene.host.put_file(format!("{RELEASE}/requirements.txt"), "-r base.txt\n");
    let error = scene.run(&Venv).unwrap_err();
    assert_eq!(error.to_string(), "requirements.txt includes base.txt, which is not in the revision");
}

#[test]
fn without_requirements_only_an_app_without_django_goes_on() {
    let mut scene = Scene::new();
    scene.host.put_dir(RELEASE);
    assert!(scene.run(&Venv).unwrap_err().to_string().contains("no lock file and no requirements.txt"));
    scene.facts.config.django = None;
    assert_eq!(scene.run(&Venv).unwrap(), Outcome::Skipped(NOTHING.to_owned()));
}

#[test]
fn a_look_before_the_checkout_reads_the_revision() {
    let scene = scene();
    scene.host.commit(Commit::new(REVISION).file("requirements.txt", "Django==5.2.19\n"));
    scene.run(&Venv).unwrap();
    release_core::host::Files::remove(&scene.host, RELEASE.as_ref()).unwrap();
    assert!(matches!(scene.look(&Venv).unwrap(), Look::Cached(_)));
}

#[test]
fn what_has_changed_since_the_last_one_is_told() {
    let scene = scene();
    let needed = |why: &str| Look::Needed(why.to_owned());
    assert_eq!(scene.look(&Venv).unwrap(), needed("nothing like it has been built here yet"));
    scene.run(&Venv).unwrap();
    scene.host.put_file(format!("{RELEASE}/requirements.txt"), "Django==6.0\n");
    assert_eq!(scene.look(&Venv).unwrap(), needed("requirements.txt changed"));
    scene.host.on("python3 -I -S -c", about("3.11.8"));
    assert!(
        matches!(scene.look(&Venv).unwrap(), Look::Needed(why) if why.starts_with("python was 3.11.7 and is 3.11.8, "))
    );
}

#[test]
fn an_environment_of_an_earlier_version_of_release_is_compared_with_nothing() {
    let scene = scene();
    scene.host.put_file("/srv/shop/cache/venv/old/.complete", "");
    scene.run(&Venv).unwrap();
    assert_eq!(entries(&scene).len(), 2);
}

#[test]
fn without_the_cache_a_second_one_is_built_beside_the_first_and_used_from_then_on() {
    let mut scene = scene();
    scene.run(&Venv).unwrap();
    let first = entries(&scene).remove(0);
    let next = |scene: &mut Scene, id: &str, no_cache: bool| {
        scene.facts.generation.release = id.parse().unwrap();
        scene.facts.no_cache = no_cache;
        scene.host.put_file(format!("/srv/shop/releases/{id}/requirements.txt"), "Django==5.2.19\n");
        scene.run(&Venv).unwrap()
    };
    assert!(matches!(next(&mut scene, "20261121T101500Z-3f2c1a9", true), Outcome::DoneWith(_)));
    assert!(matches!(scene.run(&Venv).unwrap(), Outcome::Skipped(_)), "a second run is one run");
    assert_eq!(scene.host.commands_with("pip install").len(), 2);
    assert_eq!(scene.host.commands_with("pip install")[1].env["PIP_NO_CACHE_DIR"].reveal(), "1");
    assert!(is_used(&scene, &first, "20261120T101500Z-3f2c1a9"), "an older release runs from it");
    assert_eq!(
        next(&mut scene, "20261122T101500Z-3f2c1a9", false),
        Outcome::DoneWith("from the cache".to_owned())
    );
    let second =
        Path::new("/srv/shop/cache/venv").join(format!("{}-2", first.file_name().unwrap().to_str().unwrap()));
    assert!(is_used(&scene, &second, "20261122T101500Z-3f2c1a9"));
    assert_eq!(entries(&scene), [first, second]);
}

#[test]
fn what_a_failed_deploy_built_anew_is_not_what_the_next_one_finds() {
    let mut scene = scene();
    scene.run(&Venv).unwrap();
    let first = entries(&scene);
    scene.facts.generation.release = "20261121T101500Z-3f2c1a9".parse().unwrap();
    scene.facts.no_cache = true;
    scene.host.put_file("/srv/shop/releases/20261121T101500Z-3f2c1a9/requirements.txt", "Django==5.2.19\n");
    scene.run(&Venv).unwrap();
    assert_eq!(entries(&scene).len(), 2);
    scene.undo(&Venv).unwrap();
    assert_eq!(entries(&scene), first);
}

#[test]
fn a_build_that_was_killed_says_so() {
    let scene = scene();
    scene.host.on("-m pip install", Answer::signal(9));
    let error = scene.run(&Venv).unwrap_err();
    assert!(error.help().unwrap().contains("as when memory runs out"), "{error}");
}
