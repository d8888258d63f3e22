use release_core::host::{Clock, Files, Services};
use release_core::run::Run;
use release_testkit::{Answer, Commit, Scene};
use serde_json::json;

use super::*;
use crate::check_app::CheckApp;
use crate::django::testing::{printed, says};

const OLD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn old() -> Generation {
    Generation { release: "20261119T090000Z-aaaaaaa".parse().unwrap(), number: 1 }
}

fn commit(revision: &str, files: &[(&str, &str)]) -> Commit {
    files.iter().fold(Commit::new(revision), |commit, (path, text)| commit.file(path, text))
}

/// What the project says when it is asked.
fn inspection(inputs: &str, pending: serde_json::Value) -> serde_json::Value {
    let place = "/srv/shop/releases/20261120T101500Z-3f2c1a9/static";
    json!({"static_root": "static", "static_place": place, "static_inputs": inputs, "applied": [], "pending": pending, "checks": []})
}

/// The old release serves, with static files of the inputs `1`; in the new one these files are other ones.
fn second_deploy(changed: &[(&str, &str)]) -> Scene {
    let mut scene = Scene::new();
    let layout = scene.facts.layout.clone();
    scene.host.commit(commit(OLD, &[("shop/views.py", "1"), ("shop/migrations/0001.py", "1")]));
    scene.host.commit(commit(scene.facts.revision.as_str(), changed));
    let facts = Run { generation: old(), revision: OLD.parse().unwrap(), ..scene.facts.clone() };
    ReleaseRecord::of(&facts, scene.host.now()).write(&scene.host, &layout).unwrap();
    for release in [&old().release, scene.facts.release()] {
        scene.host.put_link(layout.venv(release), "../../cache/venv/1");
    }
    collected_before(&scene, &facts);
    scene.facts.previous = Some(old());
    scene.host.ensure_manager().unwrap();
    scene
}

/// Static files of the inputs `1` lie in the release of `facts`, and in the cache.
fn collected_before(scene: &Scene, facts: &Run) {
    let top = scene.facts.layout.release(facts.release());
    scene.host.put_file(top.join("static/logo.svg"), "a logo");
    let found =
        inspection("1", json!([])).to_string().replace("20261120T101500Z-3f2c1a9", facts.release().as_str());
    let cx = Context { run: facts, ..scene.context("collect-static") };
    let found = serde_json::from_str(&found).unwrap();
    Collection::of(&cx, &found).unwrap().unwrap().keep(&cx).unwrap();
}

const CODE: [(&str, &str); 2] = [("shop/views.py", "2"), ("shop/migrations/0001.py", "1")];

fn logo(scene: &Scene) -> Option<Vec<u8>> {
    let path = scene.facts.layout.release(scene.facts.release()).join("static/logo.svg");
    scene.host.read(&path).unwrap()
}

fn runs(scene: &Scene) -> bool {
    let name = scene.facts.generation.program("web");
    scene.host.states().unwrap().iter().any(|state| state.name == name && state.state.is_alive())
}

