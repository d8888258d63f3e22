use std::time::Duration;

use release_core::config::{Service, Wait};
use release_core::host::{Clock, Services, SocketUse};
use release_core::layout::Layout;
use release_core::release::Generation;
use release_core::service::{Program, Running};
use release_core::step::{Look, Outcome};
use release_steps::activate::Activate;
use release_steps::drain::Drain;
use release_steps::retire::stop_generation;
use release_steps::shutdown::Shutdown;
use release_testkit::Scene;

use crate::stage::{booted, known, new_socket, new_web, old, start};

const BUSY: SocketUse = SocketUse { listening: true, queued: 0, open: 2 };
const QUEUED: SocketUse = SocketUse { listening: true, queued: 1, open: 0 };
const CUT: &str = "connections to the old generation stayed open, ended all the same";
const QUIET: SocketUse = SocketUse { listening: true, queued: 0, open: 0 };

fn active() -> Scene {
    let scene = booted();
    scene.run(&Activate).unwrap();
    scene
}

fn older() -> Generation {
    Generation { release: "20261118T090000Z-bbbbbbb".parse().unwrap(), number: 3 }
}

fn millis(scene: &Scene) -> u128 {
    scene.host.elapsed().as_millis()
}

#[test]
fn the_old_generation_ends_once_nobody_is_connected_to_it() {
    let scene = active();
    let old_socket = scene.facts.layout.socket(&old(), "web");
    scene.host.put_file(Layout::socket_lock(&scene.facts.layout.socket(&old(), "web")), "");
    scene.host.set_socket_use(&old_socket, &[BUSY, QUIET, QUEUED, QUIET, QUIET]);
    let note = "old generation quiet after 0.13 s".to_owned();
    assert_eq!(scene.look(&Drain).unwrap(), Look::Needed("drain 20261119T090000Z-aaaaaaa".to_owned()));
    assert_eq!(scene.run(&Drain).unwrap(), Outcome::DoneWith(note));
    assert_eq!(millis(&scene), 50 + 4 * 20);
    assert_eq!(known(&scene), [new_web(&scene)]);
    assert!(!scene.host.exists(old_socket));
    assert!(!scene.host.exists(Layout::socket_lock(&scene.facts.layout.socket(&old(), "web"))));
    assert!(scene.host.exists(new_socket(&scene)));
}

#[test]
fn running_twice_is_running_once() {
    let scene = active();
    scene.run(&Drain).unwrap();
    let before = scene.host.effects();
    assert_eq!(scene.look(&Drain).unwrap(), Look::Nothing("no older generation runs".to_owned()));
    assert_eq!(scene.run(&Drain).unwrap(), Outcome::Skipped("no older generation runs".to_owned()));
    assert_eq!(scene.host.effects(), before);
}

#[test]
fn connections_that_never_end_are_not_waited_for_for_ever() {
    let scene = active();
    scene.host.set_socket_use(scene.facts.layout.socket(&old(), "web"), &[BUSY]);
    assert_eq!(scene.run(&Drain).unwrap(), Outcome::DoneWith(CUT.to_owned()));
    assert!((10_000..10_200).contains(&millis(&scene)));
    assert_eq!(known(&scene), [new_web(&scene)]);
}

#[test]
fn what_was_asked_to_end_gets_its_further_signals_while_connections_are_waited_for() {
    let scene = active();
    scene.host.set_socket_use(scene.facts.layout.socket(&old(), "web"), &[BUSY]);
    let before = scene.host.elapsed();
    scene.run(&Drain).unwrap();
    let mut climbed = vec![before];
    climbed.extend(scene.host.climbed());
    climbed.push(scene.host.elapsed());
    let longest = climbed.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max();
    assert!(longest <= Some(Duration::from_millis(100)), "{longest:?}");
}

#[test]
fn a_service_says_how_long_its_connections_may_stay() {
    for (drain, millis_at_least) in [("0s", 0), ("700ms", 700), ("30s", 30_000)] {
        let mut scene = active();
        scene.facts.config.services[0].drain = Wait::parse(drain).unwrap();
        scene.host.set_socket_use(scene.facts.layout.socket(&old(), "web"), &[BUSY]);
        assert_eq!(scene.run(&Drain).unwrap(), Outcome::DoneWith(CUT.to_owned()), "{drain}");
        assert!((millis_at_least..millis_at_least + 200).contains(&millis(&scene)), "{drain}");
    }
}

#[test]
fn a_service_with_websockets_does_not_take_the_time_of_another_ones_requests() {
    let mut scene = active();
    let chat =
        Service { name: "chat".to_owned(), drain: Wait::ZERO, ..scene.facts.config.services[0].clone() };
    scene.facts.config.services.push(chat);
    let web = scene.host.programs().into_iter().find(|program| program.name == old().program("web")).unwrap();
    scene.host.start(&[Program { name: old().program("chat"), ..web }]).unwrap();
    scene.host.set_socket_use(scene.facts.layout.socket(&old(), "chat"), &[BUSY]);
    scene.host.set_socket_use(scene.facts.layout.socket(&old(), "web"), &[BUSY, BUSY, QUIET]);
    assert_eq!(scene.run(&Drain).unwrap(), Outcome::DoneWith(CUT.to_owned()));
    assert_eq!(millis(&scene), 50 + 3 * 20);
    assert_eq!(known(&scene), [new_web(&scene)]);
}

#[test]
fn a_warm_generation_stays_and_is_retired_later_while_older_ones_end() {
    let mut scene = active();
    start(&scene, &older());
    scene.facts.config.warm = Wait::parse("90500ms").unwrap();
    let Outcome::DoneWith(note) = scene.run(&Drain).unwrap() else { panic!("it has work") };
    assert!(note.ends_with("; old generation kept running for 90500ms"), "{note}");
    let mut expected = vec![old().program("retire"), old().program("web"), new_web(&scene)];
    expected.sort();
    assert_eq!(known(&scene), expected);
    let programs = scene.host.programs();
    let retire = programs.iter().find(|program| program.name == old().program("retire")).unwrap();
    let words = "/usr/local/bin/release retire --root /srv/shop --boot 20261119T090000Z-aaaaaaa-g1 \
                 --after 91";
    assert_eq!(retire.command.join(" "), words);
    assert!(!retire.restart);
}

#[test]
fn a_warm_generation_ends_with_the_next_deploy_and_so_does_what_was_to_retire_it() {
    let mut scene = active();
    scene.facts.config.warm = Wait::seconds(60);
    scene.run(&Drain).unwrap();
    scene.facts.previous = Some(std::mem::replace(&mut scene.facts.generation, older()));
    start(&scene, &older());
    scene.facts.config.warm = Wait::ZERO;
    scene.run(&Drain).unwrap();
    assert_eq!(known(&scene), [older().program("web")]);
}

#[test]
fn what_retires_a_generation_does_not_end_itself() {
    let mut scene = active();
    scene.facts.config.warm = Wait::seconds(60);
    scene.run(&Drain).unwrap();
    for _ in 0..2 {
        stop_generation(&Shutdown::of(&scene.context("retire")), &old()).unwrap();
        assert_eq!(known(&scene), [old().program("retire"), new_web(&scene)]);
        assert!(!scene.host.exists(scene.facts.layout.socket(&old(), "web")));
    }
}

#[test]
fn an_old_generation_that_failed_is_forgotten_too() {
    let scene = active();
    scene.host.set_state(&old().program("web"), Running::Failed);
    scene.run(&Drain).unwrap();
    assert_eq!(known(&scene), [new_web(&scene)]);
}
