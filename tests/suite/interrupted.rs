//! Killed at any moment: `current` leads to a whole release that serves, and the next command
//! puts everything in order.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Journal, Pace, Running, Sandbox, times};

/// The steps before which users cannot notice anything, and by which signals find a deploy.
const SIGNALS: [(Signal, &str); 3] =
    [(Signal::INT, "static"), (Signal::TERM, "boot"), (Signal::HUP, "health-check")];

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
    let mut kills = 0;
    // The main thread writes all records but those of steps that run side by side.
    while kill_at_sync(&sandbox, kills + 1, pair.next(&sandbox)) {
        kills += 1;
        in_order_after(&sandbox);
    }
    println!("killed at {kills} records");
    assert!(kills >= 20, "only {kills} records were synced");
    sandbox.assert_flawless(load);
}

/// Deploys under strace, which kills it inside the journal's sync of record `number`. False if it
/// came to its end before.
fn kill_at_sync(sandbox: &Sandbox, number: usize, sha: &str) -> bool {
    let inject = format!("inject=fdatasync:signal=KILL:when={number}");
    let strace = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject];
    let journal = Journal::from_now(&sandbox.root);
    let done = sandbox.run(sandbox.under(&strace, &["deploy", sha])).finish();
    if !done.was_killed() {
        done.exits(0);
        return false;
    }
    let last = journal.records().pop();
    println!("{number:>3} {}", last.map_or_else(String::new, |record| record.to_string()));
    true
}

#[test]
fn killed_right_after_each_record_of_the_journal() {
    let sandbox = Sandbox::deployed();
    let load = sandbox.load(Pace::Light);
    let pair = Pair::new(&sandbox);
    let mut kills = 0;
    loop {
        let journal = Journal::from_now(&sandbox.root);
        let mut run = sandbox.start(&["deploy", pair.next(&sandbox)]);
        if !journal.wait_for_records(kills + 1, &mut run) {
            run.finish().exits(0);
            break;
        }
        kills += 1;
        run.signal(Signal::KILL);
        drop(run.finish());
        in_order_after(&sandbox);
    }
    println!("killed after {kills} records");
    assert!(kills >= 20, "only {kills} records were written");
    sandbox.assert_flawless(load);
}

/// What must be true after a kill, and after `release recover`.
fn in_order_after(sandbox: &Sandbox) {
    sandbox.assert_serves();
    sandbox.release(&["recover"]).exits(0);
    sandbox.assert_serves();
    sandbox.assert_tidy();
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
