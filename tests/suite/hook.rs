//! Deploying by `git push`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Finished, Running, Sandbox, git, wait_until};

#[test]
fn a_push_deploys() {
    let sandbox = Sandbox::deployed();
    let hook = sandbox.repository.bare.join("hooks/post-receive");
    installed(&sandbox, &hook);
    streams_back(&sandbox);
    deploys_nothing_else(&sandbox);
    a_broken_one(&sandbox);
    for (signal, whole_group) in [(Signal::KILL, true), (Signal::INT, true), (Signal::KILL, false)] {
        goes_on_without_its_client(&sandbox, signal, whole_group);
    }
    the_newest_wins(&sandbox);
    sandbox.assert_tidy();
}

fn installed(sandbox: &Sandbox, hook: &Path) {
    let bare = sandbox.repository.bare.display().to_string();
    sandbox.release(&["hook", "install", "/tmp"]).exits(2).says("no bare git repository");
    fs::write(hook, "#!/bin/sh\n").unwrap();
    sandbox.release(&["hook", "install", &bare]).exits(2).says("not ours");
    fs::remove_file(hook).unwrap();
    for _ in 0..2 {
        sandbox.release(&["hook", "install", &bare]).exits(0);
    }
}

/// `git push origin REFS` from a clone, as somebody with variables of their own.
fn push(sandbox: &Sandbox, clone: &Path, refs: &[&str]) -> Running {
    let mut command = git(clone);
    command.args(["push", "origin"]).args(refs).env("GIT_TRACE_SETUP", "0");
    sandbox.run(command)
}

fn push_main(sandbox: &Sandbox) -> (Running, String) {
    let sha = sandbox.repository.add_unpushed("code");
    (push(sandbox, &sandbox.repository.work, &["--force", "main"]), sha)
}

fn remote_lines(done: &Finished) -> Vec<String> {
    let lines = done.err.lines().filter_map(|line| line.strip_prefix("remote: "));
    lines.map(|line| line.trim_end().to_owned()).collect()
}

fn streams_back(sandbox: &Sandbox) {
    let (run, sha) = push_main(sandbox);
    let done = run.finish().exits(0);
    let lines = remote_lines(&done);
    let id = sandbox.current().unwrap();
    assert_eq!(sandbox.live_revision(), sha, "{done}");
    for word in ["activate", &format!("{id} is live"), &sha[..7]] {
        assert!(lines.iter().any(|line| line.contains(word)), "no {word} in {done}");
    }
    assert!(!done.err.contains("\u{1b}[2K\u{1b}"), "control codes in {done}");
    sandbox.assert_serves();
    // What git tells its hooks must not reach the app's processes.
    let environment = running_environment(sandbox);
    assert!(environment.contains("RELEASE_ID="), "{environment}");
    assert!(!environment.contains("GIT_"), "{environment}");
}

/// The environment of the web service's process.
fn running_environment(sandbox: &Sandbox) -> String {
    let pid = sandbox.status()["services"][0]["pid"].as_u64().unwrap();
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    String::from_utf8_lossy(&environment).replace('\0', "\n")
}

fn deploys_nothing_else(sandbox: &Sandbox) {
    let before = (sandbox.current(), sandbox.releases());
    let work = &sandbox.repository.work;
    let pushes: [(&str, &str); 4] = [
        ("main:refs/heads/other", "other"),
        ("main:refs/tags/v7", "v7"),
        (":refs/heads/other", "other"),
        (":refs/tags/v7", "v7"),
    ];
    for (refs, word) in pushes {
        let done = push(sandbox, work, &[refs]).finish().exits(0);
        let lines = remote_lines(&done);
        assert_eq!(lines.len(), 1, "one line for {refs}: {done}");
        assert!(lines[0].contains(word), "{done}");
    }
    assert_eq!(before, (sandbox.current(), sandbox.releases()));
}

fn a_broken_one(sandbox: &Sandbox) {
    let (current, good) = (sandbox.current(), sandbox.repository.good());
    let work = &sandbox.repository.work;
    let kept = std::process::Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/apps/shop-revisions"
    ))
    .arg(work)
    .args(["--add", "broken-import", "--from", &good])
    .status();
    assert!(kept.unwrap().success());
    // The push itself has been taken, so git is content; what came of it is told.
    let done = push(sandbox, work, &["--force", "main"]).finish().exits(0);
    assert!(remote_lines(&done).iter().any(|line| line.contains("shop.missing")), "{done}");
    assert_eq!(sandbox.current(), current);
    sandbox.assert_serves();
    sandbox.assert_tidy();
}

/// The client is gone as soon as the deploy has begun.
fn goes_on_without_its_client(sandbox: &Sandbox, signal: Signal, whole_group: bool) {
    let (mut run, sha) = push_main(sandbox);
    wait_until("the deploy has begun", Duration::from_secs(60), || {
        assert!(!run.is_over(), "{}", run.errors());
        run.errors().contains("deploying")
    });
    if whole_group {
        run.signal_group(signal)
    } else {
        run.signal(signal)
    }
    drop(run.finish());
    wait_until(&format!("{sha} is live after all"), Duration::from_secs(60), || {
        let status = sandbox.status();
        status["locked"].is_null() && status["current"]["revision"] == *sha
    });
    let id = sandbox.current().unwrap();
    sandbox.release(&["log"]).exits(0).says(&format!("{id} is live"));
    sandbox.assert_serves();
    sandbox.assert_tidy();
}

/// Three clients push one after the other while the first deploy goes on.
fn the_newest_wins(sandbox: &Sandbox) {
    let runs_before = runs(sandbox).len();
    let (first, a) = push_main(sandbox);
    wait_until("the first push holds the lock", Duration::from_secs(60), || {
        !sandbox.status()["locked"].is_null()
    });
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let before = sandbox.repository.good();
        let (run, sha) = push_main(sandbox);
        // It has arrived as soon as the branch says so.
        wait_until("the push is received", Duration::from_secs(60), || tip(&sandbox.repository.bare) == sha);
        assert_ne!(before, sha);
        waiting.push((run, sha));
    }
    first.finish().exits(0);
    let newest = waiting.last().unwrap().1.clone();
    for (run, _) in waiting {
        run.finish().exits(0);
    }
    assert_eq!(sandbox.live_revision(), newest);
    let runs = runs(sandbox)[runs_before..].to_vec();
    let revisions: Vec<&str> = runs.iter().map(|(revision, ..)| revision.as_str()).collect();
    assert_eq!(revisions, [a.as_str(), newest.as_str()], "the one between them is never built");
    assert!(runs[0].2 <= runs[1].1, "they interleave: {runs:?}");
    sandbox.assert_serves();
}

fn tip(bare: &Path) -> String {
    let done = git(bare).args(["rev-parse", "main"]).output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Revision, start and end of each run.
fn runs(sandbox: &Sandbox) -> Vec<(String, String, String)> {
    let log = sandbox.facts(&["log"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let facts =
        |run: &serde_json::Value| (text(&run["revision"]), text(&run["started_at"]), text(&run["ended_at"]));
    log["runs"].as_array().unwrap().iter().map(facts).collect()
}
