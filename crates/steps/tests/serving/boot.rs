use release_core::config::{Handover, Instances, Service};
use release_core::host::{Clock, Services, SocketUse};
use release_core::layout::Layout;
use release_core::step::{Look, Outcome};
use release_steps::boot::Boot;
use release_steps::drain::Drain;
use release_testkit::Scene;

use crate::stage::{booted, first_deploy, known, new_socket, new_web, old, second_deploy};

#[test]
fn every_service_is_started_through_the_door_by_its_real_path() {
    let scene = first_deploy();
    assert_eq!(scene.look(&Boot).unwrap(), Look::Needed("start web".to_owned()));
    assert_eq!(scene.run(&Boot).unwrap(), Outcome::Done);
    let programs = scene.host.programs();
    let [web] = programs.as_slice() else { panic!("{programs:?}") };
    assert_eq!(web.name, "web-20261120T101500Z-3f2c1a9-g1");
    let door = scene.facts.door.join(" ");
    let expected = format!("{door} --boot 20261120T101500Z-3f2c1a9-g1 --service web");
    assert_eq!(web.command.join(" "), expected);
    assert_eq!(web.directory.to_str(), Some("/srv/shop/releases/20261120T101500Z-3f2c1a9"));
    assert_eq!((web.stop_signal.as_str(), web.stop_wait.as_secs(), web.restart), ("TERM", 40, true));
    assert!(scene.host.manager_runs());
}

#[test]
fn an_app_below_the_top_runs_there_and_listens_at_the_top() {
    let mut scene = first_deploy();
    scene.facts.config.directory = "services/shop".to_owned();
    scene.run(&Boot).unwrap();
    let release = "/srv/shop/releases/20261120T101500Z-3f2c1a9";
    let directory = scene.host.programs()[0].directory.display().to_string();
    assert_eq!(directory, format!("{release}/services/shop"));
    let socket = scene.facts.layout.socket(&scene.facts.generation, "web").display().to_string();
    assert_eq!(socket, format!("{release}/run/web-g1.sock"));
}

#[test]
fn what_runs_already_is_not_started_again() {
    let scene = booted();
    let before = scene.host.states().unwrap();
    assert_eq!(scene.look(&Boot).unwrap(), Look::Nothing("its processes run already".to_owned()));
    assert_eq!(scene.run(&Boot).unwrap(), Outcome::Skipped("its processes run already".to_owned()));
    assert_eq!(scene.host.states().unwrap(), before);
}

#[test]
fn undo_ends_the_new_generation_and_no_other_however_often() {
    let scene = booted();
    for _ in 0..2 {
        scene.undo(&Boot).unwrap();
        assert_eq!(known(&scene), [old().program("web")]);
        assert!(!scene.host.exists(new_socket(&scene)));
        assert!(scene.host.exists(scene.facts.layout.socket(&old(), "web")));
    }
}

#[test]
fn undo_makes_a_manager_that_does_not_run_forget_the_programs() {
    let scene = booted();
    scene.host.stop_manager(&|_| Ok(())).unwrap();
    scene.undo(&Boot).unwrap();
    assert_eq!(known(&scene), [old().program("web")]);
}

#[test]
fn undo_never_ends_the_generation_that_served_before() {
    let mut scene = booted();
    scene.facts.previous = Some(scene.facts.generation.clone());
    scene.undo(&Boot).unwrap();
    assert!(known(&scene).contains(&new_web(&scene)));
}

#[test]
fn a_stale_socket_makes_way_and_one_in_use_does_not() {
    for (listening, stays) in [(false, false), (true, true)] {
        let scene = first_deploy();
        let lock = Layout::socket_lock(&new_socket(&scene));
        scene.host.put_file(new_socket(&scene), "");
        scene.host.put_file(&lock, "");
        scene.host.set_socket_use(new_socket(&scene), &[SocketUse { listening, ..SocketUse::default() }]);
        scene.run(&Boot).unwrap();
        assert_eq!((scene.host.exists(new_socket(&scene)), scene.host.exists(lock)), (stays, stays));
    }
}

