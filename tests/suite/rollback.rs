//! Back to what served before.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Pace, QUICK, Sandbox};

#[test]
fn rollback_goes_to_what_served_before() {
    let sandbox = Sandbox::deployed();
    let a = sandbox.current().unwrap();
    sandbox.release(&["rollback"]).exits(2).says("help:");

    let load = sandbox.load(Pace::Light);
    cold(&sandbox, &a);
    warm(&sandbox);
    sandbox.assert_flawless(load);
}

fn cold(sandbox: &Sandbox, a: &str) {
    let [b, c] = ["code", "requirement"].map(|kind| {
        sandbox.deploy(kind);
        sandbox.current().unwrap()
    });
    let broken = sandbox.repository.add_broken("broken-import");
    sandbox.release(&["deploy", &broken]).exits(3);

    // The failed one is passed over; the one that is left is not come back to.
    let done = sandbox.release(&["rollback", "--json"]).exits(0).json();
    assert_eq!(done["outcome"], "rolled_back");
    assert_eq!(done["release"], *b);
    live_is(sandbox, &b);
    sandbox.release(&["rollback"]).exits(0);
    live_is(sandbox, a);
    let states: Vec<Value> = sandbox.facts(&["list"])["releases"].as_array().unwrap().clone();
    let state = |id: &str| states.iter().find(|release| release["id"] == *id).unwrap()["state"].clone();
    assert_eq!([state(a), state(&b), state(&c)], ["active", "rolled_back", "rolled_back"]);
    assert!(states.iter().any(|release| release["state"] == "failed"), "{states:?}");

    sandbox.release(&["rollback", "--to", &c]).exits(0);
    live_is(sandbox, &c);
    sandbox.release(&["rollback", a]).exits(0);
    live_is(sandbox, a);

    sandbox.deploy("code");
    let d = sandbox.current().unwrap();
    assert_eq!(sandbox.status()["previous"]["id"], *a, "neither of those that were left");
    sandbox.release(&["rollback", &d]).exits(2).says("live already");
    sandbox.release(&["rollback", "20010101T000000Z-0000000"]).exits(2).says("help:");
    sandbox.release(&["rollback", "nonsense"]).exits(2);
    live_is(sandbox, &d);
    sandbox.assert_tidy();
}

fn live_is(sandbox: &Sandbox, id: &str) {
    assert_eq!(sandbox.current().as_deref(), Some(id));
    sandbox.assert_serves();
}

fn warm(sandbox: &Sandbox) {
    sandbox.configure(&format!("{QUICK}warm: 10\n"));
    let _ = sandbox.deploy("code");
    let old = (sandbox.current().unwrap(), pid(sandbox));
    sandbox.deploy("code");
    let new = (sandbox.current().unwrap(), pid(sandbox));

    let start = Instant::now();
    sandbox.release(&["rollback"]).exits(0);
    let took = start.elapsed();
    println!("a warm rollback took {} ms", took.as_millis());
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!((sandbox.current().unwrap(), pid(sandbox)), old, "the very processes that served before");
    sandbox.assert_serves();

    sandbox.release(&["rollback", "--to", &new.0]).exits(0);
    assert_eq!((sandbox.current().unwrap(), pid(sandbox)), new);
    sandbox.assert_serves();

    // Once nobody wants warm ones any more the next deploy ends them.
    sandbox.configure(QUICK);
    sandbox.deploy("code");
    sandbox.assert_serves();
    sandbox.assert_tidy();
}

/// The process of the active release's web service.
fn pid(sandbox: &Sandbox) -> u64 {
    let (status, current) = (sandbox.status(), sandbox.current().unwrap());
    let services = status["services"].as_array().unwrap();
    let web = services.iter().find(|service| service["name"] == "web" && service["release"] == *current);
    let web = web.unwrap_or_else(|| panic!("no web of {current} in {status}"));
    web["pid"].as_u64().unwrap()
}
