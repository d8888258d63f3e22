//! A master that belongs to no release: it loads the new one behind a stand-in, or is put right.

use std::path::PathBuf;

use release_core::config::{Handover, Reload as How};
use release_core::host::{Address, Clock, Files, Services};
use release_core::release_record::ReleaseRecord;
use release_core::step::Outcome;
use release_steps::activate::Activate;
use release_steps::boot::Boot;
use release_steps::reload::{EndStandIns, Reload, stamp};
use release_testkit::Scene;

use crate::stage::{current, known, new_socket, new_web, old, second_deploy, target};

const MASTER: &str = "standing-web";
const NEW: &str = "/srv/shop/releases/20261120T101500Z-3f2c1a9";
const OLD: &str = "/srv/shop/releases/20261119T090000Z-aaaaaaa";

/// Both releases reload `web`, whose master serves the old one; the new one is booted beside it.
fn scene() -> Scene {
    let mut scene = second_deploy();
    let web = &mut scene.facts.config.services[0];
    (web.handover, web.reload) = (Handover::Reload, Some(How::Signal("HUP".to_owned())));
    let mut facts = scene.facts.clone();
    facts.generation = old();
    ReleaseRecord::of(&facts, scene.host.now()).write(&scene.host, &facts.layout).unwrap();
    let layout = scene.facts.layout.clone();
    scene.host.put_link(layout.standing_release("web"), layout.standing_target(&old().release));
    let mut master = scene.host.programs().remove(0);
    master.name = MASTER.to_owned();
    scene.host.stop(&[old().program("web")]).unwrap();
    scene.host.start(&[master]).unwrap();
    started_with(&scene);
    scene.host.set_family(MASTER, &[Some(&[OLD]), Some(&[OLD])]);
    scene.host.put_link(layout.socket_link(&old().release, "web"), layout.standing_link("web"));
    for generation in [old(), scene.facts.generation.clone()] {
        scene.host.serve_in_turn(Address::Socket(layout.socket(&generation, "web")), &[200]);
    }
    scene.host.serve_in_turn(Address::Socket(layout.standing_socket("web")), &[200]);
    scene.host.serve_in_turn(Address::Socket(layout.current_socket("web")), &[200]);
    scene.run(&Boot).unwrap();
    scene.host.put_file(new_socket(&scene), "");
    scene
}

/// The master was started with what the run has, too.
fn started_with(scene: &Scene) {
    let facts = &scene.facts;
    scene.host.put_dir("/srv/shop/cache/venv/one");
    for release in [&old().release, facts.release()] {
        scene.host.put_link(facts.layout.venv(release), "../../cache/venv/one");
    }
    let stamp = stamp(&scene.host, &facts.layout, &old().release, &facts.config, &facts.config.services[0]);
    scene.host.put_file(facts.layout.standing_stamp("web"), &stamp.unwrap());
}

fn link(scene: &Scene) -> Option<PathBuf> {
    scene.host.read_link(&scene.facts.layout.socket_link(scene.facts.release(), "web")).unwrap()
}

fn release_of_master(scene: &Scene) -> Option<PathBuf> {
    scene.host.read_link(&scene.facts.layout.standing_release("web")).unwrap()
}

fn loads(scene: &Scene, release: &'static str) {
    scene.host.on_signal(move |host| host.set_family(MASTER, &[Some(&[release]), Some(&[release])]));
}

#[test]
fn the_stand_in_serves_until_the_master_runs_the_new_release_alone() {
    let scene = scene();
    loads(&scene, NEW);
    scene.run(&Activate).unwrap();
    let layout = &scene.facts.layout;
    assert_eq!(link(&scene), Some(layout.socket_name(&scene.facts.generation, "web")));
    // What its workers import while they finish is still of their own release.
    assert_eq!(release_of_master(&scene), Some(layout.standing_target(&old().release)));
    assert_eq!(scene.run(&Reload).unwrap(), Outcome::DoneWith("web reloaded by HUP".to_owned()));
    assert_eq!(release_of_master(&scene), Some(layout.standing_target(scene.facts.release())));
    assert_eq!(link(&scene), Some(layout.standing_link("web")));
    assert!(known(&scene).contains(&new_web(&scene)));
    assert_eq!(scene.run(&EndStandIns).unwrap(), Outcome::Done);
    assert_eq!(known(&scene), [MASTER]);
    // A second time nothing is signalled.
    scene.host.on_signal(|_| panic!("it runs the release already"));
    assert_eq!(scene.run(&Reload).unwrap(), Outcome::DoneWith("web runs it already".to_owned()));
    assert!(matches!(scene.run(&EndStandIns).unwrap(), Outcome::Skipped(_)));
}

