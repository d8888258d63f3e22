//! Thirty deploys and rollbacks in one run, and clients that notice nothing.

use std::time::Instant;

use crate::support::{Pace, Sandbox};

/// What is done, in order: a kind to deploy, `rollback`, or a broken kind.
const ACTS: [&str; 36] = [
    "code",
    "code",
    "rollback",
    "code",
    "requirement",
    "code",
    "rollback",
    "rollback",
    "code",
    "unhealthy",
    "code",
    "migration",
    "code",
    "rollback",
    "code",
    "code",
    "broken-import",
    "code",
    "frontend",
    "code",
    "rollback",
    "code",
    "code",
    "rollback",
    "code",
    "failing-migration",
    "code",
    "code",
    "rollback",
    "code",
    "code",
    "rollback",
    "broken-boot",
    "code",
    "code",
    "rollback",
];
const BROKEN: [&str; 4] = ["unhealthy", "broken-import", "failing-migration", "broken-boot"];

#[test]
fn thirty_deploys_and_rollbacks_lose_no_request() {
    let sandbox = Sandbox::deployed();
    let load = sandbox.load(Pace::Full);
    let mut moved = 0;
    for act in ACTS {
        let (start, before) = (Instant::now(), load.asked());
        let done = match act {
            "rollback" => sandbox.release(&["rollback"]).exits(0),
            kind if BROKEN.contains(&kind) => {
                let sha = sandbox.repository.add_broken(kind);
                sandbox.release(&["deploy", &sha]).exits(3)
            }
            kind => {
                let sha = sandbox.repository.add(kind);
                let done = sandbox.release(&["deploy", &sha]).exits(0);
                assert_eq!(sandbox.live_revision(), sha, "{done}");
                done
            }
        };
        moved += usize::from(done.code() == Some(0));
        println!("{act:<17} {:5.1} s, {} requests", start.elapsed().as_secs_f64(), load.asked() - before);
    }
    let report = load.stop(|sha| sandbox.repository.marker(sha));
    println!("{report}");
    report.assert_flawless();
    assert_eq!(report.switches, moved, "every deploy and rollback moved `current` once");
    assert!(moved >= 30, "{moved}");
    sandbox.assert_serves();
    sandbox.assert_tidy();
}
