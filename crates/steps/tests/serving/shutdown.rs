//! Queue workers are told before they are asked to end, whoever ends them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use release_core::config::{Handover, Service};
use release_core::host::{Clock, Services};
use release_core::release::Generation;
use release_core::release_record::ReleaseRecord;
use release_core::service::Program;
use release_steps::boot::Boot;
use release_steps::hand_over::HandOver;
use release_steps::retire::stop_generation;
use release_steps::shutdown::Shutdown;
use release_testkit::{Answer, Scene};

use crate::hand_over::{RQ, WORKER, add, program, service};
use crate::stage::{old, second_deploy};

/// An RQ worker of the old release runs, and the new release has one.
fn with_rq(handover: Handover) -> Scene {
    let mut scene = second_deploy();
    add(&mut scene, Service { command: RQ.to_owned(), ..service(WORKER, handover) });
    let record = ReleaseRecord::of(&scene.facts, scene.host.now());
    record.write(&scene.host, &scene.facts.layout).unwrap();
    scene
}

/// The programs that were held, each while it still ran.
fn held(scene: &Scene) -> Arc<Mutex<Vec<String>>> {
    let held = Arc::new(Mutex::new(Vec::new()));
    let seen = held.clone();
    scene.host.on_call("--service", move |host, command| {
        let asked: serde_json::Value = serde_json::from_str(command.args.last().unwrap()).unwrap();
        let programs = asked["programs"].as_object().unwrap().values();
        let names: Vec<String> = programs.map(|name| name.as_str().unwrap().to_owned()).collect();
        let states = host.states().unwrap();
        let runs = |name: &String| states.iter().any(|state| state.name == *name && state.state.is_alive());
        assert!(names.iter().all(runs), "{names:?} of {states:?}");
        seen.lock().unwrap().extend(names.clone());
        Answer::ok().says(&format!("@release-rq:{}", serde_json::json!(names)))
    });
    held
}

/// Whose worker is ended, and how.
type End = (fn(&Scene) -> Generation, fn(&Scene, &Shutdown<'_>));

fn new(scene: &Scene) -> Generation {
    scene.facts.generation.clone()
}

#[test]
fn a_worker_is_held_whoever_ends_it() {
    let ends: [(&str, Handover, End); 6] = [
        ("hand-over", Handover::Overlap, (|_| old(), |scene, _| drop(scene.run(&HandOver).unwrap()))),
        ("replace", Handover::Replace, (|_| old(), |scene, _| drop(scene.run(&HandOver).unwrap()))),
        ("undo of boot", Handover::Overlap, (new, |scene, _| scene.undo(&Boot).unwrap())),
        ("undo of a replacement", Handover::Replace, (new, |scene, _| scene.undo(&HandOver).unwrap())),
        ("generation", Handover::Overlap, (|_| old(), |_, end| stop_generation(end, &old()).unwrap())),
        ("start", Handover::Overlap, (|_| old(), |_, end| end.stop(&[old().program(WORKER)]).unwrap())),
    ];
    for (why, handover, (whose, end)) in ends {
        let scene = with_rq(handover);
        let worker = whose(&scene).program(WORKER);
        if whose(&scene) != old() {
            scene.host.start(&[program(&scene, &worker)]).unwrap();
        }
        let held = held(&scene);
        end(&scene, &Shutdown::of(&scene.context("stop")));
        assert_eq!(*held.lock().unwrap(), [worker], "{why}");
        assert_eq!(scene.recorder.lines(), Vec::<String>::new(), "{why}");
    }
}

#[test]
fn each_worker_is_held_in_its_turn_when_all_is_stopped() {
    let mut scene = with_rq(Handover::Overlap);
    add(&mut scene, Service { command: RQ.to_owned(), ..service("later", Handover::Overlap) });
    let names = [WORKER, "later"].map(|name| old().program(name));
    scene.host.stop(&names).unwrap();
    for (order, name) in (2..).zip(&names) {
        scene.host.start(&[Program { order, ..program(&scene, name) }]).unwrap();
    }
    let held = held(&scene);
    Shutdown::of(&scene.context("stop")).stop_all().unwrap();
    // `held` sees for itself that the second one still runs when its turn comes.
    assert_eq!(*held.lock().unwrap(), [names[1].clone(), names[0].clone()]);
    assert!(!scene.host.manager_runs());
}

#[test]
fn a_broker_that_does_not_answer_delays_an_end_only_once() {
    let mut scene = with_rq(Handover::Overlap);
    let celery = Service { command: "celery -A shop worker".to_owned(), ..service("c", Handover::Overlap) };
    add(&mut scene, celery);
    scene.host.on_call("--service", |host, command| {
        host.pause(command.limit).unwrap();
        Answer::code(1)
    });
    let before = scene.host.elapsed();
    stop_generation(&Shutdown::of(&scene.context("stop")), &old()).unwrap();
    let waited = scene.host.elapsed() - before;
    assert!(waited < Duration::from_secs(16), "{waited:?}");
    assert!(scene.host.programs().is_empty());
    assert_eq!(scene.recorder.lines().len(), 2, "both are told of");
}