#[test]
fn a_master_that_mixes_releases_is_put_right_by_its_old_processes() {
    let scene = scene();
    scene.host.on_signal(|host| host.set_family(MASTER, &[Some(&[NEW]), Some(&[NEW, OLD])]));
    scene.run(&Activate).unwrap();
    let error = scene.run(&Reload).unwrap_err();
    let told = format!("its process 2002 uses {OLD}");
    assert!(error.to_string().ends_with(&told), "{error}");
    assert!(error.help().unwrap().contains("handover: socket"));
    assert_eq!(link(&scene), Some(scene.facts.layout.socket_name(&scene.facts.generation, "web")));
    scene.undo(&Reload).unwrap();
    loads(&scene, OLD);
    scene.undo(&Activate).unwrap();
    let layout = &scene.facts.layout;
    assert_eq!(current(&scene), target(layout, &old()));
    let old_link = scene.host.read_link(&layout.socket_link(&old().release, "web")).unwrap();
    assert_eq!(old_link, Some(layout.standing_link("web")));
    assert_eq!(release_of_master(&scene), Some(layout.standing_target(&old().release)));
    scene.undo(&Boot).unwrap();
    assert_eq!(known(&scene), [MASTER], "the old release's own processes have ended again");
}

#[test]
fn a_master_that_cannot_be_put_right_leaves_the_old_processes_serving() {
    let scene = scene();
    scene.host.on_signal(|host| host.set_family(MASTER, &[Some(&[NEW]), Some(&[OLD])]));
    scene.run(&Activate).unwrap();
    scene.run(&Reload).unwrap_err();
    scene.undo(&Reload).unwrap();
    scene.undo(&Activate).unwrap();
    let layout = &scene.facts.layout;
    let old_link = scene.host.read_link(&layout.socket_link(&old().release, "web")).unwrap();
    assert_eq!(old_link, Some(layout.socket_name(&old(), "web")));
    let warning = scene.recorder.warnings().pop().unwrap();
    assert!(warning.ends_with("; its own processes serve meanwhile"), "{warning}");
}

#[test]
fn what_a_reload_does_not_change_needs_a_new_master() {
    let scene = scene();
    scene.host.put_file("/srv/shop/shared/.env", "DEBUG=1\n");
    scene.host.on_start(|host, program| {
        if program.name == MASTER {
            host.set_family(MASTER, &[Some(&[NEW])]);
        }
        release_core::service::Running::Running
    });
    scene.run(&Activate).unwrap();
    let Outcome::DoneWith(note) = scene.run(&Reload).unwrap() else { panic!("it says what it did") };
    assert_eq!(note, "web started anew, as what a reload does not change has changed");
    let master = scene.host.programs().into_iter().find(|program| program.name == MASTER).unwrap();
    let generation = &scene.facts.generation;
    let number = generation.number.to_string();
    let first = ["--release", generation.release.as_str(), "--generation", &number];
    let door = ["/usr/local/bin/release", "exec", "--standing", "web"];
    assert_eq!(master.command, [door, first].concat());
}

#[test]
fn a_master_that_the_new_release_does_not_have_ends_after_the_switch() {
    let mut scene = scene();
    let web = &mut scene.facts.config.services[0];
    (web.handover, web.reload) = (Handover::Socket, None);
    scene.run(&Activate).unwrap();
    assert!(matches!(scene.run(&Reload).unwrap(), Outcome::Skipped(_)));
    assert_eq!(scene.run(&EndStandIns).unwrap(), Outcome::Done);
    assert_eq!(known(&scene), [new_web(&scene)]);
}

#[test]
fn a_gunicorn_that_preloads_by_its_file_or_a_variable_is_refused() {
    let mut scene = second_deploy();
    let web = &mut scene.facts.config.services[0];
    (web.handover, web.reload) = (Handover::Reload, Some(How::Signal("HUP".to_owned())));
    web.command = "gunicorn shop.wsgi --bind unix:$SOCKET -c conf/web.py".to_owned();
    scene.host.put_file(format!("{NEW}/conf/web.py"), "workers = 3\n  preload_app = True  # saves memory\n");
    let error = scene.run(&Boot).unwrap_err();
    assert!(error.to_string().ends_with("stays the old code, and conf/web.py preloads"), "{error}");
    assert!(error.help().unwrap().starts_with("say `preload_app = False` in conf/web.py, or use"));
    scene.host.put_file(format!("{NEW}/conf/web.py"), "preload_app = False\npreload_app == True\n");
    scene.run(&Boot).unwrap();
    scene.undo(&Boot).unwrap();
    scene.facts.config.services[0].env.insert("GUNICORN_CMD_ARGS".to_owned(), "--preload".to_owned());
    let error = scene.run(&Boot).unwrap_err();
    assert!(error.to_string().ends_with("and GUNICORN_CMD_ARGS preloads"), "{error}");
}

#[test]
fn a_uwsgi_whose_file_leaves_its_master_alone_is_refused() {
    let mut scene = second_deploy();
    let web = &mut scene.facts.config.services[0];
    let touch = How::Command("touch $RELEASE_ROOT/shared/reload".to_owned());
    (web.handover, web.reload) = (Handover::Reload, Some(touch));
    web.command = "uwsgi --socket $SOCKET conf/web.ini".to_owned();
    let says = |option: &str| format!("[uwsgi]\n{option} = $(RELEASE_ROOT)/shared/reload\n");
    scene.host.put_file(format!("{NEW}/conf/web.ini"), &says("touch-chain-reload"));
    let error = scene.run(&Boot).unwrap_err();
    assert!(error.to_string().contains("by what conf/web.ini says"), "{error}");
    assert!(error.help().unwrap().starts_with("say `touch-reload` in conf/web.ini"));
    scene.host.put_file(format!("{NEW}/conf/web.ini"), &says("touch-reload"));
    scene.run(&Boot).unwrap();
}
