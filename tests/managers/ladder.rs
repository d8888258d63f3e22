//! A worker that no signal but KILL ends is asked by each of its ladder, in turn, whoever sends them.

use std::fs;
use std::time::{Duration, Instant};

use crate::server::web;
use crate::site::Site;
use crate::support::{processes, wait_until};
use crate::trial::{LIMIT, configure_services, is_left_out, services, site};

const ALL: [&str; 3] = ["SIGTERM", "SIGINT", "SIGHUP"];
/// What a signal may need to be heard.
const HEARING: Duration = Duration::from_millis(500);

/// An old worker, and how long each of its signals may take in seconds.
struct Old<'a> {
    site: &'a Site,
    release: String,
    rungs: [u64; 3],
}

impl<'a> Old<'a> {
    /// A switch leaves one behind. Under `manager`, as the server's `release.yml` names it; `web` is the line there
    /// for `web`, or nothing.
    fn of(site: &'a Site, manager: &str, web: &str, rungs: [u64; 3]) -> Self {
        let [term, int, hup] = rungs;
        let ladder = format!("[TERM {term}s, INT {int}s, HUP {hup}s, KILL]");
        let stubborn = format!("worker: {{command: python3 stubborn.py, stop: {ladder}}}");
        let lines: Vec<&str> = [web, &stubborn].into_iter().filter(|line| !line.is_empty()).collect();
        configure_services(site, manager, &format!("{{{}}}", lines.join(", ")));
        site.switch();
        let release = site.current();
        site.switch();
        Self { site, release, rungs }
    }

    /// The signals, and when each was heard.
    fn heard(&self) -> Vec<(String, Duration)> {
        let place = self.site.root.join("shared/data").join(format!("heard-{}", self.release));
        let text = fs::read_to_string(place).unwrap_or_default();
        let line = |line: &str| {
            let (signal, at) = line.split_once(' ').unwrap();
            (signal.to_owned(), Duration::from_secs_f64(at.parse().unwrap()))
        };
        text.lines().map(line).collect()
    }

    fn is_gone(&self) -> bool {
        services(self.site).iter().all(|service| service["release"] != self.release.as_str())
    }

    /// Each came once, and had its time.
    fn assert_climbed(&self) {
        let heard = self.heard();
        let signals: Vec<&str> = heard.iter().map(|(signal, _)| signal.as_str()).collect();
        assert_eq!(signals, ALL);
        let waits = heard.windows(2).map(|pair| pair[1].1 - pair[0].1);
        for (wait, rung) in waits.zip(self.rungs) {
            assert!(wait + HEARING >= Duration::from_secs(rung), "{wait:?} of {rung} s");
        }
        println!("ladder {:?}: {heard:?}", self.rungs);
        let of_old = |process: &processes::Process| process.names(&self.release);
        let children: Vec<_> = processes::of(&self.site.root).into_iter().filter(of_old).collect();
        let sleeps = |process: &&processes::Process| process.command.starts_with("sleep");
        assert!(!children.iter().any(|process| sleeps(&process)), "{children:?}");
    }
}

/// Rungs that are shorter than a deploy.
pub(crate) fn climb(site: &Site, manager: &str, web: &str) {
    if is_left_out("the signals of a ladder", &format!("`{manager}`")) {
        return;
    }
    let old = Old::of(site, manager, web, [2, 2, 2]);
    wait_until("it was killed", LIMIT, || old.is_gone());
    old.assert_climbed();
}

#[test]
fn what_retires_a_worker_is_killed_and_comes_back_to_go_on() {
    let site = site();
    let old = Old::of(&site, "supervisord", &web(), [6, 20, 2]);
    let retires = |process: &processes::Process| process.command.contains(" retire --root ");
    wait_until("the second signal was sent", LIMIT, || old.heard().len() >= 2);
    let retire = || processes::of(&site.root).into_iter().find(retires);
    wait_until("somebody goes on in the background", LIMIT, || retire().is_some());
    let killed = retire().unwrap();
    killed.kill();
    wait_until("somebody else does", LIMIT, || retire().is_some_and(|other| other.pid != killed.pid));
    let climbing = Instant::now();
    wait_until("it was killed", LIMIT, || old.is_gone());
    old.assert_climbed();
    assert!(climbing.elapsed() < Duration::from_secs(40), "supervisord killed it: {:?}", climbing.elapsed());
    site.stop();
}

#[test]
fn a_stop_goes_on_where_a_ladder_was() {
    let site = site();
    let old = Old::of(&site, "supervisord", &web(), [6, 20, 2]);
    wait_until("the second signal was sent", LIMIT, || old.heard().len() >= 2);
    let stopped = Instant::now();
    site.release(&["stop"]).exits(0);
    old.assert_climbed();
    assert!(stopped.elapsed() < Duration::from_secs(40), "supervisord killed it: {:?}", stopped.elapsed());
    site.stop();
}

#[test]
fn a_stop_climbs_by_itself() {
    let site = site();
    let worker = "worker: {command: python3 stubborn.py, stop: [TERM 1s, INT 1s, HUP 1s, KILL]}";
    configure_services(&site, "supervisord", &format!("{{{}, {worker}}}", web()));
    site.switch();
    let worker = Old { site: &site, release: site.current(), rungs: [1, 1, 1] };
    site.release(&["stop"]).exits(0).says("stopped 2 processes");
    worker.assert_climbed();
    site.stop();
}
