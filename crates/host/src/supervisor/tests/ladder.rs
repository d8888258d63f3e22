//! The further signals of a program that does not end at the first.

use std::time::Duration;

use release_core::draining::Draining;
use release_core::host::Services;
use release_core::service::{Program, Running};

use super::shop::{Shop, is_alive, until};
use crate::UnixHost;

const NAME: &str = "worker-1";

/// Says what it hears, and goes on; so does its child, by deaf ears.
const STUBBORN: &str = "trap 'echo term' TERM; trap 'echo int' INT; trap 'echo hup' HUP; \
                        (trap '' TERM INT HUP; while :; do sleep 0.05; done) & echo $!; \
                        while :; do wait; done";

fn names() -> Vec<String> {
    vec![NAME.to_owned()]
}

/// A shop with a stubborn program that runs, and the process id of its child. Its manager kills it after
/// `patience`.
fn shop(patience: Duration) -> (Shop, u32) {
    let shop = Shop::new();
    let at = |millis, signal: &str| (Duration::from_millis(millis), signal.to_owned());
    let climb = vec![at(300, "INT"), at(700, "HUP"), at(1000, "KILL")];
    let program = shop.program(NAME, &["bash", "-c", STUBBORN]);
    shop.start(&[Program { stop_wait: patience, climb, ..program }]);
    until("it runs", || shop.log(NAME).contains('\n'));
    let child = shop.log(NAME).trim().parse().unwrap();
    (shop, child)
}

fn heard(shop: &Shop) -> Vec<String> {
    shop.log(NAME).lines().skip(1).map(str::to_owned).collect()
}

fn draining(shop: &Shop) -> Option<Draining> {
    Draining::read(&shop.host, &shop.layout, NAME).unwrap()
}

const LONG: Duration = Duration::from_secs(60);
const ALL: [&str; 3] = ["term", "int", "hup"];

#[test]
fn who_stops_a_program_sends_each_signal_and_kills_the_whole_group() {
    let (shop, child) = shop(LONG);
    let master = shop.pid(NAME);
    shop.stop(NAME);
    assert_eq!(heard(&shop), ALL);
    assert!(!is_alive(master) && !is_alive(child));
    assert!(shop.host.states().unwrap().is_empty());
    assert_eq!(draining(&shop), None);
}

#[test]
fn who_waits_for_something_else_sends_them_too() {
    let (shop, child) = shop(LONG);
    let master = shop.pid(NAME);
    shop.host.begin_stop(&names()).unwrap();
    let asked = draining(&shop).unwrap();
    assert_eq!(asked.until.unwrap().duration_since(asked.since).as_secs(), 60);
    assert_eq!(shop.host.states().unwrap()[0].state, Running::Stopping, "nobody waited for it");
    shop.host.begin_stop(&names()).unwrap();
    assert_eq!(draining(&shop), Some(asked), "it was asked once");
    until("it was killed with its child", || {
        shop.host.climb().unwrap();
        !is_alive(master) && !is_alive(child)
    });
    assert_eq!(heard(&shop), ALL);
    shop.stop(NAME);
    assert_eq!(draining(&shop), None);
}

#[test]
fn two_runs_send_no_signal_twice_and_a_later_one_goes_on() {
    let (shop, _) = shop(LONG);
    shop.host.begin_stop(&names()).unwrap();
    let until_hup = |host: &UnixHost| {
        until("it heard two further signals", || {
            host.climb().unwrap();
            heard(&shop).len() == 3
        });
    };
    let other = UnixHost::new(shop.layout.clone()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| until_hup(&other));
        scope.spawn(|| until_hup(&shop.host));
    });
    let third = UnixHost::new(shop.layout.clone()).unwrap();
    third.stop(&names()).unwrap();
    assert_eq!(heard(&shop), ALL);
}

#[test]
fn the_end_of_everything_climbs_too() {
    let (shop, child) = shop(LONG);
    shop.host.stop_manager(&|_| Ok(())).unwrap();
    assert_eq!(heard(&shop), ALL);
    assert!(!is_alive(child));
    assert_eq!(draining(&shop), None, "it may start again");
}

#[test]
fn when_nobody_climbs_its_manager_kills_it() {
    let (shop, child) = shop(Duration::from_secs(2));
    shop.host.begin_stop(&names()).unwrap();
    let is_stopping = || shop.state(NAME).is_some_and(|state| state.state == Running::Stopping);
    until("it was killed", || !is_alive(child) && !is_stopping());
    assert_eq!(heard(&shop), ["term"]);
    shop.host.climb().unwrap();
    assert_eq!(draining(&shop), None, "it has ended");
}

#[test]
fn what_runs_again_was_asked_by_nobody() {
    let (shop, _) = shop(LONG);
    let long_ago = "2026-11-20T10:15:00Z".parse().unwrap();
    Draining::new(long_ago, LONG).write(&shop.host, &shop.layout, NAME).unwrap();
    shop.host.climb().unwrap();
    assert_eq!((heard(&shop), draining(&shop)), (Vec::new(), None));
}
