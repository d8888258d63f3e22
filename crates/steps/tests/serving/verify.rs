use release_core::config::{Verify as Asked, Wait};
use release_core::host::{Address, Clock};
use release_core::step::Outcome;
use release_steps::activate::Activate;
use release_steps::verify::Verify;
use release_testkit::Scene;

use crate::stage::{booted, serve_through_current};

fn active() -> Scene {
    let mut scene = booted();
    scene.run(&Activate).unwrap();
    scene.facts.config.verify =
        Some(Asked { url: "http://127.0.0.1:8080/healthz".to_owned(), timeout: Wait::seconds(10) });
    scene
}

fn proxy() -> Address {
    Address::Tcp { address: "127.0.0.1:8080".to_owned(), host: "127.0.0.1:8080".to_owned() }
}

#[test]
fn asks_each_service_through_current_and_then_the_proxy() {
    let scene = active();
    serve_through_current(&scene, Some(500), Some(200));
    scene.host.serve_in_turn(proxy(), &[502, 301]);
    assert_eq!(scene.run(&Verify).unwrap(), Outcome::Done);
    let current = Address::Socket(scene.facts.layout.current_socket("web"));
    let asked = [current, proxy(), proxy()].map(|address| (address, "/healthz".to_owned()));
    assert_eq!(scene.host.requests(), asked);
}

#[test]
fn a_proxy_that_fails_is_told_from_a_service_that_fails() {
    let scene = active();
    serve_through_current(&scene, None, Some(200));
    scene.host.serve_in_turn(proxy(), &[502]);
    let error = scene.run(&Verify).unwrap_err();
    assert_eq!(error.to_string(), "the site at http://127.0.0.1:8080/healthz answers 502 to GET /healthz");
    assert_eq!(error.output(), ["status 502"]);
    assert!(error.help().unwrap().contains("curl -i http://127.0.0.1:8080/healthz"));
    assert_eq!(scene.host.elapsed().as_secs(), 10);

    serve_through_current(&scene, Some(200), None);
    let error = scene.run(&Verify).unwrap_err();
    assert!(
        error.to_string().starts_with("web at /srv/shop/current/run/web.sock does not answer"),
        "{error}"
    );
}

#[test]
fn without_services_and_a_url_there_is_nobody_to_ask() {
    let mut scene = active();
    scene.facts.config.services.clear();
    scene.host.serve_in_turn(proxy(), &[200]);
    assert_eq!(scene.run(&Verify).unwrap(), Outcome::Done);
    scene.facts.config.verify = None;
    let skipped = Outcome::Skipped("there are no services, and no verify.url".to_owned());
    assert_eq!(scene.run(&Verify).unwrap(), skipped);
}
