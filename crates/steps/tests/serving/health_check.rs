use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use release_core::command::{Secret, Variables};
use release_core::host::{Clock, Services};
use release_core::redact::Redactor;
use release_core::service::Running;
use release_core::step::{Outcome, StepError};
use release_steps::activate::Activate;
use release_steps::health_check::HealthCheck;
use release_testkit::{FakeHost, Scene};

use crate::stage::{booted, new_address, new_web, start};

fn failure(scene: &Scene) -> StepError {
    scene.run(&HealthCheck).unwrap_err()
}

fn seconds(scene: &Scene) -> f64 {
    scene.host.elapsed().as_secs_f64()
}

#[test]
fn waits_for_the_first_answer_warms_up_and_sees_it_settle() {
    let scene = booted();
    scene.host.serve_in_turn(new_address(&scene), &[0, 0, 503, 200]);
    assert_eq!(scene.run(&HealthCheck).unwrap(), Outcome::Done);
    // Three tries that came too early, the first good one, 8 at once and the last word.
    assert_eq!(scene.host.requests().len(), 3 + 1 + 8 + 1);
    assert!(scene.host.requests().iter().all(|(_, path)| path == "/healthz"));
    assert!((1.0..2.0).contains(&seconds(&scene)), "{}", seconds(&scene));
}

#[test]
fn a_redirect_is_an_answer() {
    let scene = booted();
    scene.host.serve_in_turn(new_address(&scene), &[301]);
    assert_eq!(scene.run(&HealthCheck).unwrap(), Outcome::Done);
}

#[test]
fn a_process_that_ended_fails_at_once_with_its_last_words_and_no_secret() {
    let mut scene = booted();
    let secret = Variables::from([("SECRET_KEY".to_owned(), Secret::new("hunter2hunter2"))]);
    scene.facts.redactor = Redactor::new(&secret);
    scene.host.fail_program(&new_web(&scene), "exit status 1");
    let log = scene.facts.layout.service_log(&new_web(&scene));
    scene.host.put_file(&log, "Starting\nImportError: no key hunter2hunter2\n");
    let error = failure(&scene);
    assert_eq!(error.to_string(), "web ended by itself (exit status 1)");
    assert_eq!(error.output(), ["Starting", "ImportError: no key [redacted]"]);
    assert_eq!(error.help(), Some(format!("its whole log is {}", log.display())));
    assert!(scene.host.elapsed().is_zero());
}

/// Answers well, and at request number `nth` something happens.
fn well_until(scene: &Scene, nth: usize, happens: impl Fn(&FakeHost) + Send + Sync + 'static) {
    let count = AtomicUsize::new(0);
    scene.host.serve(new_address(scene), move |host, _| {
        if count.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            happens(host);
        }
        Some(200)
    });
}

#[test]
fn a_process_that_dies_while_settling_gets_no_users() {
    let scene = booted();
    let web = new_web(&scene);
    well_until(&scene, 9, move |host| host.set_state(&web, Running::Failed));
    assert_eq!(failure(&scene).to_string(), "web ended by itself");
}

#[test]
fn a_process_that_is_started_again_and_again_gets_no_users() {
    let scene = booted();
    let web = new_web(&scene);
    well_until(&scene, 9, move |host| {
        let program = host.programs().into_iter().find(|program| program.name == web).unwrap();
        host.stop(std::slice::from_ref(&web)).unwrap();
        host.start(&[program]).unwrap();
    });
    assert_eq!(failure(&scene).to_string(), "web ended by itself and is being started again");
}

/// The new generation's master has these workers.
fn set_workers(host: &FakeHost, web: &str, pids: &[u32]) {
    let states = host.states().unwrap();
    let master = states.iter().find(|state| state.name == web).and_then(|state| state.pid).unwrap();
    host.set_children(master, pids);
}

#[test]
fn a_worker_that_is_replaced_while_settling_gets_no_users() {
    // What is gone for good, or has come besides, may be the app's own doing.
    for (later, is_well) in [(&[11, 12][..], true), (&[11], true), (&[11, 12, 13], true), (&[11, 13], false)]
    {
        let scene = booted();
        let web = new_web(&scene);
        set_workers(&scene.host, &web, &[11, 12]);
        // The first answer and the warm-up come before.
        well_until(&scene, 10, move |host| set_workers(host, &web, later));
        let result = scene.run(&HealthCheck);
        assert_eq!(result.is_ok(), is_well, "{later:?}");
        if let Err(error) = result {
            assert_eq!(
                error.to_string(),
                "web lost a worker after it had answered, and has started another one"
            );
        }
    }
}

#[test]
fn a_program_that_nobody_knows_fails() {
    let scene = booted();
    scene.host.stop(&[new_web(&scene)]).unwrap();
    assert_eq!(failure(&scene).to_string(), "web is unknown to the process manager");
}

