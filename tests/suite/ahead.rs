//! Web servers that start while the app is checked, on static files that were collected before.

use std::fs;

use serde_json::Value;

use crate::support::{Sandbox, git};

/// How a step of the deploy ended: `done`, with a note, or `skipped`, and why.
fn end(events: &[Value], step: &str) -> (String, String) {
    let ended = |event: &&Value| event["event"] == "step_ended" && event["step"] == step;
    let event = events.iter().find(ended).unwrap();
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("end"), text("why"))
}

fn ends<const N: usize>(events: &[Value], steps: [&str; N]) -> [(String, String); N] {
    steps.map(|step| end(events, step))
}

/// Replaces a word in a file of the project, and pushes that.
fn edit(sandbox: &Sandbox, path: &str, from: &str, to: &str) {
    let work = &sandbox.repository.work;
    let text = fs::read_to_string(work.join(path)).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(work.join(path), text.replace(from, to)).unwrap();
    for words in [["commit", "-qam", "Change it"].as_slice(), &["push", "-q", "origin", "main"]] {
        assert!(git(work).args(words).status().unwrap().success());
    }
}

fn deployed(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.release(&["deploy", "main", "--json"]).exits(0).events()
}

/// The static file of the project as nginx serves it by the name that the page has for it.
fn served(sandbox: &Sandbox, url: &str) -> String {
    let path = sandbox.root.join("current/static_root/staticfiles.json");
    let manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let name = manifest["paths"]["shop/shop.css"].as_str().unwrap();
    let page = sandbox.get("/");
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains(&format!("{url}{name}")), "{}", page.body);
    name.to_owned()
}

fn says(step: &(String, String), outcome: &str, note: &str) {
    assert_eq!((step.0.as_str(), step.1.as_str()), (outcome, note));
}

#[test]
fn new_code_boots_while_it_is_checked_and_a_wrong_guess_boots_again() {
    let mut sandbox = Sandbox::deployed();
    sandbox.start_nginx();
    sandbox.repository.add("views");
    let [ahead, collected, boot] = ends(&deployed(&sandbox), ["boot-ahead", "collect-static", "boot"]);
    assert_eq!(ahead.0, "done", "{ahead:?}");
    says(&collected, "done", "from the cache");
    says(&boot, "skipped", "its processes run already");
    let before = served(&sandbox, "/static/");
    assert_eq!(sandbox.get(&format!("/static/{before}")).status, 200);

    // Python alone, and yet what is collected is other than it was.
    edit(&sandbox, "shop/settings.py", "STATIC_URL = \"/static/\"", "STATIC_URL = \"/files/\"");
    let [ahead, collected, boot] = ends(&deployed(&sandbox), ["boot-ahead", "collect-static", "boot"]);
    assert_eq!((ahead.0.as_str(), boot.0.as_str()), ("done", "done"));
    assert!(collected.1.contains("static files"), "{collected:?}");
    served(&sandbox, "/files/");

    // As it was before: what was collected then is there.
    edit(&sandbox, "shop/settings.py", "/files/", "/static/");
    let [collected, boot] = ends(&deployed(&sandbox), ["collect-static", "boot"]);
    says(&collected, "done", "from the cache");
    assert_eq!(boot.0, "done");
    assert_eq!(served(&sandbox, "/static/"), before);

    edit(&sandbox, "shop/static/shop/shop.css", "}", "color: red }");
    let [ahead, collected] = ends(&deployed(&sandbox), ["boot-ahead", "collect-static"]);
    says(&ahead, "skipped", "static files may have changed");
    assert!(collected.1.contains("static files"), "{collected:?}");
    assert_ne!(served(&sandbox, "/static/"), before);
    sandbox.assert_tidy();
}

#[test]
fn a_migration_that_nobody_could_foresee_comes_before_the_processes() {
    let sandbox = Sandbox::deployed();
    edit(
        &sandbox,
        "shop/settings.py",
        "INSTALLED_APPS = [",
        "INSTALLED_APPS = [\n    \"django.contrib.redirects\",\n    \"django.contrib.sites\",",
    );
    let [ahead, check, migrate, boot] =
        ends(&deployed(&sandbox), ["boot-ahead", "check-app", "migrate", "boot"]);
    assert_eq!((ahead.0.as_str(), boot.0.as_str()), ("done", "done"));
    assert!(check.1.contains("pending") && migrate.1.contains("applied"), "{check:?} {migrate:?}");
    sandbox.assert_tidy();
}

#[test]
fn what_booted_too_early_ends_when_the_check_fails() {
    let sandbox = Sandbox::deployed();
    let before = sandbox.current();
    edit(
        &sandbox,
        "shop/urls.py",
        "urlpatterns = [",
        "from django.urls import no_such_thing\nurlpatterns = [",
    );
    let failed = sandbox.release(&["deploy", "main", "--json"]).exits(3);
    assert_eq!(end(&failed.events(), "boot-ahead").0, "done");
    assert_eq!(sandbox.current(), before);
    sandbox.assert_tidy();
}
