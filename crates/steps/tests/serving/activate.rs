use std::path::{Path, PathBuf};

use release_core::host::{Clock, Files, Services};
use release_core::service::Running;
use release_core::step::{Look, Outcome, StepError};
use release_steps::activate::Activate;
use release_steps::boot::Boot;

use crate::stage::{booted, current, first_deploy, new_socket, old, serve_through_current, start, target};

#[test]
fn moves_current_in_one_rename_after_the_release_is_on_the_disk() {
    let scene = booted();
    let before = scene.host.effects().len();
    assert_eq!(scene.run(&Activate).unwrap(), Outcome::Done);
    assert_eq!(current(&scene), target(&scene.facts.layout, &scene.facts.generation));
    assert_eq!(
        scene.host.resolve(&scene.facts.layout.current_socket("web")).unwrap(),
        Some(new_socket(&scene))
    );
    let release = "/srv/shop/releases/20261120T101500Z-3f2c1a9";
    let expected = [
        format!("sync {release}"),
        format!("replace_link {release}/run/web.sock"),
        "replace_link /srv/shop/current".to_owned(),
    ];
    assert_eq!(scene.host.effects()[before..], expected);
}

#[test]
fn running_twice_is_running_once() {
    let scene = booted();
    scene.run(&Activate).unwrap();
    let before = scene.host.effects();
    let why = "current points at 20261120T101500Z-3f2c1a9 already";
    assert_eq!(scene.look(&Activate).unwrap(), Look::Nothing(why.to_owned()));
    assert_eq!(scene.run(&Activate).unwrap(), Outcome::Skipped(why.to_owned()));
    assert_eq!(scene.host.effects(), before);
}

#[test]
fn undo_goes_back_to_the_previous_release_however_often() {
    let scene = booted();
    serve_through_current(&scene, Some(200), Some(500));
    scene.run(&Activate).unwrap();
    for _ in 0..2 {
        scene.undo(&Activate).unwrap();
        assert_eq!(current(&scene), target(&scene.facts.layout, &old()));
    }
    assert_eq!(scene.host.requests().len(), 1);
}

#[test]
fn undo_before_anything_was_moved_moves_nothing() {
    let scene = booted();
    let before = scene.host.effects();
    scene.undo(&Activate).unwrap();
    assert_eq!(scene.host.effects(), before);
}

#[test]
fn undo_of_the_first_release_leaves_no_current() {
    let scene = first_deploy();
    scene.run(&Boot).unwrap();
    scene.run(&Activate).unwrap();
    scene.undo(&Activate).unwrap();
    assert!(!scene.host.exists(scene.facts.layout.current()));
}

#[test]
fn undo_gives_a_server_that_was_taken_over_its_own_release_back() {
    let scene = first_deploy();
    scene.host.put_dir("/srv/shop/releases/20251001080000");
    scene.host.put_link("/srv/shop/current", "/srv/shop/releases/20251001080000");
    scene.run(&Activate).unwrap();
    assert_eq!(current(&scene), target(&scene.facts.layout, &scene.facts.generation));
    scene.undo(&Activate).unwrap();
    assert_eq!(current(&scene), Some(PathBuf::from("/srv/shop/releases/20251001080000")));
}

#[test]
fn a_restored_release_that_is_not_well_needs_a_human() {
    let scene = booted();
    serve_through_current(&scene, Some(502), Some(500));
    scene.run(&Activate).unwrap();
    let error = scene.undo(&Activate).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "web of the restored release 20261119T090000Z-aaaaaaa answers 502 to GET /healthz");
    let help = error.help().unwrap();
    assert!(help.starts_with("current points at 20261119T090000Z-aaaaaaa again"), "{help}");
    assert_eq!(current(&scene), target(&scene.facts.layout, &old()));
    assert!(scene.host.elapsed().as_secs() == 10);
}

#[test]
fn a_restored_release_may_take_a_moment() {
    let scene = booted();
    let through_current = release_core::host::Address::Socket(scene.facts.layout.current_socket("web"));
    scene.host.serve_in_turn(through_current, &[0, 502, 200]);
    scene.run(&Activate).unwrap();
    scene.undo(&Activate).unwrap();
    assert_eq!(scene.host.requests().len(), 3);
}

