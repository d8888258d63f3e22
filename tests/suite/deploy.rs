//! The road of a deploy, on a real app.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Client, Pace, Sandbox, git};

#[test]
fn a_project_with_hundreds_of_migrations_is_read_to_its_end() {
    let sandbox = Sandbox::new();
    let work = &sandbox.repository.work;
    let mut before = "0002_product_description".to_owned();
    for number in 3..203 {
        let name = format!("{number:04}_of_many");
        let text = format!(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    \
             dependencies = [(\"catalog\", \"{before}\")]\n    operations = []\n"
        );
        fs::write(work.join(format!("catalog/migrations/{name}.py")), text).unwrap();
        before = name;
    }
    for words in [&["add", "-A"][..], &["commit", "-qm", "Many"], &["push", "-q", "origin", "main"]] {
        assert!(git(work).args(words).status().unwrap().success());
    }
    sandbox.configure(crate::support::QUICK);
    sandbox.release(&["deploy", "main"]).exits(0);
    let log = sandbox.release(&["log", "--step", "check-app"]).exits(0);
    assert!(log.out.contains("pending: catalog.0202_of_many"), "{log}");
}

#[test]
fn a_server_with_two_lines_of_configuration_gets_a_whole_release() {
    let mut sandbox = Sandbox::new();
    first(&mut sandbox);
    the_same_again(&sandbox);
    names(&sandbox);
    what_changed_is_built(&sandbox);
    old_ones_go(&sandbox);
}

fn first(sandbox: &mut Sandbox) {
    let done = sandbox.release(&["deploy", "main", "--json"]).exits(0);
    let (finished, id) = (done.json(), sandbox.current().unwrap());
    assert_eq!(finished["event"], "finished");
    assert_eq!(finished["outcome"], "deployed");
    assert_eq!(finished["release"], *id);
    assert_eq!(finished["revision"], *sandbox.repository.good());
    assert!(finished["seconds"].as_f64().unwrap() > 0.0);

    // With no proxy at all.
    let socket = sandbox.root.join("current/run/web.sock");
    assert_eq!(Client::socket(&socket).get("/healthz").unwrap().body, "ok");

    sandbox.start_nginx();
    sandbox.assert_serves();
    let page = sandbox.get("/").body;
    let bundle = page.split('"').find(|word| word.starts_with("/static/bundle/") && word.ends_with(".js"));
    let bundle = sandbox.get(bundle.expect("the page names its bundle"));
    assert_eq!(bundle.status, 200);
    assert!(bundle.body.len() > 100);

    let current = sandbox.root.join("current");
    assert_eq!(fs::read_link(&current).unwrap(), Path::new("releases").join(&id), "a relative link");
    assert_eq!(fs::canonicalize(current.join("data")).unwrap(), sandbox.root.join("shared/data"));
    assert!(sandbox.root.join("shared/data/db.sqlite3").exists(), "migrated in shared/");
    assert_eq!(sandbox.get("/orders/count").body, "{\"count\": 0}");
    sandbox.configure(crate::support::QUICK);
}

fn the_same_again(sandbox: &Sandbox) {
    let before = (sandbox.current(), sandbox.releases(), web(sandbox));
    let sha = sandbox.repository.good();
    let again = sandbox.release(&["deploy", &sha, "--json"]).exits(0);
    assert_eq!(again.json()["outcome"], "unchanged");
    sandbox.release(&["deploy", &sha]).exits(0).says("live already");
    assert_eq!(before, (sandbox.current(), sandbox.releases(), web(sandbox)), "nothing moved");

    let forced = sandbox.release(&["deploy", &sha, "--force", "--json"]).exits(0).json();
    assert_eq!(forced["outcome"], "deployed");
    assert_ne!(before.0, sandbox.current(), "--force makes another release of the same revision");
    assert_eq!(sandbox.live_revision(), sha);
    sandbox.assert_serves();
    sandbox.assert_tidy();
}

fn web(sandbox: &Sandbox) -> serde_json::Value {
    sandbox.status()["services"].clone()
}

fn names(sandbox: &Sandbox) {
    let before = (sandbox.current(), sandbox.releases());
    let refused = |name: &str, words: &[&str]| {
        let done = sandbox.release(&["deploy", name]);
        assert!(matches!(done.code(), Some(2 | 3)), "{done}");
        let done = done.says("help:");
        let _ = words.iter().fold(done, |done, word| done.says(word));
    };
    refused("no-such-branch", &["no-such-branch"]);
    refused("0123456789012345678901234567890123456789", &["0123456"]);
    let unpushed = sandbox.repository.add_unpushed("code");
    refused(&unpushed, &[&unpushed]);
    let prefix = ambiguous(&sandbox.repository.bare);
    refused(&prefix, &["ambiguous", &prefix]);
    assert_eq!(before, (sandbox.current(), sandbox.releases()), "nothing moved");

    let sha = sandbox.repository.add("code");
    sandbox.release(&["deploy", &sha[..9]]).exits(0);
    assert_eq!(sandbox.live_revision(), sha);

    let sha = sandbox.repository.add("code");
    let tag = git(&sandbox.repository.bare).args(["tag", "-a", "-m", "One", "v1", &sha]).status().unwrap();
    assert!(tag.success());
    sandbox.release(&["deploy", "v1"]).exits(0);
    assert_eq!(sandbox.live_revision(), sha, "an annotated tag means its commit");
}

/// Four digits with which two commits of `repository` begin, that it gets for this.
fn ambiguous(repository: &Path) -> String {
    let mut import = git(repository).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stream = String::new();
    for number in 0..1200 {
        let who = format!("Shop <shop@example.org> {number} +0000");
        stream += &format!("commit refs/heads/many\ncommitter {who}\ndata 0\n\n");
    }
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    let listed = git(repository).args(["rev-list", "many"]).output().unwrap();
    let mut prefixes: Vec<String> =
        String::from_utf8(listed.stdout).unwrap().lines().map(|sha| sha[..4].to_owned()).collect();
    prefixes.sort();
    let twice = prefixes.windows(2).find(|pair| pair[0] == pair[1]);
    twice.expect("1200 commits do not have 1200 beginnings")[0].clone()
}

fn what_changed_is_built(sandbox: &Sandbox) {
    let load = sandbox.load(Pace::Light);
    let deploy = |kind: &str| {
        let sha = sandbox.repository.add(kind);
        let done = sandbox.release(&["deploy", &sha, "--json"]).exits(0);
        sandbox.assert_serves();
        let built = ["venv", "frontend"].map(|step| done.built(step));
        (built, sandbox.get("/").body)
    };
    let line = |page: &str, what: &str| {
        let found = page.lines().find(|line| line.contains(what));
        found.unwrap_or_else(|| panic!("no {what} in {page}")).to_owned()
    };
    let (built, before) = deploy("code");
    assert_eq!(built, [false, false], "both come from the cache");

    let (built, page) = deploy("requirement");
    assert_eq!(built, [true, false]);
    assert_ne!(line(&page, "id=\"markdown\""), line(&before, "id=\"markdown\""));

    let (built, page) = deploy("frontend");
    assert_eq!(built, [false, true]);
    assert_ne!(line(&page, ".js\""), line(&before, ".js\""));

    let (built, _) = deploy("migration");
    assert_eq!(built, [false, false]);
    let shown = ["exec", "--", "python", "manage.py", "showmigrations", "--plan"];
    let plan = sandbox.release(&shown).exits(0);
    assert!(plan.out.contains("[X]  orders.0002") && !plan.out.contains("[ ]"), "{plan}");
    sandbox.assert_flawless(load);
}

fn old_ones_go(sandbox: &Sandbox) {
    sandbox.configure(&format!("{}keep: 2\n", crate::support::QUICK));
    let previous = sandbox.current().unwrap();
    sandbox.deploy("code");
    assert_eq!(sandbox.releases(), [previous, sandbox.current().unwrap()]);
    sandbox.release(&["rollback"]).exits(0);
    sandbox.assert_serves();
    sandbox.assert_tidy();
    // A release is never edited once it is built, so what it shares with the cache must be whole.
    let links = |path: &Path| fs::symlink_metadata(path).unwrap().nlink();
    assert_eq!(links(&sandbox.root.join("current/manage.py")), 1, "no hard links into another tree");
}
