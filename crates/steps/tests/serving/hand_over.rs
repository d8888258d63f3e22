//! Workers: the old ones take no more before `activate`, and come back when the run is undone.

use release_core::config::{Handover, Health, Instances, Service, Wait};
use release_core::host::{Clock, Services};
use release_core::release::Generation;
use release_core::release_record::ReleaseRecord;
use release_core::service::{Program, Running};
use release_core::step::{Look, Outcome};
use release_steps::activate::Activate;
use release_steps::boot::Boot;
use release_steps::hand_over::HandOver;
use release_steps::health_check::HealthCheck;
use release_testkit::{Answer, Scene};

use crate::stage::{current, new_address, old, second_deploy, serve_through_current, target};

pub(crate) const WORKER: &str = "worker";
const BEAT: &str = "beat";

pub(crate) fn service(name: &str, handover: Handover) -> Service {
    Service {
        name: name.to_owned(),
        command: format!("celery -A shop {name}"),
        handover,
        reload: None,
        listen: None,
        health: Health::default(),
        drain: Wait::ZERO,
        stop: None,
        optional: false,
        env: Default::default(),
        instances: Default::default(),
        process: Default::default(),
        log: Default::default(),
    }
}

/// Web, worker and beat: the old ones run, the new web and worker are booted.
fn scene() -> Scene {
    let mut scene = second_deploy();
    add(&mut scene, service(WORKER, Handover::Overlap));
    add(&mut scene, service(BEAT, Handover::Replace));
    scene.run(&Boot).unwrap();
    scene
}

/// Adds a service that the old release has, too, and that runs.
pub(crate) fn add(scene: &mut Scene, service: Service) {
    let name = old().program(&service.name);
    scene.facts.config.services.push(service);
    scene.facts.stand_in = Some(Generation { number: 2, ..old() });
    let mut facts = scene.facts.clone();
    facts.generation = old();
    let now = release_core::host::Clock::now(&scene.host);
    ReleaseRecord::of(&facts, now).write(&scene.host, &facts.layout).unwrap();
    scene.host.start(&[program(scene, &name)]).unwrap();
}

pub(crate) fn program(scene: &Scene, name: &str) -> Program {
    let web = scene.host.programs().into_iter().find(|program| program.name == old().program("web")).unwrap();
    Program { name: name.to_owned(), ..web }
}

fn alive(scene: &Scene) -> Vec<String> {
    let states = scene.host.states().unwrap();
    states.into_iter().filter(|state| state.state.is_alive()).map(|state| state.name).collect()
}

fn runs(scene: &Scene, generation: &Generation, service: &str) -> bool {
    alive(scene).contains(&generation.program(service))
}

pub(crate) const RQ: &str = "rq worker high -u $BROKER_URL";

#[test]
fn what_may_run_only_once_is_not_booted_beside_its_like() {
    let scene = scene();
    let new = scene.facts.generation.clone();
    assert!(runs(&scene, &new, WORKER) && runs(&scene, &old(), WORKER));
    assert!(!runs(&scene, &new, BEAT) && runs(&scene, &old(), BEAT));
}

#[test]
fn the_old_workers_take_no_more_and_the_new_beat_follows_the_old() {
    let scene = scene();
    let new = scene.facts.generation.clone();
    assert!(matches!(scene.look(&HandOver), Ok(Look::Needed(_))));
    assert_eq!(scene.run(&HandOver).unwrap(), Outcome::Done);
    assert!(runs(&scene, &new, WORKER) && !runs(&scene, &old(), WORKER));
    assert!(runs(&scene, &new, BEAT) && !runs(&scene, &old(), BEAT));
    assert!(runs(&scene, &old(), "web"), "users are still served by the old release");
    let effects = scene.host.effects().iter().map(|effect| format!("{effect:?}")).collect::<Vec<_>>();
    let at = |wanted: &str, name: &str| {
        effects.iter().rposition(|effect| effect.contains(wanted) && effect.contains(name)).unwrap()
    };
    assert!(at("stop", &old().program(BEAT)) < at("start", &new.program(BEAT)), "never two at once");
}

#[test]
fn an_old_worker_that_still_waits_for_its_queue_is_waited_for() {
    let mut scene = second_deploy();
    add(
        &mut scene,
        Service { command: "python manage.py poll".to_owned(), ..service(WORKER, Handover::Overlap) },
    );
    scene.host.set_state(&old().program(WORKER), Running::Stopping);
    let before = scene.host.elapsed();
    scene.run(&HandOver).unwrap();
    let waited = scene.host.elapsed() - before;
    assert!(
        (5_000..5_200).contains(&waited.as_millis()),
        "a busy one finishes in the background: {waited:?}"
    );
}