#[test]
fn a_restored_release_is_asked_for_its_own_health_path_and_need_not_say_200() {
    let mut scene = booted();
    serve_through_current(&scene, Some(404), Some(500));
    scene.facts.config.services[0].health.path = "/new".to_owned();
    scene.run(&Activate).unwrap();
    scene.undo(&Activate).unwrap();
    let paths: Vec<String> = scene.host.requests().into_iter().map(|(_, path)| path).collect();
    assert_eq!(paths, ["/healthz"]);
    assert_eq!(current(&scene), target(&scene.facts.layout, &old()));
}

#[test]
fn a_restored_release_that_has_stopped_meanwhile_is_started_again_first() {
    for stopped in [Running::Failed, Running::Stopped] {
        let scene = booted();
        serve_through_current(&scene, Some(200), Some(500));
        scene.run(&Activate).unwrap();
        let web = old().program("web");
        scene.host.set_state(&web, stopped);
        scene.undo(&Activate).unwrap();
        let states = scene.host.states().unwrap();
        assert!(states.iter().any(|state| state.name == web && state.state == Running::Running));
        let effects = scene.host.effects();
        let at = |effect: String| effects.iter().rposition(|known| known.starts_with(&effect)).unwrap();
        let current = scene.facts.layout.current();
        assert!(
            at(format!("start {web}")) < at(format!("replace_link {}", current.display())),
            "{effects:?}"
        );
    }
}

#[test]
fn undo_after_a_power_failure_brings_the_manager_back_first() {
    let scene = booted();
    serve_through_current(&scene, None, None);
    scene.run(&Activate).unwrap();
    scene.host.stop_manager(&|_| Ok(())).unwrap();
    let error = scene.undo(&Activate).unwrap_err();
    assert!(scene.host.manager_runs());
    assert!(error.to_string().starts_with("web of the restored release"), "{error}");
}

#[test]
fn undo_within_one_release_goes_back_to_its_older_generation() {
    let mut scene = booted();
    scene.run(&Activate).unwrap();
    let first = scene.facts.generation.clone();
    scene.facts.previous = Some(first.clone());
    scene.facts.generation.number = 2;
    start(&scene, &scene.facts.generation);
    serve_through_current(&scene, Some(200), Some(500));
    let link = scene.facts.layout.socket_link(&first.release, "web");
    assert_eq!(scene.run(&Activate).unwrap(), Outcome::Done);
    assert_eq!(scene.host.read_link(&link).unwrap().as_deref(), Some(Path::new("web-g2.sock")));
    scene.undo(&Activate).unwrap();
    assert_eq!(scene.host.read_link(&link).unwrap().as_deref(), Some(Path::new("web-g1.sock")));
    assert_eq!(current(&scene), target(&scene.facts.layout, &first));
}

#[test]
fn a_current_that_is_no_link_is_refused_and_left_alone() {
    let scene = first_deploy();
    scene.host.put_file("/srv/shop/current/manage.py", "");
    let before = scene.host.all();
    let error = scene.run(&Activate).unwrap_err();
    let StepError::Refused { what, help } = &error else { panic!("{error:?}") };
    assert_eq!(what, "/srv/shop/current is a directory, and only a symlink can be switched in one step");
    assert_eq!(help, "move it away: `mv /srv/shop/current /srv/shop/current.before`");
    assert!(scene.look(&Activate).is_err());
    assert_eq!(scene.host.all(), before);
    scene.undo(&Activate).unwrap();
    assert_eq!(scene.host.all(), before);
}

#[test]
fn a_link_that_cannot_be_moved_stays_where_it_was() {
    let scene = booted();
    scene.host.fail_at("replace_link", "/srv/shop/current");
    scene.run(&Activate).unwrap_err();
    assert_eq!(current(&scene), target(&scene.facts.layout, &old()));
    scene.undo(&Activate).unwrap();
    assert_eq!(current(&scene), target(&scene.facts.layout, &old()));
}