#[test]
fn a_socket_path_that_no_socket_can_have_is_refused_before_anything_starts() {
    let mut scene = first_deploy();
    scene.facts.layout = Layout::new(format!("/srv/{}", "shop".repeat(20)));
    let before = scene.host.effects();
    let error = scene.run(&Boot).unwrap_err();
    assert!(error.to_string().ends_with("bytes long, and 107 is the limit"), "{error}");
    assert_eq!(scene.host.effects(), before);
}

#[test]
fn an_app_without_services_needs_no_manager() {
    let mut scene = first_deploy();
    scene.facts.config.services.clear();
    assert_eq!(scene.look(&Boot).unwrap(), Look::Nothing("there are no services".to_owned()));
    assert_eq!(scene.run(&Boot).unwrap(), Outcome::Skipped("there are no services".to_owned()));
    assert!(!scene.host.manager_runs());
}

#[test]
fn a_warm_generation_that_is_needed_again_is_not_retired_any_more() {
    let scene = kept_warm();
    assert_eq!(scene.run(&Boot).unwrap(), Outcome::Skipped("its processes run already".to_owned()));
    assert!(!known(&scene).contains(&old().program("retire")));
}

/// The new release serves, the old one stays warm, and now goes back to work.
fn kept_warm() -> Scene {
    let mut scene = booted();
    scene.facts.config.warm = release_core::config::Wait::seconds(60);
    scene.run(&Drain).unwrap();
    assert!(known(&scene).contains(&old().program("retire")));
    scene.facts.previous = Some(std::mem::replace(&mut scene.facts.generation, old()));
    scene
}

#[test]
fn a_program_that_failed_is_started_again() {
    let scene = second_deploy();
    scene.run(&Boot).unwrap();
    scene.host.set_state(&new_web(&scene), release_core::service::Running::Failed);
    assert_eq!(scene.run(&Boot).unwrap(), Outcome::Done);
    assert!(scene.host.states().unwrap().iter().all(|state| state.state.is_alive()));
    assert!(scene.host.elapsed().is_zero(), "a boot waits for nothing");
}

#[test]
fn each_instance_is_a_program_of_its_own_in_the_order_of_the_services() {
    let mut scene = first_deploy();
    let web = scene.facts.config.services[0].clone();
    let named = |name: &str, handover, instances| Service {
        name: name.to_owned(),
        handover,
        instances,
        ..web.clone()
    };
    scene.facts.config.services = vec![
        named("logs", Handover::Replace, Instances::Number(1)),
        named("worker", Handover::Overlap, Instances::Cores),
        web.clone(),
    ];
    scene.run(&Boot).unwrap();
    let started: Vec<String> = scene
        .host
        .effects()
        .iter()
        .filter_map(|effect| effect.strip_prefix("start ").map(str::to_owned))
        .collect();
    let generation = &scene.facts.generation;
    let names = ["logs", "worker.1", "worker.2", "worker.3", "worker.4", "web"];
    assert_eq!(
        started,
        names.map(|name| generation.program(name)),
        "nothing else runs that they could disturb"
    );
    let programs = scene.host.programs();
    let second = programs.iter().find(|program| program.name == generation.program("worker.2")).unwrap();
    assert!(second.command.ends_with(&["--instance".to_owned(), "2".to_owned()]), "{:?}", second.command);
    assert_eq!((second.order, programs.iter().map(|program| program.order).max()), (2, Some(3)));
    scene.undo(&Boot).unwrap();
    assert!(known(&scene).is_empty());
}

#[test]
fn a_service_of_another_user_can_read_its_release_and_make_its_socket() {
    let mut scene = first_deploy();
    let (layout, release) = (scene.facts.layout.clone(), scene.facts.release().clone());
    scene.facts.config.services[0].process.user = Some("shop".to_owned());
    scene.host.add_user("shop", 1000);
    scene.host.put_file(layout.revision_file(&release), "");
    scene.host.hide(layout.release(&release));
    let error = scene.run(&Boot).unwrap_err().to_string();
    assert!(error.starts_with("the user `shop` of services.web may not read"), "{error}");
    assert!(known(&scene).is_empty());
    scene.host.act_as(1000);
    scene.run(&Boot).unwrap();
    assert_eq!(scene.host.owner(&layout.run(&release)).as_deref(), Some("shop"), "from the first attempt");
}
