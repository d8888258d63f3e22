//! Entries of cron by timers of systemd, which really fire: the container has no cron.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::Signal;

use crate::container::Container;
use crate::site::Site;
use crate::support::wait_until;
use crate::trial::{LIMIT, configure, give, site};

/// A minute, and what it takes until then.
const A_MINUTE: Duration = Duration::from_secs(100);

const APP: &str = include_str!("../../fixtures/apps/managed/release.yml");

/// Tells who, from which release, as whom and when.
const JOB: &str = "echo $WHO $RELEASE_ID $$(id -un) $$(date +%s) >>$RELEASE_ROOT/shared/data/ran";

/// An entry that tells; as somebody else, with `user`.
fn entry_as(user: &str, name: &str, at: &str, who: &str) -> String {
    entry(name, at, who).replacen("{at:", &format!("{{user: {user}, at:"), 1)
}

fn entry(name: &str, at: &str, who: &str) -> String {
    format!("  - {{at: \"{at}\", name: {name}, env: {{WHO: {who}}}, run: sh -c '{JOB}'}}\n")
}

/// A new revision with these entries.
fn commit(site: &Site, entries: &[String]) {
    site.commit("release.yml", &format!("{APP}cron:\n{}", entries.concat()));
}

/// The words that the entries told, a run a line.
fn ran(site: &Site) -> Vec<Vec<String>> {
    let told = fs::read_to_string(site.root.join("shared/data/ran")).unwrap_or_default();
    told.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

/// The first words of lines, without directories.
fn names(list: &str) -> Vec<String> {
    let first = |line: &str| Some(line.split_whitespace().next()?.rsplit('/').next()?.to_owned());
    let mut names: Vec<String> = list.lines().filter_map(first).collect();
    names.sort();
    names
}

/// The timers that systemd waits with.
fn waiting(container: &Container) -> Vec<String> {
    names(&container.says(&[
        "systemctl",
        "list-units",
        "--plain",
        "--no-legend",
        "--type=timer",
        "srv-cron-*",
    ]))
}

/// The files of the entries.
fn files(container: &Container) -> Vec<String> {
    names(&container.says(&["find", "/etc/systemd/system", "-name", "srv-cron-*"]))
}

/// Whether these are the entries, and nothing is left of others.
#[track_caller]
fn has(container: &Container, entries: &[&str]) {
    let waiting = waiting(container);
    let is = |name: &str, entry: &str| name.starts_with(&format!("srv-cron-{entry}-"));
    let all = entries.iter().all(|entry| waiting.iter().any(|name| is(name, entry)));
    assert!(all && waiting.len() == entries.len(), "{entries:?}: {waiting:?}");
    let files = files(container);
    assert_eq!(files.len(), 3 * entries.len(), "a timer, its link and its service: {files:?}");
}

/// When systemd read its files last.
fn read_at(container: &Container) -> String {
    container.says(&["systemctl", "show", "--property=UnitsLoadTimestampMonotonic"])
}

/// Waits until `tick` has run once more, and gives what it told.
fn tick(site: &Site) -> Vec<String> {
    let before = ran(site).len();
    wait_until("the timer has fired", A_MINUTE, || ran(site).len() > before);
    ran(site)[before].clone()
}

#[test]
fn a_timer_fires_for_what_is_active_through_a_deploy_and_a_rollback() {
    let mut site = site();
    let Some(mut container) = Container::boot(site.directory()) else { return };
    site.before = container.enter();
    configure(&site, "systemd");
    let told = site.root.join("shared/data/ran");
    fs::write(&told, "").unwrap();
    fs::set_permissions(&told, fs::Permissions::from_mode(0o666)).unwrap();
    let rare = entry("rare", "0 0 13 feb fri", "never");
    commit(&site, &[entry("tick", "* * * * *", "one"), rare]);
    site.release(&["check"]).exits(0);
    site.release(&["deploy", "main"]).exits(0).says("added rare, tick");
    let first = site.current();
    has(&container, &["rare", "tick"]);
    site.release(&["cron"]).exits(0).says("rare").says("next  2").says("has not run yet");
    let read = read_at(&container);
    site.release(&["deploy", "--force", "--json"]).exits(0).says("systemd has timers of them");
    assert_eq!(read_at(&container), read, "nothing changed, so systemd reads nothing");

    commit(&site, &[entry_as("shop", "tick", "* * * * *", "two"), entry("daily", "@daily", "two")]);
    site.release(&["plan"])
        .exits(0)
        .says("add daily to the timers")
        .says("take the old lines of rare out of");
    site.release(&["deploy", "main"]).exits(0);
    has(&container, &["daily", "tick"]);
    assert_eq!(tick(&site)[..3], ["two".to_owned(), site.current(), "shop".to_owned()]);
    let facts = site.facts(&["cron"]);
    assert!(facts["entries"].as_array().unwrap().iter().all(|entry| entry["installed"] == true), "{facts}");
    assert_eq!(facts["by"], "timers");

    let verify = "verify: {url: \"http://127.0.0.1:9/\", timeout: 100ms}\n";
    site.commit("release.yml", &format!("{APP}{verify}cron:\n{}", entry("never", "* * * * *", "never")));
    site.release(&["deploy", "main"]).exits(4);
    has(&container, &["daily", "tick"]);
    site.release(&["rollback", &first]).exits(0);
    has(&container, &["rare", "tick"]);
    assert_eq!(tick(&site)[..3], ["one".to_owned(), first, "root".to_owned()]);

    container.cut_power();
    container.power_on();
    site.before = container.enter();
    has(&container, &["rare", "tick"]);
    site.release(&["stop"]).exits(0).says("took its entries out of the timers of systemd");
    has(&container, &[]);
    site.release(&["cron"]).exits(0).says("systemd has no timer of it");
    site.release(&["start"]).exits(0);
    has(&container, &["rare", "tick"]);
    let minutes: Vec<u64> = ran(&site).iter().map(|words| words[3].parse::<u64>().unwrap() / 60).collect();
    let mut once = minutes.clone();
    once.dedup();
    assert_eq!(minutes, once, "never twice in a minute");
    site.release(&["stop"]).exits(0);
    site.stop();
    drop(container);
}

#[test]
fn what_an_entry_runs_goes_on_when_its_timer_goes_and_a_failure_is_seen() {
    let mut site = site();
    let Some(container) = Container::boot(site.directory()) else { return };
    site.before = container.enter();
    configure(&site, "systemd");
    let file = site.root.join("shared/data/wait");
    fs::write(&file, "").unwrap();
    let run = "while [ -e $RELEASE_ROOT/shared/data/wait ]; do sleep 0.1; done; echo over >>$RELEASE_ROOT/shared/data/ran";
    let wait = format!(
        "  - at: \"@yearly\"
    name: wait
    run: sh -c \"{run}\"
"
    );
    let fail = "  - at: \"@yearly\"
    name: fail
    run: sh -c \"echo told; exit 7\"
"
    .to_owned();
    commit(&site, &[wait, fail]);
    site.release(&["deploy", "main"]).exits(0);
    let files = files(&container);
    let service = |name: &str| {
        let is_its =
            |file: &&String| file.starts_with(&format!("srv-cron-{name}-")) && file.ends_with(".service");
        files.iter().find(is_its).unwrap().clone()
    };
    let (wait, fail) = (service("wait"), service("fail"));
    container.says(&["systemctl", "start", &fail]);
    assert_eq!(container.says(&["systemctl", "is-failed", &fail]).trim(), "failed");
    site.release(&["cron"]).exits(0).says("(exit code 7)").says("| told");
    container.runs(&["systemctl", "start", "--no-block", &wait]);
    wait_until("it runs", LIMIT, || site.release(&["cron"]).exits(0).out.contains("runs since"));

    commit(&site, &[entry("other", "@yearly", "other")]);
    site.release(&["deploy", "main"]).exits(0);
    has(&container, &["other"]);
    assert_eq!(container.says(&["systemctl", "is-active", &wait]).trim(), "activating");
    assert!(ran(&site).is_empty());
    fs::remove_file(&file).unwrap();
    wait_until("it has come to its end", LIMIT, || ran(&site) == [["over"]]);
    let known = || {
        container.says(&["systemctl", "list-units", "--all", "--plain", "--no-legend", "srv-cron-*.service"])
    };
    wait_until("systemd has forgotten both", LIMIT, || {
        !known().contains("srv-cron-wait") && !known().contains("srv-cron-fail")
    });
    site.release(&["stop"]).exits(0);
    site.stop();
    drop(container);
}

#[test]
fn a_deploy_that_is_killed_leaves_the_timers_of_what_is_active() {
    let mut site = site();
    let Some(container) = Container::boot(site.directory()) else { return };
    site.before = container.enter();
    configure(&site, "systemd");
    commit(&site, &[entry("old", "@yearly", "old")]);
    site.release(&["deploy", "main"]).exits(0);
    let first = site.current();
    commit(&site, &[entry("new", "@yearly", "new")]);
    let deploy = site.start(&["deploy", "main"]);
    wait_until("a timer is added", LIMIT, || files(&container).iter().any(|name| name.contains("-new-")));
    deploy.signal_group(Signal::KILL);
    let _ = deploy.finish();
    site.release(&["recover"]).exits(0);
    has(&container, if site.current() == first { &["old"] } else { &["new"] });
    site.release(&["deploy", "main"]).exits(0);
    has(&container, &["new"]);
    site.release(&["stop"]).exits(0);
    site.stop();
    drop(container);
}

#[test]
fn a_users_own_systemd_has_timers_too_and_the_key_says_so() {
    let mut site = site();
    let Some(container) = Container::boot(site.directory()) else { return };
    configure(&site, "supervisord");
    site.commit("release.yml", &format!("{APP}cron_by: timers\ncron:\n{}", entry("clear", "@daily", "mine")));
    give(&site, "1000:1000");
    site.before = container.enter_as_shop();
    site.release(&["check"]).exits(3).says("sudo loginctl enable-linger shop");
    site.release(&["deploy", "main"]).exits(3).says("sudo loginctl enable-linger shop");
    container.runs(&["loginctl", "enable-linger", "shop"]);
    wait_until("shop has a systemd", LIMIT, || {
        container.says(&["ls", "/run/user/1000/systemd"]).contains("private")
    });
    site.release(&["deploy", "main"]).exits(0).says("added clear");
    has(&container, &[]);
    let user = |words: &[&str]| {
        let words = [&["env", "XDG_RUNTIME_DIR=/run/user/1000", "systemctl", "--user"], words].concat();
        site.start_program(&words).finish()
    };
    let listed = user(&["list-units", "--plain", "--no-legend", "--type=timer", "srv-cron-*"]).exits(0);
    let timer = listed.out.split_whitespace().next().unwrap().to_owned();
    assert!(timer.starts_with("srv-cron-clear-"), "{listed}");
    user(&["start", &timer.replace(".timer", ".service")]).exits(0);
    assert_eq!(ran(&site)[0][..3], ["mine".to_owned(), site.current(), "shop".to_owned()]);
    site.release(&["stop"]).exits(0).says("out of the timers of systemd");
    assert_eq!(
        user(&["list-units", "--plain", "--no-legend", "--type=timer", "srv-cron-*"]).exits(0).out.trim(),
        ""
    );
    drop(container);
}
