//! Killed at any moment: `current` leads to a whole release that serves, and the next command
//! puts everything in order.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Journal, Pace, Running, Sandbox, times};

/// The steps before which users cannot notice anything, and by which signals find a deploy.
const SIGNALS: [(Signal, &str); 3] =
    [(Signal::INT, "check-app"), (Signal::TERM, "boot"), (Signal::HUP, "health-check")];

/// The one of two revisions that is not live.
struct Pair([String; 2]);

impl Pair {
    fn new(sandbox: &Sandbox) -> Self {
        Self(["code", "code"].map(|kind| sandbox.repository.add(kind)))
    }

    fn next(&self, sandbox: &Sandbox) -> &str {
        let live = sandbox.live_revision();
        self.0.iter().find(|sha| **sha != live).unwrap()
    }
}

#[test]
fn killed_as_it_syncs_each_record_of_the_journal() {
    let sandbox = Sandbox::deployed();
    let load = sandbox.load(Pace::Light);
    let pair = Pair::new(&sandbox);
    let stride = stride();
    let number = |kills: usize| kills * stride + stride.min(2);
    // The main thread writes all records but those of steps that run side by side.
    killed_everywhere(&sandbox, 20 / stride, |kills| {
        kill_at_sync(&sandbox, number(kills), &["deploy", pair.next(&sandbox)], 0)
    });
    let releases = sandbox.facts(&["list"])["releases"].clone();
    let good = releases.as_array().unwrap().iter().find(|release| release["state"] == "good");
    let good =
        good.unwrap_or_else(|| panic!("none to go back to: {releases}"))["id"].as_str().unwrap().to_owned();
    let first = sandbox.current().unwrap();
    let other = || if sandbox.current().as_deref() == Some(&good) { first.clone() } else { good.clone() };
    let least = 10 / stride;
    killed_everywhere(&sandbox, least, |kills| {
        kill_at_sync(&sandbox, number(kills), &["rollback", &other()], 0)
    });
    killed_everywhere(&sandbox, least, |kills| kill_at_sync(&sandbox, number(kills), &["restart"], 0));
    sandbox.assert_flawless(load);
}

/// Every third record will do for a quick run; all of them when there are to be many kills.
fn stride() -> usize {
    if times("RELEASE_TEST_KILLS", 10) < 100 { 3 } else { 1 }
}

/// Kills runs, each some records later than the last, until one comes to its end.
fn killed_everywhere(sandbox: &Sandbox, least: usize, mut kill: impl FnMut(usize) -> bool) {
    let mut kills = 0;
    while kill(kills) {
        kills += 1;
        sandbox.assert_serves();
        sandbox.release(&["recover"]).exits(0);
        sandbox.assert_serves();
        sandbox.assert_tidy();
    }
    println!("killed at {kills} records");
    assert!(kills >= least, "it writes more than {kills} records");
}

/// Runs `words` under strace, which kills it inside the journal's sync of record `number`. False
/// if it came to its end before, with `code`.
fn kill_at_sync(sandbox: &Sandbox, number: usize, words: &[&str], code: i32) -> bool {
    let inject = format!("inject=fdatasync:signal=KILL:when={number}");
    let strace = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject];
    let journal = Journal::from_now(&sandbox.root);
    let done = sandbox.run(sandbox.under(&strace, words)).finish();
    if !done.was_killed() {
        done.exits(code);
        return false;
    }
    let last = journal.records().pop().unwrap_or_default();
    println!("{number:>3} {} {} {}", last["kind"], last["step"], last["mark"]);
    true
}

#[test]
fn killed_right_after_each_record_of_the_journal() {
    let sandbox = Sandbox::deployed();
    let load = sandbox.load(Pace::Light);
    let pair = Pair::new(&sandbox);
    let stride = stride();
    let number = |kills: usize| kills * stride + 1;
    let least = 24 / stride;
    killed_everywhere(&sandbox, least, |kills| {
        kill_after_record(&sandbox, number(kills), pair.next(&sandbox), 0)
    });
    // One that fails by itself is killed while it is being taken back, too.
    let broken = sandbox.repository.add_broken("broken-boot");
    killed_everywhere(&sandbox, least, |kills| kill_after_record(&sandbox, number(kills), &broken, 3));
    sandbox.assert_flawless(load);
}

