//! What scripts and people ask `release`, and get.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{QUICK, Sandbox, wait_until};

#[test]
fn facts_and_commands() {
    let mut sandbox = Sandbox::new();
    sandbox.configure(QUICK);
    before_anything(&sandbox);
    plan_of_the_first(&sandbox);
    sandbox.release(&["deploy"]).exits(0);
    sandbox.start_nginx();
    sandbox.deploy("code");
    status_and_list(&sandbox);
    log(&sandbox);
    plan(&sandbox);
    check(&sandbox);
    exec(&sandbox);
    stop_and_start(&sandbox);
}

fn before_anything(sandbox: &Sandbox) {
    let status = sandbox.status();
    for field in ["current", "previous", "interrupted", "locked"] {
        assert!(status.get(field).is_some_and(Value::is_null), "{field} in {status}");
    }
    assert_eq!(status["services"], json!([]));
    assert_eq!(sandbox.facts(&["list"])["releases"], json!([]));
    assert_eq!(sandbox.facts(&["log"])["runs"], json!([]));
    for words in [&["rollback"][..], &["start"], &["exec", "--", "true"], &["log"]] {
        sandbox.release(words).exits(2).says("help:");
    }
    sandbox.release(&["recover"]).exits(0).says("nothing was interrupted");
    sandbox.release(&["stop"]).exits(0);
    sandbox.release(&["status", "--root", "/nowhere"]).exits(2).says("/nowhere");
    sandbox.release(&["status", "--root", "/tmp"]).exits(2).says("release.yml");
    sandbox.release(&["deploi"]).exits(2);
}

fn plan_of_the_first(sandbox: &Sandbox) {
    let plan = sandbox.facts(&["plan", "main"]);
    assert_eq!(plan["revision"], *sandbox.repository.good());
    assert_eq!(plan["live"], false);
    assert_eq!(plan["problems"], json!([]), "{plan}");
    assert_eq!([state(&plan, "venv"), state(&plan, "frontend")], ["needed", "needed"]);
    for place in ["current", "releases", "repo", "cache"] {
        assert!(!sandbox.root.join(place).exists(), "plan changes nothing, and made {place}");
    }
}

fn state(plan: &Value, step: &str) -> String {
    let steps = plan["steps"].as_array().unwrap();
    let found =
        steps.iter().find(|known| known["step"] == step).unwrap_or_else(|| panic!("no {step} in {plan}"));
    assert!(found["why"].as_str().is_some_and(|why| !why.is_empty()), "{found}");
    found["state"].as_str().unwrap().to_owned()
}

fn status_and_list(sandbox: &Sandbox) {
    // For its first second supervisord calls a process starting.
    let runs = || sandbox.status()["services"][0]["state"] == "running";
    wait_until("web is trusted", Duration::from_secs(10), runs);
    let (status, current) = (sandbox.status(), sandbox.current().unwrap());
    let releases = sandbox.facts(&["list"])["releases"].as_array().unwrap().clone();
    assert_eq!(status["current"]["id"], *current);
    assert_eq!(status["current"]["revision"], *sandbox.repository.good());
    assert!(status["current"]["activated_at"].is_string());
    assert_eq!(status["previous"]["id"], releases[1]["id"]);
    let [web] = &status["services"].as_array().unwrap()[..] else { panic!("{status}") };
    assert_eq!(
        (&web["name"], &web["release"], &web["state"]),
        (&json!("web"), &json!(current), &json!("running"))
    );
    assert!(fs::metadata(format!("/proc/{}", web["pid"])).is_ok());

    let states: Vec<&Value> = releases.iter().map(|release| &release["state"]).collect();
    assert_eq!(states, ["active", "good"]);
    for release in &releases {
        assert!(release["size_bytes"].as_u64().unwrap() > 10_000, "{release}");
        assert!(release["created_at"].is_string() && release["revision"].is_string(), "{release}");
    }
    sandbox.release(&["status"]).exits(0).says(&current);
    sandbox.release(&["list"]).exits(0).says(&current);
}

