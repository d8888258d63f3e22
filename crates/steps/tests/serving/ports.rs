//! Fixed TCP ports: taken before the switch, kept through all releases, given up when nobody wants them.

use std::net::SocketAddr;

use release_core::config::Listen;
use release_core::host::{Address, Files, Services};
use release_core::layout::Layout;
use release_core::release_record::ReleaseRecord;
use release_core::service::Running;
use release_core::step::{Look, Outcome};
use release_steps::activate::Activate;
use release_steps::ports::{ClosePorts, OpenPorts};
use release_steps::preflight::problems;
use release_steps::verify::Verify;
use release_testkit::Scene;

use crate::stage::{booted, known, old, serve_through_current};

const FORWARDER: &str = "port-127.0.0.1_8000";

fn address() -> SocketAddr {
    "127.0.0.1:8000".parse().unwrap()
}

/// The new release's `web` has a port, and is booted; the old one's has none.
fn scene() -> Scene {
    let mut scene = booted();
    scene.facts.config.services[0].listen = Listen::parse("8000");
    scene.host.install("systemd-socket-activate", "/usr/bin/systemd-socket-activate");
    scene.host.put_file("/usr/lib/systemd/systemd-socket-proxyd", "");
    scene
}

/// The old release had the port already.
fn held(scene: &Scene) {
    let mut facts = scene.facts.clone();
    facts.generation = old();
    let now = release_core::host::Clock::now(&scene.host);
    ReleaseRecord::of(&facts, now).write(&scene.host, &facts.layout).unwrap();
    scene.run(&OpenPorts).unwrap();
}

#[test]
fn a_port_is_taken_once_and_given_back_when_the_run_is_undone() {
    let scene = scene();
    assert_eq!(scene.look(&OpenPorts).unwrap(), Look::Needed("listen on 127.0.0.1:8000".to_owned()));
    assert_eq!(scene.run(&OpenPorts).unwrap(), Outcome::Done);
    let program = scene.host.programs().into_iter().find(|program| program.name == FORWARDER).unwrap();
    let words = ["/usr/local/bin/release", "forward", "--root", "/srv/shop", "--listen", "127.0.0.1:8000"];
    assert_eq!(program.command, words);
    let before = scene.host.effects();
    assert!(matches!(scene.run(&OpenPorts).unwrap(), Outcome::Skipped(_)));
    assert!(matches!(scene.look(&OpenPorts).unwrap(), Look::Nothing(_)));
    assert_eq!(scene.host.effects(), before);
    for _ in 0..2 {
        scene.undo(&OpenPorts).unwrap();
        assert!(!known(&scene).contains(&FORWARDER.to_owned()));
    }
}

#[test]
fn a_port_that_the_old_release_has_stays_when_the_run_is_undone() {
    let scene = scene();
    held(&scene);
    scene.undo(&OpenPorts).unwrap();
    assert!(known(&scene).contains(&FORWARDER.to_owned()));
}

#[test]
fn a_port_that_nobody_wants_any_more_is_given_up() {
    let mut scene = scene();
    held(&scene);
    assert!(matches!(scene.run(&ClosePorts).unwrap(), Outcome::Skipped(_)));
    scene.facts.config.services[0].listen = Listen::parse("8001");
    scene.run(&OpenPorts).unwrap();
    assert_eq!(scene.look(&ClosePorts).unwrap(), Look::Needed("give up 127.0.0.1:8000".to_owned()));
    assert_eq!(scene.run(&ClosePorts).unwrap(), Outcome::DoneWith("gave up 127.0.0.1:8000".to_owned()));
    assert!(!known(&scene).contains(&FORWARDER.to_owned()));
    assert!(known(&scene).contains(&"port-127.0.0.1_8001".to_owned()));
    assert!(matches!(scene.run(&ClosePorts).unwrap(), Outcome::Skipped(_)));
}

#[test]
fn a_port_that_cannot_be_had_fails_the_run_before_activate() {
    let scene = scene();
    scene.host.on_start(
        |_, program| {
            if program.name == FORWARDER { Running::Failed } else { Running::Running }
        },
    );
    let error = scene.run(&OpenPorts).unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1:8000 cannot be listened on");
    assert!(error.help().unwrap().contains("sport = :8000"));
}

#[test]
fn the_forwarder_finds_each_release_by_its_own_link() {
    let scene = scene();
    scene.run(&Activate).unwrap();
    let link = scene.facts.layout.current_run().join("127.0.0.1_8000.sock");
    let socket = scene.facts.layout.socket(&scene.facts.generation, "web");
    assert_eq!(scene.host.resolve(&link).unwrap(), Some(socket));
}

#[test]
fn the_port_is_asked_after_activate() {
    let scene = scene();
    scene.run(&Activate).unwrap();
    serve_through_current(&scene, Some(200), Some(200));
    let at = Address::Tcp { address: "127.0.0.1:8000".to_owned(), host: "localhost".to_owned() };
    scene.host.serve_in_turn(at.clone(), &[0]);
    let error = scene.run(&Verify).unwrap_err().to_string();
    assert!(error.starts_with("web at 127.0.0.1:8000 does not answer GET /healthz"), "{error}");
    scene.host.serve_in_turn(at, &[0, 200]);
    assert_eq!(scene.run(&Verify).unwrap(), Outcome::Done);
}

#[test]
fn what_stands_in_the_way_of_a_port_is_told_beforehand() {
    let mut scene = scene();
    let layout = Layout::new("/srv/shop");
    let found = |scene: &Scene| {
        let found = problems(&scene.host, &layout, &scene.facts.config);
        assert!(found.iter().all(|problem| problem.help.is_some()));
        found.into_iter().map(|problem| problem.what).collect::<Vec<_>>()
    };
    assert_eq!(found(&scene), [""; 0]);
    scene.host.take_port(address());
    let taken = "services.web.listen: cannot listen on 127.0.0.1:8000: Address already in use";
    assert_eq!(found(&scene), [taken]);
    scene.run(&OpenPorts).unwrap();
    assert_eq!(found(&scene), [""; 0], "our own forwarder is not in its own way");
    scene.host.remove("/usr/lib/systemd/systemd-socket-proxyd".as_ref()).unwrap();
    assert!(found(&scene)[0].starts_with("services.web.listen needs systemd-socket-activate"));
    scene.facts.config.services[0].listen = None;
    assert_eq!(found(&scene), [""; 0]);
    assert!(!scene.host.states().unwrap().is_empty());
}