#[test]
fn an_old_worker_that_fetches_until_it_ends_has_ended_before_the_switch() {
    let mut scene = second_deploy();
    let command = "python manage.py rundramatiq".to_owned();
    add(&mut scene, Service { command, ..service(WORKER, Handover::Overlap) });
    let name = old().program(WORKER);
    scene.host.set_state(&name, Running::Stopping);
    scene.run(&HandOver).unwrap();
    assert!(!scene.host.known_programs().unwrap().contains(&name), "it was stopped, with its patience");
    let lines = scene.recorder.lines();
    assert!(lines.iter().any(|line| line.contains("the last task of worker-")), "{lines:?}");
}

#[test]
fn running_twice_is_running_once() {
    let scene = scene();
    scene.run(&HandOver).unwrap();
    let before = alive(&scene);
    scene.run(&HandOver).unwrap();
    assert_eq!(alive(&scene), before);
}

#[test]
fn undone_the_old_workers_come_back_beside_those_that_still_finish() {
    let scene = scene();
    let again = Generation { number: 2, ..old() };
    scene.run(&HandOver).unwrap();
    scene.host.set_state(&old().program(WORKER), Running::Stopping);
    for _ in 0..2 {
        scene.undo(&HandOver).unwrap();
        assert!(runs(&scene, &again, WORKER) && runs(&scene, &again, BEAT));
        assert!(!runs(&scene, &scene.facts.generation, BEAT));
        assert!(!runs(&scene, &again, "web"), "web never stopped");
    }
}

#[test]
fn undone_before_it_ran_nothing_changes() {
    let mut scene = second_deploy();
    add(
        &mut scene,
        Service { command: "python manage.py run_huey".to_owned(), ..service(WORKER, Handover::Overlap) },
    );
    let before = alive(&scene);
    scene.undo(&HandOver).unwrap();
    assert_eq!(alive(&scene), before);
}

#[test]
fn celery_takes_no_more_before_it_is_asked_to_end() {
    let scene = scene();
    let name = old().program(WORKER);
    let worker = name.clone();
    scene.host.on_call("--service worker", move |host, command| {
        assert!(host.states().unwrap().iter().any(|state| state.name == worker && state.state.is_alive()));
        let asked: serde_json::Value = serde_json::from_str(command.args.last().unwrap()).unwrap();
        assert_eq!(asked["global"], serde_json::json!(["-A", "shop"]));
        assert_eq!(asked["nodes"], serde_json::json!([format!("{worker}@%h")]));
        Answer::ok().says("@release-celery:{\"answered\": 1, \"settled\": true}")
    });
    scene.run(&HandOver).unwrap();
    assert!(scene.host.commands().iter().any(|command| command.to_string().contains("--service worker")));
    assert!(
        !alive(&scene).contains(&name) && !scene.recorder.lines().iter().any(|line| line.contains("twice"))
    );
}

#[test]
fn each_of_several_celery_workers_is_asked_by_its_own_name() {
    let mut scene = second_deploy();
    let mut service = service(WORKER, Handover::Overlap);
    service.command = "celery -A shop worker -n w$INSTANCE@%h".to_owned();
    service.instances = Instances::Number(2);
    add(&mut scene, service);
    let names = ["worker.1", "worker.2"].map(|name| old().program(name));
    scene.host.stop(&[old().program(WORKER)]).unwrap();
    scene.host.start(&names.clone().map(|name| program(&scene, &name))).unwrap();
    let nodes = [1, 2].map(|number| format!("w{number}-{}@%h", names[number - 1]));
    scene.host.on_call("--service worker", move |_, command| {
        let asked: serde_json::Value = serde_json::from_str(command.args.last().unwrap()).unwrap();
        assert_eq!(asked["nodes"], serde_json::json!(nodes));
        Answer::ok().says("@release-celery:{\"answered\": 2, \"settled\": true}")
    });
    scene.run(&HandOver).unwrap();
    assert!(!scene.recorder.lines().iter().any(|line| line.contains("twice")), "they answered");
}

#[test]
fn celery_that_does_not_answer_is_asked_to_end_all_the_same() {
    let scene = scene();
    scene.host.on("--service worker", Answer::code(1).says("kombu: connection refused"));
    scene.run(&HandOver).unwrap();
    assert!(!runs(&scene, &old(), WORKER));
    let lines = scene.recorder.lines();
    assert!(lines.iter().any(|line| line.contains("connection refused")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("may be done twice")), "{lines:?}");
}