fn log(sandbox: &Sandbox) {
    let runs = sandbox.facts(&["log"])["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), 2);
    for run in &runs {
        assert_eq!(run["outcome"], "activated", "{run}");
        assert!(run["started_at"].as_str() < run["ended_at"].as_str(), "{run}");
        assert!(run["steps"].as_array().unwrap().iter().any(|step| step["step"] == "activate"), "{run}");
    }
    let first = runs[0]["release"].as_str().unwrap();
    sandbox.release(&["log", first]).exits(0).says(first);
    sandbox.release(&["log", first, "--step", "venv"]).exits(0).says("Django");
}

fn plan(sandbox: &Sandbox) {
    let before = (fs::read(sandbox.root.join(".release/journal.jsonl")).unwrap(), sandbox.releases());
    assert_eq!(sandbox.facts(&["plan"])["live"], true);
    sandbox.release(&["plan"]).exits(0).says("live already");

    let sha = sandbox.repository.add("code");
    let plan = sandbox.facts(&["plan", &sha]);
    assert_eq!((&plan["live"], &plan["revision"]), (&json!(false), &json!(sha)));
    assert_eq!([state(&plan, "venv"), state(&plan, "frontend")], ["cached", "cached"]);
    let sha = sandbox.repository.add("requirement");
    let plan = sandbox.facts(&["plan", &sha]);
    assert_eq!([state(&plan, "venv"), state(&plan, "frontend")], ["needed", "cached"]);
    let sha = sandbox.repository.add("frontend");
    let plan = sandbox.facts(&["plan", &sha]);
    assert_eq!(state(&plan, "frontend"), "needed");
    sandbox.release(&["plan", "nonsense"]).exits(2).says("help:");

    let after = (fs::read(sandbox.root.join(".release/journal.jsonl")).unwrap(), sandbox.releases());
    assert_eq!(before, after, "plan changes nothing");
}

fn check(sandbox: &Sandbox) {
    let problems = |more: &str| {
        sandbox.configure(&format!("{QUICK}{more}"));
        let found = sandbox.release(&["check", "--json"]).json();
        let list = found["problems"].as_array().unwrap().clone();
        assert_eq!(found["ok"], list.is_empty(), "{found}");
        for problem in &list {
            assert!(problem["help"].as_str().is_some_and(|help| !help.is_empty()), "{problem}");
        }
        list.iter().map(|problem| problem["problem"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let conf = sandbox.directory().join("nginx/nginx.conf");
    let proxy = format!("proxy: {{config: [{}]}}\n", conf.display());
    assert_eq!(problems(&proxy), [""; 0], "nginx is configured as the README says");
    sandbox.release(&["check"]).exits(0);

    let all = problems(&format!("{proxy}linked_files: [one.txt, two.txt]\npython: {{version: \"3.99\"}}\n"));
    for word in ["one.txt", "two.txt", "python3.99"] {
        assert!(all.iter().any(|problem| problem.contains(word)), "no {word} in {all:?}");
    }
    sandbox.release(&["check"]).exits(3).says("help:");
    let sha = sandbox.repository.good();
    sandbox.release(&["deploy", &sha]).exits(3).says("one.txt").says("two.txt");

    let past = sandbox.directory().join("past.conf");
    let text = fs::read_to_string(&conf)
        .unwrap()
        .replace("/current/", &format!("/releases/{}/", sandbox.current().unwrap()));
    fs::write(&past, text).unwrap();
    let found = problems(&format!("proxy: {{config: [{}]}}\n", past.display()));
    assert!(found.iter().any(|problem| problem.contains("current")), "{found:?}");
    sandbox.configure(QUICK);
}

fn exec(sandbox: &Sandbox) {
    let print = "import os; print(os.getcwd()); print(*sorted(os.environ), sep='\\n')";
    let mut command = sandbox.command(&["exec", "--", "python", "-c", print]);
    command.env("GIT_DIR", "/somewhere").env("UNRELATED", "1");
    let done = sandbox.run(command).finish().exits(0);
    let (directory, names) = done.out.split_once('\n').unwrap();
    let current = fs::canonicalize(sandbox.root.join("current")).unwrap();
    assert_eq!(directory, current.display().to_string());
    for name in [
        "SECRET_KEY",
        "RELEASE_ID",
        "RELEASE_REVISION",
        "RELEASE_ROOT",
        "DJANGO_SETTINGS_MODULE",
        "VIRTUAL_ENV",
    ] {
        assert!(names.lines().any(|line| line == name), "{name} is not in {names}");
    }
    for name in ["GIT_DIR", "UNRELATED"] {
        assert!(!names.lines().any(|line| line == name), "{name} is in {names}");
    }
    assert_eq!(sandbox.release(&["exec", "--", "sh", "-c", "exit 7"]).code(), Some(7));
    sandbox.release(&["exec", "--", "no-such-program"]).exits(3).says("no-such-program");
    let old = sandbox.status()["previous"]["id"].as_str().unwrap().to_owned();
    let id = ["exec", "--release", &old, "--", "sh", "-c", "echo $RELEASE_ID"];
    assert_eq!(sandbox.release(&id).exits(0).out.trim(), old);
}

fn stop_and_start(sandbox: &Sandbox) {
    let current = sandbox.current();
    sandbox.release(&["stop"]).exits(0);
    assert_eq!(sandbox.get("/healthz").status, 502);
    assert_eq!(sandbox.status()["services"], json!([]));
    sandbox.release(&["stop"]).exits(0);

    for _ in 0..2 {
        sandbox.release(&["start"]).exits(0);
        assert_eq!(sandbox.current(), current);
        sandbox.assert_serves();
        sandbox.assert_tidy();
    }
    sandbox.release(&["stop"]).exits(0);
    // A deploy of another revision brings a stopped root back as well.
    sandbox.deploy("code");
    sandbox.assert_serves();
    sandbox.assert_tidy();
}

#[test]
fn init_writes_a_file_that_deploys() {
    let sandbox = Sandbox::new();
    let work = &sandbox.repository.work;
    let init = || {
        let mut command = sandbox.command(&["init"]);
        command.env_remove("RELEASE_ROOT").current_dir(work);
        sandbox.run(command).finish()
    };
    init().exits(2).says("exists already");
    fs::remove_file(work.join("release.yml")).unwrap();
    init().exits(0).says("release.yml");
    let text = fs::read_to_string(work.join("release.yml")).unwrap();
    for word in ["app: work", "settings: shop.settings", "gunicorn shop.wsgi", "directory: frontend"] {
        assert!(text.contains(word), "no {word} in {text}");
    }
    let git = |words: &[&str]| assert!(crate::support::git(work).args(words).status().unwrap().success());
    git(&["commit", "-qam", "Let init write release.yml"]);
    git(&["push", "-q", "origin", "main"]);
    let plan = sandbox.facts(&["plan", "main"]);
    assert_eq!(plan["problems"], json!([]), "{plan}");
}
