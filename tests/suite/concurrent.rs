//! Two runs at once, and a lock whose holder is gone.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Journal, Sandbox, times, wait_until};

#[test]
fn one_run_at_a_time() {
    let sandbox = Sandbox::deployed();
    for _ in 0..times("RELEASE_TEST_PAIRS", 4) {
        one_wins(&sandbox);
    }
    both_in_order(&sandbox);
    patience_ends(&sandbox);
    a_killed_holder_holds_nothing(&sandbox);
}

fn one_wins(sandbox: &Sandbox) {
    let revisions = [sandbox.repository.add("code"), sandbox.repository.add("code")];
    let started = revisions.clone().map(|sha| (sandbox.start(&["deploy", &sha]), sha));
    let done = started.map(|(run, sha)| (run.finish(), sha));
    let mut codes = done.each_ref().map(|(done, _)| done.code());
    codes.sort();
    let [first, second] = &done;
    assert_eq!(codes, [Some(0), Some(6)], "{}\n{}", first.0, second.0);
    let (winner, loser) = if first.0.code() == Some(0) { (first, second) } else { (second, first) };
    assert_eq!(sandbox.live_revision(), winner.1);
    assert!(loser.0.err.contains("deploy") && loser.0.err.contains("help:"), "{}", loser.0);
    sandbox.assert_serves();
    sandbox.assert_tidy();
}

fn both_in_order(sandbox: &Sandbox) {
    let [a, b] = [sandbox.repository.add("code"), sandbox.repository.add("code")];
    let first = sandbox.start(&["deploy", &a]);
    wait_until_locked(sandbox);
    let second = sandbox.start(&["deploy", &b, "--wait"]);
    first.finish().exits(0);
    second.finish().exits(0);
    assert_eq!(sandbox.live_revision(), b);
    let log = sandbox.facts(&["log"]);
    let runs = log["runs"].as_array().unwrap();
    let [x, y] = &runs[runs.len() - 2..] else { panic!("{log}") };
    assert_eq!([&x["revision"], &y["revision"]], [&*a, &*b]);
    assert!(x["ended_at"].as_str() <= y["started_at"].as_str(), "{log}");
    sandbox.assert_serves();
}

fn patience_ends(sandbox: &Sandbox) {
    let sha = sandbox.repository.add("code");
    // Its holder waits in its first step for as long as it is stopped.
    let mut first = sandbox.start(&["deploy", &sha]);
    wait_until_locked(sandbox);
    first.signal(Signal::STOP);
    let status = sandbox.status();
    assert_eq!(status["locked"]["pid"], first.pid().as_raw_nonzero().get(), "{status}");
    assert!(status["interrupted"].is_null(), "{status}");
    sandbox.release(&["deploy", "main", "--wait=1s"]).exits(6);
    sandbox.release(&["rollback"]).exits(6);
    sandbox.release(&["stop"]).exits(6);
    assert!(!first.is_over());
    first.signal(Signal::CONT);
    first.finish().exits(0);
}

fn a_killed_holder_holds_nothing(sandbox: &Sandbox) {
    let sha = sandbox.repository.add("code");
    let journal = Journal::from_now(&sandbox.root);
    let mut first = sandbox.start(&["deploy", &sha]);
    assert!(journal.wait_for_step("boot", &mut first));
    first.signal(Signal::KILL);
    assert!(first.finish().was_killed());
    assert!(sandbox.status()["locked"].is_null());
    sandbox.release(&["deploy", &sha]).exits(0);
    sandbox.assert_serves();
    sandbox.assert_tidy();
}

fn wait_until_locked(sandbox: &Sandbox) {
    wait_until("the lock is held", Duration::from_secs(20), || !sandbox.status()["locked"].is_null());
}
