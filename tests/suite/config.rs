//! A release.yml that is wrong, as people meet it.

use std::fs;

use crate::support::{Finished, Sandbox, git};

/// Every line but the first two has something wrong with it.
const WRONG: &str = "app: shop
services: {web: {command: \"gunicorn shop.wsgi --bind unix:$SOCKET\"}}
linkd_dirs: [data]
linked_dirs: [media, media/a, ../up, /etc]
linked_files: [\"a/../../b\", data.db, data.db]
keep: many
python: {version: 3.10}
django: {setings: shop.settings}
";

/// The line of each problem, and a word that helps.
const PROBLEMS: [(u32, &str); 8] = [
    (3, "linked_dirs"),
    (4, "media"),
    (4, "../up"),
    (4, "/etc"),
    (5, "a/../../b"),
    (5, "data.db"),
    (6, "keep"),
    (8, "settings"),
];

#[test]
fn the_servers_file_is_refused_with_all_its_problems() {
    let sandbox = Sandbox::new();
    sandbox.configure(WRONG);
    for words in [&["deploy", "main"], &["plan", "main"]] {
        // `repository:` and `branch:` stand above.
        all_problems(&sandbox.release(words).exits(2), 2);
    }
    assert!(!sandbox.root.join("releases").exists() && !sandbox.root.join("repo").exists());
}

#[test]
fn the_apps_file_is_refused_with_all_its_problems() {
    let sandbox = Sandbox::new();
    let sha = commit(&sandbox, WRONG);
    let done = sandbox.release(&["deploy", "main"]).exits(2).says(&sha[..7]);
    all_problems(&done, 0);
    assert!(sandbox.releases().is_empty() && sandbox.current().is_none());
    let checked = sandbox.release(&["check", "--json"]).exits(3).json();
    assert_eq!(checked["ok"], false, "{checked}");
    assert!(checked["problems"][0]["problem"].as_str().unwrap().contains("linkd_dirs"), "{checked}");

    commit(&sandbox, "app: [");
    sandbox.release(&["deploy", "main"]).exits(2).says("YAML");
    commit(&sandbox, "keep: 3\n");
    sandbox.release(&["deploy", "main"]).exits(2).says("`app` is missing");
}

#[test]
fn a_plan_lists_what_would_be_refused_and_shows_the_rest() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "linked_files: [config/secrets.json]\npython: {requirements: [absent.txt]}\n\
         frontend: [{directory: nowhere}]\nbuild: {nice: 5, memory: 2g}\n",
    );
    fs::write(sandbox.root.join("shared/.env"), "SECRET_KEY=x\nno variable\n").unwrap();
    let plan = sandbox.facts(&["plan"]);
    let problems = plan["problems"].to_string();
    for word in ["config/secrets.json", "absent.txt", "nowhere", "shared/.env:2"] {
        assert!(problems.contains(word), "`{word}` is not told by {plan}");
    }
    for (step, state) in [("checkout", "needed"), ("venv", "pending"), ("frontend", "pending")] {
        let found = plan["steps"].as_array().unwrap().iter().find(|found| found["step"] == step).unwrap();
        assert_eq!(found["state"], state, "{found}");
    }
    assert_eq!(plan["build"], serde_json::json!({"nice": 5, "memory": "2g"}));
    let told = sandbox.release(&["plan"]).exits(0).says("a deploy would be refused");
    told.says("builds run with nice 5, and 2g of memory for each process");
    let checked = sandbox.release(&["check"]).exits(3);
    checked.says("builds run with nice 5, and 2g of memory for each process");
    let checked = sandbox.release(&["check", "--json"]).exits(3).json();
    assert_eq!(checked["build"]["memory"], "2g");
    sandbox.configure("build: {nice: 300, memory: lots}\n");
    let refused = sandbox.release(&["plan"]).exits(2).says("build.nice: 300 is not from 1 to 19");
    refused.says("build.memory: lots is no size").says("`build: {memory: 1g}`");
}

fn all_problems(done: &Finished, above: u32) {
    for (line, word) in PROBLEMS {
        let place = format!(":{}:", line + above);
        let lines: Vec<&str> = done.err.lines().chain([""]).collect();
        // What to do stands in the line below.
        let told = lines.windows(2).any(|pair| pair[0].contains(&place) && pair.concat().contains(word));
        assert!(told, "`{word}` in line {} is not told by {done}", line + above);
    }
}

/// Pushes a revision with `text` as its release.yml.
fn commit(sandbox: &Sandbox, text: &str) -> String {
    let work = &sandbox.repository.work;
    fs::write(work.join("release.yml"), text).unwrap();
    for words in [&["commit", "-qam", "Change release.yml"][..], &["push", "-q", "origin", "main"]] {
        assert!(git(work).args(words).status().unwrap().success());
    }
    let head = git(work).args(["rev-parse", "HEAD"]).output().unwrap();
    String::from_utf8(head.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_link_that_escapes_is_refused() {
    let sandbox = Sandbox::new();
    let (outside, work) = (sandbox.directory().join("outside"), &sandbox.repository.work);
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, work.join("way")).unwrap();
    for words in [&["add", "way"][..], &["commit", "-qm", "Add a link"], &["push", "-q", "origin", "main"]] {
        assert!(git(work).args(words).status().unwrap().success());
    }
    // The path is sound by itself; it is the repository's symlink that leads it out.
    sandbox.configure("linked_dirs: [way/out]\n");
    sandbox.release(&["deploy", "main"]).exits(3).says("way/out").says("escapes").says("help:");
    assert!(sandbox.current().is_none() && fs::read_dir(&outside).unwrap().next().is_none());
    assert!(sandbox.releases().is_empty());
}