#[test]
fn rq_is_held_before_it_is_asked_to_end() {
    let mut scene = second_deploy();
    add(&mut scene, Service { command: RQ.to_owned(), ..service(WORKER, Handover::Overlap) });
    let name = old().program(WORKER);
    let worker = name.clone();
    scene.host.on_call("--service worker", move |host, command| {
        assert!(host.states().unwrap().iter().any(|state| state.name == worker && state.state.is_alive()));
        let asked: serde_json::Value = serde_json::from_str(command.args.last().unwrap()).unwrap();
        assert_eq!(asked["arguments"], serde_json::json!(["high", "-u", "$BROKER_URL"]));
        let programs = asked["programs"].as_object().unwrap();
        assert_eq!(programs.values().collect::<Vec<_>>(), [&serde_json::json!(worker)]);
        Answer::ok().says(&format!("@release-rq:[\"{worker}\"]"))
    });
    scene.run(&HandOver).unwrap();
    assert!(!alive(&scene).contains(&name));
    assert_eq!(scene.recorder.lines(), Vec::<String>::new());
}

#[test]
fn rq_that_cannot_be_held_is_asked_to_end_all_the_same() {
    let mut scene = second_deploy();
    add(&mut scene, Service { command: RQ.to_owned(), ..service(WORKER, Handover::Overlap) });
    scene.host.on("--service worker", Answer::ok().says("a word of the app").says("@release-rq:[]"));
    scene.run(&HandOver).unwrap();
    assert!(!runs(&scene, &old(), WORKER));
    let lines = scene.recorder.lines();
    assert!(lines.iter().any(|line| line == "a word of the app"), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("not held; RQ may lose the job")), "{lines:?}");
}

#[test]
fn celery_that_was_told_to_take_no_more_by_a_run_that_was_killed_is_succeeded() {
    let scene = scene();
    scene.undo(&HandOver).unwrap();
    assert!(!runs(&scene, &old(), WORKER) && runs(&scene, &Generation { number: 2, ..old() }, WORKER));
    assert!(runs(&scene, &old(), BEAT) && runs(&scene, &old(), "web"));
}

#[test]
fn a_worker_that_the_new_release_has_no_more_takes_no_more() {
    let mut scene = scene();
    scene.facts.config.services.retain(|service| service.name == "web");
    scene.run(&HandOver).unwrap();
    assert!(!runs(&scene, &old(), WORKER) && !runs(&scene, &old(), BEAT));
}

#[test]
fn a_beat_that_does_not_stay_up_fails_the_run_unless_it_is_optional() {
    let mut scene = scene();
    let beat = scene.facts.generation.program(BEAT);
    scene.host.on_start(
        move |_, program| {
            if program.name == beat { Running::Failed } else { Running::Running }
        },
    );
    assert_eq!(scene.run(&HandOver).unwrap_err().to_string(), "beat does not stay up");
    scene.facts.config.services[2].optional = true;
    assert_eq!(scene.run(&HandOver).unwrap(), Outcome::Done);
}

#[test]
fn a_worker_that_dies_fails_the_health_check_unless_it_is_optional() {
    let mut scene = scene();
    scene.host.serve_in_turn(new_address(&scene), &[200; 40]);
    scene.host.set_state(&scene.facts.generation.program(WORKER), Running::Failed);
    assert_eq!(scene.run(&HealthCheck).unwrap_err().to_string(), "worker ended by itself");
    scene.facts.config.services[1].optional = true;
    assert_eq!(scene.run(&HealthCheck).unwrap(), Outcome::Done);
}

#[test]
fn without_workers_there_is_nothing_to_hand_over() {
    let scene = second_deploy();
    assert!(matches!(scene.run(&HandOver), Ok(Outcome::Skipped(_))));
    assert!(matches!(scene.look(&HandOver), Ok(Look::Nothing(_))));
    scene.undo(&HandOver).unwrap();
}

#[test]
fn a_release_that_is_restored_is_asked_through_its_web_services_alone() {
    let scene = scene();
    serve_through_current(&scene, Some(200), Some(500));
    scene.run(&HandOver).unwrap();
    scene.run(&Activate).unwrap();
    scene.undo(&Activate).unwrap();
    scene.undo(&HandOver).unwrap();
    assert_eq!(current(&scene), target(&scene.facts.layout, &old()));
}