fn skipped(scene: &Scene) -> String {
    match scene.run(&BootAhead::default()).unwrap() {
        Outcome::Skipped(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn with_new_code_alone_the_web_server_starts_before_the_check_on_the_same_static_files() {
    let (scene, start) = (second_deploy(&CODE), Start::default());
    assert_eq!(scene.run(&BootAhead(start.clone())).unwrap(), Outcome::Done);
    assert!(runs(&scene));
    assert_eq!(logo(&scene).unwrap(), b"a logo");
    says(&scene.host, &inspection("1", json!([])));
    scene.run(&CheckApp(start.clone())).unwrap();
    assert_eq!(scene.host.commands()[0].args.last().unwrap(), "collected");
    let note = Outcome::DoneWith("from the cache".to_owned());
    assert_eq!(scene.run(&CollectStatic(start)).unwrap(), note);
    assert_eq!(scene.run(&Boot).unwrap(), Outcome::Skipped("its processes run already".to_owned()));
    scene.undo(&BootAhead::default()).unwrap();
    assert!(!runs(&scene));
}

#[test]
fn what_is_still_to_be_made_is_waited_for() {
    let migration = [("shop/views.py", "2"), ("shop/migrations/0002.py", "1")];
    assert_eq!(skipped(&second_deploy(&migration)), "there may be migrations");
    for asset in ["shop/static/page.html", "assets/logo.svg", "frontend/main.js"] {
        let scene = second_deploy(&[CODE[1], (asset, "2")]);
        assert_eq!(skipped(&scene), "static files may have changed", "{asset}");
    }
    let mut scene = second_deploy(&CODE);
    scene.facts.revision = "0123456789012345678901234567890123456789".parse().unwrap();
    assert_eq!(skipped(&scene), "it is not known what changed");
    let scene = second_deploy(&CODE);
    scene.host.put_link(scene.facts.layout.venv(scene.facts.release()), "../../cache/venv/2");
    assert_eq!(skipped(&scene), "the packages changed");
    let mut scene = second_deploy(&CODE);
    scene.facts.previous = None;
    assert_eq!(skipped(&scene), "nothing serves yet");
    let mut scene = second_deploy(&CODE);
    scene.facts.no_cache = true;
    assert_eq!(skipped(&scene), "everything is to be built anew");
    let scene = second_deploy(&CODE);
    scene.host.remove(&scene.facts.layout.cache()).unwrap();
    assert_eq!(skipped(&scene), "its static files are not in the cache");
    let scene = second_deploy(&CODE);
    scene.host.put_file(scene.facts.layout.release(scene.facts.release()).join("static/own.svg"), "");
    assert_eq!(skipped(&scene), "its static files are not in the cache");
    assert!(!runs(&scene));
}

#[test]
fn a_worker_that_comes_first_is_not_overtaken() {
    let mut scene = second_deploy(&CODE);
    scene.facts.config.services[0].handover = Handover::Overlap;
    assert_eq!(skipped(&scene), "no web server comes first");
}

#[test]
fn an_app_that_collects_nothing_needs_no_static_files() {
    let mut scene = second_deploy(&CODE);
    scene.host.remove(&scene.facts.layout.cache()).unwrap();
    scene.facts.config.django.as_mut().unwrap().collectstatic = Some(false);
    assert_eq!(scene.run(&BootAhead::default()).unwrap(), Outcome::Done);
}

#[test]
fn one_that_was_started_too_early_ends_before_the_database_changes() {
    let (scene, start) = (second_deploy(&CODE), Start::default());
    scene.run(&BootAhead(start.clone())).unwrap();
    let pending = json!([{"app": "sites", "name": "0003", "operations": [], "reversible": true}]);
    says(&scene.host, &inspection("1", pending));
    scene.run(&CheckApp(start)).unwrap();
    assert!(!runs(&scene));
    assert_eq!(scene.run(&Boot).unwrap(), Outcome::Done);
    assert!(runs(&scene));
}

#[test]
fn static_files_that_were_the_wrong_ones_go_and_are_collected_anew() {
    let (scene, start) = (second_deploy(&CODE), Start::default());
    scene.run(&BootAhead(start.clone())).unwrap();
    says(&scene.host, &inspection("2", json!([])));
    scene.run(&CheckApp(start.clone())).unwrap();
    assert!(!runs(&scene));
    scene.host.on("manage.py collectstatic", Answer::ok().says("7 static files copied to 'static'."));
    let note = Outcome::DoneWith("7 static files".to_owned());
    assert_eq!(scene.run(&CollectStatic(start)).unwrap(), note);
    assert_eq!(logo(&scene), None);
    let cx = scene.context("prune");
    let own = Collection::of_release(&cx, scene.facts.release()).unwrap();
    assert_eq!(own.unwrap().inputs, "2", "it does not use the wrong ones");
}

#[test]
fn files_of_known_inputs_are_not_collected_again() {
    let (scene, start) = (second_deploy(&CODE), Start::default());
    let told = printed(&inspection("1", json!([])));
    scene.host.on_call("python -c ", move |_, command| {
        assert_eq!(command.args[2..], ["and-collect", "1"]);
        Answer::ok().says(&told)
    });
    scene.run(&CheckApp(start.clone())).unwrap();
    let note = Outcome::DoneWith("from the cache".to_owned());
    assert_eq!(scene.run(&CollectStatic(start)).unwrap(), note);
    assert_eq!(logo(&scene).unwrap(), b"a logo");
}

#[test]
fn a_plan_says_since_when_the_cache_has_static_files() {
    let mut scene = second_deploy(&CODE);
    let looked = |scene: &Scene| match scene.look(&CollectStatic::default()).unwrap() {
        Look::Pending(outlook) => outlook,
        other => panic!("{other:?}"),
    };
    let condition = "if the settings have a STATIC_ROOT: ";
    let since = "taken from the cache (built 2026-11-20 10:15 UTC) if nothing of them changed";
    assert_eq!(looked(&scene), format!("{condition}{since}"));
    scene.facts.no_cache = true;
    assert_eq!(looked(&scene), format!("{condition}collected anew"));
    (scene.facts.no_cache, scene.facts.previous) = (false, None);
    assert!(looked(&scene).ends_with("if they were collected before"));
}
