//! Pages that were opened before a deploy find their scripts afterwards.

use std::fs;

use serde_json::Value;

use crate::support::Sandbox;

/// What the manifest of the active release calls the file that every revision changes.
fn hashed(sandbox: &Sandbox) -> String {
    manifest(sandbox)["paths"]["shop/marker.txt"].as_str().unwrap().to_owned()
}

fn manifest(sandbox: &Sandbox) -> Value {
    let text = fs::read(sandbox.root.join("current/static_root/staticfiles.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[track_caller]
fn assert_served(sandbox: &Sandbox, names: &[&String], status: u16) -> Vec<String> {
    let replies = names.iter().map(|name| sandbox.get(&format!("/static/{name}")));
    let check = |reply: crate::support::Reply| {
        assert_eq!(reply.status, status, "{reply:?}");
        reply.body
    };
    replies.map(check).collect()
}

#[test]
fn nginx_serves_hashed_files_of_the_last_releases() {
    let mut sandbox = Sandbox::new();
    sandbox.configure_quick("keep: 2\nkeep_assets: 2\n");
    sandbox.release(&["deploy", "main"]).exits(0);
    sandbox.start_nginx();
    let first = hashed(&sandbox);
    let before = assert_served(&sandbox, &[&first], 200);
    let first_manifest = manifest(&sandbox);

    sandbox.deploy("code");
    let second = hashed(&sandbox);
    assert_ne!(first, second);
    let bodies = assert_served(&sandbox, &[&first, &second], 200);
    assert_eq!(bodies[0], before[0]);
    assert_ne!(bodies[0], bodies[1]);
    assert!(!manifest(&sandbox).to_string().contains(&first), "the manifest is the release's own");

    sandbox.release(&["rollback"]).exits(0);
    assert_eq!(manifest(&sandbox), first_manifest);
    assert_served(&sandbox, &[&first, &second], 200);

    // The release that brought the first one is pruned, then its time is over. Users have had the
    // second one too, although it was gone back from.
    let mut names = Vec::new();
    for served in [true, true, false] {
        sandbox.deploy("code");
        assert_served(&sandbox, &[&second], if names.is_empty() { 200 } else { 404 });
        names.push(hashed(&sandbox));
        assert_served(&sandbox, &[&first], if served { 200 } else { 404 });
    }
    assert_served(&sandbox, &names.iter().collect::<Vec<_>>(), 200);
}