/// Deploys, and kills the run once record `number` is there. False if it came to its end before,
/// with `code`.
fn kill_after_record(sandbox: &Sandbox, number: usize, sha: &str, code: i32) -> bool {
    let journal = Journal::from_now(&sandbox.root);
    let mut run = sandbox.start(&["deploy", sha]);
    if !journal.wait_for_records(number, &mut run) {
        run.finish().exits(code);
        return false;
    }
    run.signal(Signal::KILL);
    // The last record may be its last act.
    drop(run.finish());
    true
}

#[test]
fn killed_at_random_moments() {
    let sandbox = Sandbox::deployed();
    let load = sandbox.load(Pace::Light);
    let pair = Pair::new(&sandbox);
    let start = Instant::now();
    sandbox.release(&["deploy", pair.next(&sandbox)]).exits(0);
    let whole = start.elapsed();
    let mut random = Random::new();
    println!("a deploy takes {whole:?}, the seed is {}", random.0);
    for number in 0..times("RELEASE_TEST_KILLS", 10) {
        let after = whole.mul_f64(random.next());
        // A rollback may be killed as well; and it is the next run that tidies up.
        let words = if number % 4 == 3 { vec!["rollback"] } else { vec!["deploy", pair.next(&sandbox)] };
        let mut run = sandbox.start(&words);
        sleep_unless_over(after, &mut run);
        run.signal(Signal::KILL);
        let done = run.finish();
        println!("{words:?} after {after:?}: {:?}", done.code());
        sandbox.assert_serves();
    }
    sandbox.release(&["deploy", pair.next(&sandbox)]).exits(0);
    sandbox.assert_serves();
    sandbox.assert_tidy();
    sandbox.assert_flawless(load);
}

fn sleep_unless_over(duration: Duration, run: &mut Running) {
    let until = Instant::now() + duration;
    while Instant::now() < until && !run.is_over() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Numbers from 0 to 1. `RELEASE_TEST_SEED` repeats a run.
struct Random(usize);

impl Random {
    fn new() -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        Self(times("RELEASE_TEST_SEED", now as usize))
    }

    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}

#[test]
fn signals_undo_cleanly() {
    let mut sandbox = Sandbox::new();
    sandbox.configure(crate::support::QUICK);
    the_first_deploy_of_all(&mut sandbox);
    let load = sandbox.load(Pace::Light);
    for (signal, step) in SIGNALS {
        let (current, releases) = (sandbox.current(), sandbox.releases());
        let sha = sandbox.repository.add("code");
        let journal = Journal::from_now(&sandbox.root);
        let mut run = sandbox.start(&["deploy", &sha]);
        assert!(journal.wait_for_step(step, &mut run), "{step} does not begin");
        // As Ctrl-C does: every process of the terminal's group gets it.
        run.signal_group(signal);
        run.finish().exits(3).says("interrupted");
        assert_eq!(sandbox.current(), current);
        assert_eq!(sandbox.releases(), releases);
        sandbox.assert_serves();
        sandbox.assert_tidy();
        sandbox.release(&["deploy", &sha]).exits(0);
        sandbox.assert_serves();
    }
    sandbox.assert_flawless(load);
}

/// Interrupted, then killed, while pip and npm are at work and nothing is live yet.
fn the_first_deploy_of_all(sandbox: &mut Sandbox) {
    for signal in [Signal::INT, Signal::KILL] {
        let journal = Journal::from_now(&sandbox.root);
        let mut run = sandbox.start(&["deploy", "main"]);
        assert!(journal.wait_for_step("venv", &mut run));
        run.signal(signal);
        let done = run.finish();
        assert_eq!(done.code(), if signal == Signal::INT { Some(3) } else { None }, "{done}");
        if signal == Signal::KILL {
            assert!(sandbox.status()["interrupted"]["step"].is_string());
            sandbox.release(&["recover"]).exits(0);
        }
        assert_eq!(sandbox.current(), None);
        assert!(sandbox.releases().is_empty(), "{:?}", sandbox.releases());
        sandbox.assert_tidy();
    }
    sandbox.release(&["deploy", "main"]).exits(0);
    sandbox.start_nginx();
    sandbox.assert_serves();
}
