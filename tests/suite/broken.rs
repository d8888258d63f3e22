//! Revisions that are broken in every way: the old release serves on, and the reason is told.

use crate::support::{Pace, QUICK, Sandbox};

/// A kind, and what of its own last words must be on the screen.
const KINDS: [(&str, &[&str]); 9] = [
    ("broken-requirement", &["Markdown==999.0"]),
    ("broken-frontend", &["missing.js"]),
    ("broken-import", &["No module named 'shop.missing'"]),
    ("broken-boot", &["No module named 'shop.missing'"]),
    ("failing-migration", &["the fixture's failing migration"]),
    ("unhealthy", &["answers 500 to GET /healthz", "  | unhealthy"]),
    ("dies", &["fixture: dying on purpose"]),
    ("dies-late", &["fixture: dying on purpose"]),
    ("worker-dies", &["web lost a worker after it had answered", "fixture: dying on purpose"]),
];

#[test]
fn a_broken_revision_leaves_the_old_release_serving() {
    let sandbox = Sandbox::deployed();
    let load = sandbox.load(Pace::Light);
    for (kind, reasons) in KINDS {
        sandbox.configure(match kind {
            // Late is after the usual time, which such an app has to make longer.
            "dies-late" => "services: {web: {health: {settle: 3s}}}\n",
            "dies" | "worker-dies" => "",
            _ => QUICK,
        });
        goes_back(&sandbox, kind, reasons);
    }
    sandbox.configure(QUICK);
    sandbox.assert_flawless(load);
}

fn goes_back(sandbox: &Sandbox, kind: &str, reasons: &[&str]) {
    println!("{kind}");
    let (current, releases) = (sandbox.current(), sandbox.releases());
    let sha = sandbox.repository.add_broken(kind);
    let done = sandbox.release(&["deploy", &sha]);
    assert!(matches!(done.code(), Some(3 | 4)), "{done}");
    let done = reasons.iter().fold(done.says("help:"), |done, reason| done.says(reason));
    assert!(!done.out.contains('\u{1b}') && !done.err.contains('\u{1b}'), "control codes in {done}");
    assert_eq!(sandbox.current(), current, "{done}");
    assert_eq!(sandbox.releases(), releases, "nothing of it is left");
    sandbox.assert_serves();
    sandbox.assert_tidy();
    let log = sandbox.release(&["log"]).exits(0);
    let _ = reasons.iter().fold(log, |log, reason| log.says(reason));
    let log = sandbox.facts(&["log"]);
    let run = log["runs"].as_array().unwrap().last().unwrap();
    assert_eq!((&run["revision"], run["reason"].is_string()), (&sha.clone().into(), true), "{run}");
    let failed = sandbox.facts(&["list"])["releases"][0].clone();
    assert_eq!(
        (failed["state"].as_str(), failed["size_bytes"].as_u64()),
        (Some("failed"), Some(0)),
        "{failed}"
    );

    // With no cleaning by hand.
    sandbox.deploy("code");
    sandbox.assert_serves();
}

#[test]
fn one_that_is_found_out_after_activate_is_taken_back() {
    let sandbox = Sandbox::deployed();
    let current = sandbox.current();
    let load = sandbox.load(Pace::Light);
    // Nobody answers there: what the world would see is wrong, whatever the socket says.
    sandbox.configure(&format!("{QUICK}verify: {{url: \"http://127.0.0.1:9/healthz\", timeout: 1s}}\n"));
    let sha = sandbox.repository.add("code");
    let done = sandbox.release(&["deploy", &sha, "--json"]).exits(4).says("127.0.0.1:9");
    assert_eq!(done.json()["outcome"], "rolled_back");
    assert_eq!(sandbox.current(), current);
    sandbox.assert_serves();
    sandbox.assert_tidy();
    assert_eq!(sandbox.facts(&["list"])["releases"][0]["state"], "rolled_back");

    sandbox.configure(QUICK);
    sandbox.release(&["deploy", &sha]).exits(0);
    sandbox.assert_serves();
    sandbox.assert_flawless(load);
}