#[test]
fn the_same_error_for_five_seconds_will_not_get_better() {
    let scene = booted();
    scene.host.serve_in_turn(new_address(&scene), &[500]);
    let error = failure(&scene);
    assert_eq!(error.to_string(), "web answers 500 to GET /healthz");
    assert_eq!(error.output(), ["status 500"]);
    assert!((5.0..6.0).contains(&seconds(&scene)), "{}", seconds(&scene));
}

#[test]
fn an_error_that_changes_is_waited_for() {
    let scene = booted();
    let statuses: Vec<u16> = (0..420).map(|n| if n % 2 == 0 { 502 } else { 503 }).chain([200]).collect();
    scene.host.serve_in_turn(new_address(&scene), &statuses);
    assert_eq!(scene.run(&HealthCheck).unwrap(), Outcome::Done);
    assert!(seconds(&scene) > 10.0);
}

#[test]
fn a_refused_host_is_explained() {
    let scene = booted();
    scene.host.serve_in_turn(new_address(&scene), &[400]);
    let help = failure(&scene).help().unwrap();
    assert!(help.contains("ALLOWED_HOSTS: add `localhost`"), "{help}");
    assert!(help.contains("web: {health: {host: "), "{help}");
}

#[test]
fn silence_lasts_as_long_as_the_timeout_allows() {
    let scene = booted();
    let error = failure(&scene);
    let text = error.to_string();
    assert!(text.starts_with("web does not answer GET /healthz: no answer from"), "{text}");
    assert!(text.ends_with("connection refused (waited 60 s)"), "{text}");
    assert!(error.help().unwrap().contains("listens on $SOCKET"));
    assert!((60.0..61.0).contains(&seconds(&scene)));
}

#[test]
fn workers_that_fail_under_load_get_no_users() {
    let scene = booted();
    scene.host.serve_in_turn(new_address(&scene), &[200, 200, 200, 500, 200]);
    let text = failure(&scene).to_string();
    assert_eq!(text, "web answers 500 to GET /healthz, asked 8 times at once");
}

#[test]
fn one_that_is_bad_at_the_end_of_settling_gets_no_users() {
    let scene = booted();
    let statuses: Vec<u16> = std::iter::repeat_n(200, 9).chain([503]).collect();
    scene.host.serve_in_turn(new_address(&scene), &statuses);
    assert_eq!(failure(&scene).to_string(), "web answers 503 to GET /healthz");
}

#[test]
fn settling_counts_from_the_start_of_the_process_and_at_least_half_from_its_first_answer() {
    for (loads_for_ms, settles_by_ms) in [(0, 1000), (300, 1000), (500, 1000), (4000, 4500)] {
        let scene = booted();
        let states = scene.host.states().unwrap();
        let web = states.iter().find(|state| state.name == new_web(&scene)).unwrap();
        scene.host.set_began(web.pid.unwrap(), Duration::ZERO);
        let loaded = Duration::from_millis(loads_for_ms);
        scene.host.serve(new_address(&scene), move |host, _| (host.elapsed() >= loaded).then_some(200));
        scene.run(&HealthCheck).unwrap();
        let settled = scene.host.elapsed().as_millis();
        assert!((settles_by_ms..settles_by_ms + 200).contains(&settled), "{loads_for_ms}: {settled}");
    }
}

#[test]
fn a_generation_that_served_before_need_not_settle() {
    let scene = booted();
    scene.host.serve_in_turn(new_address(&scene), &[200]);
    scene.run(&Activate).unwrap();
    assert_eq!(scene.run(&HealthCheck).unwrap(), Outcome::Done);
    assert!(scene.host.elapsed().is_zero());
}

#[test]
fn a_new_generation_of_a_release_that_served_before_settles() {
    let mut scene = booted();
    scene.host.serve_in_turn(new_address(&scene), &[200]);
    scene.run(&Activate).unwrap();
    scene.facts.generation.number = 2;
    start(&scene, &scene.facts.generation);
    scene.host.serve_in_turn(new_address(&scene), &[200]);
    scene.run(&HealthCheck).unwrap();
    assert!(scene.host.elapsed() >= Duration::from_secs(1));
}

#[test]
fn an_interruption_ends_the_wait() {
    let scene = booted();
    scene.host.interrupt();
    assert_eq!(failure(&scene).to_string(), "interrupted by SIGINT");
    assert!(seconds(&scene) < 1.0);
}

#[test]
fn an_app_without_services_is_not_asked() {
    let mut scene = booted();
    scene.facts.config.services.clear();
    assert_eq!(scene.run(&HealthCheck).unwrap(), Outcome::Skipped("there are no services".to_owned()));
    assert!(scene.host.requests().is_empty());
}

#[test]
fn what_is_to_be_activated_gets_onto_the_disk_while_it_settles() {
    let scene = booted();
    scene.host.serve_in_turn(new_address(&scene), &[200]);
    scene.run(&HealthCheck).unwrap();
    let release = scene.facts.layout.release(scene.facts.release());
    assert!(scene.host.effects().contains(&format!("sync {}", release.display())));
}
