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

fn all_problems(done: &Finished, above: u32) {
    for (line, word) in PROBLEMS {
        let place = format!(":{}:", line + above);
        let told = done.err.lines().any(|text| text.contains(&place) && text.contains(word));
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
