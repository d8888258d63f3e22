//! What every manager has to stand, under load.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::broker::switches;
use crate::load::Load;
use crate::site::{Pass, Site};
use crate::support::{Client, wait_until};
use crate::tasks::Tasks;

pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// The manager under which everything is tried each time.
const ALWAYS: &str = "`{systemd: user}`";

/// Whether this is a long run.
pub(crate) fn all() -> bool {
    std::env::var_os("RELEASE_TEST_ALL").is_some()
}

/// Whether `what` is not tried under `manager` but in long runs; then it says so.
pub(crate) fn is_left_out(what: &str, manager: &str) -> bool {
    let left_out = !all() && manager != ALWAYS;
    if left_out {
        println!("NOT TESTED: {what} are tried under {manager} with RELEASE_TEST_ALL=1");
    }
    left_out
}

/// A site with the lines of `manager:`, and nothing deployed.
pub(crate) fn site() -> Site {
    let site = Site::of("managed");
    for place in ["shared/data/tasks", "shared/data"] {
        fs::create_dir_all(site.root.join(place)).unwrap();
    }
    fs::write(site.root.join("shared/data/keys"), "").unwrap();
    site
}

/// Writes the server's own `release.yml`.
pub(crate) fn configure(site: &Site, manager: &str) {
    let work = site.directory().join("work");
    let text = format!("repository: {}\nkeep: 3\nmanager: {manager}\n", work.display());
    fs::write(site.root.join("release.yml"), text).unwrap();
}

/// The same, with `services`, as lines of YAML.
pub(crate) fn configure_services(site: &Site, manager: &str, services: &str) {
    configure(site, manager);
    site.append(&format!("services: {services}\n"));
}

/// Makes everything of the site `user`'s, by number.
pub(crate) fn give(site: &Site, user: &str) {
    let done = Command::new("chown").args(["-R", user]).arg(site.directory()).status().unwrap();
    assert!(done.success());
    let done = Command::new("chmod").args(["755"]).arg(site.directory()).status().unwrap();
    assert!(done.success());
}

/// Switches, a worker's long task, a broken release and a rollback, under load.
pub(crate) fn switch_under_load(site: &Site, manager: &str) {
    site.release(&["deploy", "main"]).exits(0);
    let nginx = site.nginx(Pass::Http);
    let load = Load::start(nginx.address, &site.root);
    let tasks = Tasks::start(&site.root);
    for switch in 1..=switches() {
        if switch == 1 {
            a_long_task_ends_in_the_background(site, &tasks);
        } else {
            site.switch();
        }
    }
    site.commit("app.py", "raise RuntimeError('broken')\n");
    site.release(&["deploy", "main"]).exits(3).says("web ended by itself");
    site.commit("app.py", include_str!("../../fixtures/apps/managed/app.py"));
    site.release(&["rollback"]).exits(0);
    let (report, done) = (load.stop(), tasks.stop(1));
    println!("| {manager} | {report} | {done} tasks |");
    report.assert_flawless(switches() + 1);
    wait_until("only the active release is known", LIMIT, || services(site).len() == 2);
    site.assert_tidy();
}

fn a_long_task_ends_in_the_background(site: &Site, tasks: &Tasks) {
    let old = site.current();
    tasks.hold("long");
    site.switch().says("still finishing: worker");
    let stopping = |service: &Value| service["release"] == old.as_str() && service["state"] == "stopping";
    assert!(services(site).iter().any(stopping), "{:?}", services(site));
    tasks.let_go("long");
    wait_until("the old worker has finished", LIMIT, || tasks.done_by("long").is_some());
    assert_eq!(tasks.done_by("long"), Some(old.clone()));
    let old_is_gone = || services(site).iter().all(|service| service["release"] != old.as_str());
    wait_until("the old generation is forgotten", LIMIT, old_is_gone);
}

/// A master that is killed comes back, and a deploy that is killed is put in order.
pub(crate) fn survive_kills(site: &Site) {
    let pid = pid_of(site, "web");
    site.start_program(&["kill", "-9", &pid.to_string()]).finish().exits(0);
    // A worker that outlives its master for a moment answers too.
    wait_until("web is back", LIMIT, || ![pid, 0].contains(&pid_of(site, "web")) && answers(site));
    let mut deploy = site.start(&["deploy", "--force"]);
    wait_until("the new generation is being booted", LIMIT, || {
        deploy.output().contains("boot") || deploy.is_over()
    });
    assert!(!deploy.is_over(), "{}", deploy.output());
    deploy.signal_group(Signal::KILL);
    let _ = deploy.finish();
    let current = site.current();
    site.release(&["recover"]).exits(0);
    assert_eq!(site.current(), current);
    assert!(answers(site));
    let only = |site: &Site| services(site).iter().all(|service| service["release"] == current.as_str());
    assert!(only(site), "{:?}", services(site));
    site.assert_tidy();
}

/// `release stop` and `release start`, of so many processes.
pub(crate) fn stop_and_start(site: &Site, processes: usize) {
    site.release(&["stop"]).exits(0).says(&format!("stopped {processes} processes"));
    assert!(!answers(site));
    site.release(&["start"]).exits(0);
    assert!(answers(site));
}

/// What `release status` says of the services.
pub(crate) fn services(site: &Site) -> Vec<Value> {
    let status = site.release(&["status", "--json"]).exits(0).json();
    status["services"].as_array().unwrap().clone()
}

pub(crate) fn pid_of(site: &Site, name: &str) -> u64 {
    let known = services(site);
    known
        .iter()
        .find(|service| service["name"] == name)
        .and_then(|service| service["pid"].as_u64())
        .unwrap_or_default()
}

/// Whether the active release answers through `current`.
pub(crate) fn answers(site: &Site) -> bool {
    Client::socket(&site.socket()).get("/").is_ok_and(|reply| reply.body == site.current())
}
