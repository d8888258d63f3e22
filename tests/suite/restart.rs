//! New processes for the active release, by its release.yml as it is now.

use std::fs;

use serde_json::Value;

use crate::support::{Pace, QUICK, Sandbox};

/// The server's part: `web` with so many workers.
fn workers(count: u32) -> String {
    format!(
        "services: {{web: {{command: \"gunicorn shop.wsgi -w {count} --bind unix:$SOCKET\", \
         health: {{settle: 200ms}}, env: {{WORKERS: \"{count}\"}}}}}}\n"
    )
}

#[test]
fn a_changed_command_needs_no_new_release() {
    let sandbox = Sandbox::deployed();
    let (release, first) = (sandbox.current(), web(&sandbox));
    let load = sandbox.load(Pace::Light);
    sandbox.configure(&format!("{}linked_dirs: [data, more]\nkeep: 7\n", workers(3)));
    let hint = "changed in release.yml, but only `release restart` follows it: services";
    sandbox.release(&["deploy", "main"]).exits(0).says("live already").says(hint);
    let done = sandbox.release(&["restart", "--json"]).exits(0);
    assert!(done.out.contains("only `release deploy --force` follows it: linked_dirs"), "{done}");
    assert_eq!(done.json()["outcome"], "restarted");
    let second = web(&sandbox);
    assert_eq!(sandbox.current(), release, "no release was made");
    assert_ne!(first, second);
    assert!(environment(second).contains("WORKERS=3\0"));
    assert!(fs::read_to_string(format!("/proc/{second}/cmdline")).unwrap().contains("-w\x003\0"));
    let config = &record(&sandbox)["config"];
    assert_eq!((&config["keep"], &config["linked_dirs"]), (&Value::from(7), &Value::from(vec!["data"])));
    sandbox.assert_serves();
    sandbox.assert_tidy();
    what_does_not_come_up_changes_nothing(&sandbox, second);
    sandbox.assert_flawless(load);

    // It is the release's own now: another boot of it is the same.
    sandbox.release(&["stop"]).exits(0);
    sandbox.release(&["start"]).exits(0);
    assert!(environment(web(&sandbox)).contains("WORKERS=3\0"));
    let log = sandbox.facts(&["log"]);
    let restarts = log["runs"].as_array().unwrap().iter().filter(|run| run["action"] == "restart");
    let outcomes: Vec<&Value> = restarts.map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["activated", "undone"]);
    // The way back is still there.
    sandbox.configure(QUICK);
    sandbox.deploy("code");
    sandbox.release(&["rollback"]).exits(0);
    assert!(environment(web(&sandbox)).contains("WORKERS=3\0"));
    sandbox.assert_tidy();
}

fn what_does_not_come_up_changes_nothing(sandbox: &Sandbox, serving: u64) {
    let before = record(sandbox);
    sandbox
        .configure("services: {web: {command: \"sh -c 'echo $$SOCKET; exit 7'\", env: {WORKERS: \"9\"}}}\n");
    sandbox.release(&["restart"]).exits(3).says("help:");
    assert_eq!((web(sandbox), record(sandbox)), (serving, before));
    sandbox.assert_serves();
    sandbox.assert_tidy();
    sandbox.configure(QUICK);
    sandbox.release(&["restart", "wbe"]).exits(2).says("the services are: web");
    sandbox.configure("services: {web: {user: nobody-of-that-name}}\n");
    sandbox.release(&["restart", "web"]).exits(3).says("there is no user");
    assert_eq!(web(sandbox), serving);
}

#[test]
fn without_a_release_there_is_nothing_to_restart() {
    Sandbox::new().release(&["restart"]).exits(2).says("nothing is live yet");
}

/// The process of the active release's web service.
fn web(sandbox: &Sandbox) -> u64 {
    let status = sandbox.status();
    let services = status["services"].as_array().unwrap();
    assert_eq!(services.len(), 1, "{status}");
    services[0]["pid"].as_u64().unwrap()
}

fn environment(pid: u64) -> String {
    fs::read_to_string(format!("/proc/{pid}/environ")).unwrap()
}

fn record(sandbox: &Sandbox) -> Value {
    let name = format!(".release/releases/{}.json", sandbox.current().unwrap());
    serde_json::from_str(&fs::read_to_string(sandbox.root.join(name)).unwrap()).unwrap()
}
