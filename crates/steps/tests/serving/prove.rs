//! Each process of the new generation runs from the new release, or nobody gets to see it.

use release_core::config::{Handover, Service};
use release_core::step::{Look, Outcome, StepError};
use release_steps::hand_over::HandOver;
use release_steps::prove::Prove;
use release_testkit::Scene;

use crate::stage::{booted, new_web, old};

/// `web` was booted; its release has an environment of its own, as has the old one.
fn scene() -> Scene {
    let scene = booted();
    let layout = &scene.facts.layout;
    for (release, key) in [(scene.facts.release(), "two"), (&old().release, "one")] {
        scene.host.put_dir(layout.cached("venv", key));
        scene.host.put_link(layout.venv(release), format!("../../cache/venv/{key}"));
    }
    scene
}

const NEW: &str = "/srv/shop/releases/20261120T101500Z-3f2c1a9";
const OLD: &str = "/srv/shop/releases/20261119T090000Z-aaaaaaa";

#[test]
fn processes_of_one_release_are_proved_and_nothing_changes() {
    let scene = scene();
    let files = [NEW, "/srv/shop/cache/venv/two/lib/x.so", "/srv/shop/shared/data/db.sqlite3"];
    scene.host.set_family(&new_web(&scene), &[Some(&files), Some(&[NEW])]);
    assert!(matches!(scene.look(&Prove), Ok(Look::Pending(_))));
    let before = scene.host.effects();
    for _ in 0..2 {
        assert_eq!(scene.run(&Prove).unwrap(), Outcome::DoneWith("2 processes".to_owned()));
    }
    scene.undo(&Prove).unwrap();
    assert_eq!(scene.host.effects(), before);
}

#[test]
fn a_worker_of_another_release_or_of_its_environment_is_a_mixture() {
    for foreign in [OLD, "/srv/shop/releases/20261119T090000Z-aaaaaaa/x", "/srv/shop/cache/venv/one/x.so"] {
        let scene = scene();
        scene.host.set_family(&new_web(&scene), &[Some(&[NEW]), Some(&[NEW, foreign])]);
        let error = scene.run(&Prove).unwrap_err();
        let told = format!("web mixes releases: its process 2002 uses {foreign}, which is not of ");
        assert!(error.to_string().starts_with(&told), "{error}");
        assert!(error.help().unwrap().contains("/proc/2002/cwd"), "{:?}", error.help());
    }
}

#[test]
fn what_both_releases_share_is_no_mixture() {
    let scene = scene();
    scene.host.put_link(scene.facts.layout.venv(scene.facts.release()), "../../cache/venv/one");
    scene.host.set_family(&new_web(&scene), &[Some(&[NEW, "/srv/shop/cache/venv/one/x.so"])]);
    assert_eq!(scene.run(&Prove).unwrap(), Outcome::DoneWith("1 process".to_owned()));
}

#[test]
fn of_another_users_process_it_is_said_that_nothing_is_proved() {
    let scene = scene();
    scene.host.set_family(&new_web(&scene), &[None]);
    assert!(scene.run(&Prove).is_ok());
    let told = "web: this user may not see what process 2001 uses, so nothing proves that it runs from the new \
                release";
    assert_eq!(scene.recorder.warnings(), [told]);
}

#[test]
fn an_optional_service_is_warned_of() {
    let mut scene = scene();
    scene.facts.config.services[0].optional = true;
    scene.host.set_family(&new_web(&scene), &[Some(&[OLD])]);
    assert!(scene.run(&Prove).is_ok());
    assert!(scene.recorder.warnings()[0].ends_with("(optional)"), "{:?}", scene.recorder.warnings());
}

#[test]
fn without_services_there_is_nothing_to_prove() {
    let mut scene = scene();
    scene.facts.config.services.clear();
    assert!(matches!(scene.look(&Prove), Ok(Look::Nothing(_))));
    assert!(matches!(scene.run(&Prove), Ok(Outcome::Skipped(_))));
}

#[test]
fn what_is_replaced_is_proved_as_soon_as_it_runs() {
    let mut scene = scene();
    let web = scene.facts.config.services[0].clone();
    scene.facts.config.services.push(Service { name: "beat".to_owned(), handover: Handover::Replace, ..web });
    let beat = scene.facts.generation.program("beat");
    scene.host.set_family(&beat, &[Some(&[OLD])]);
    let error = scene.run(&HandOver).unwrap_err();
    assert!(matches!(&error, StepError::Service { service, .. } if service == "beat"), "{error}");
}
