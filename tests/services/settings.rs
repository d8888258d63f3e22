//! What `release.yml` says of a service, as the kernel shows it of the real processes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::site::Site;
use crate::support::{Client, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// Every service that `status` shows of the active release, with its process.
fn services(site: &Site) -> BTreeMap<String, u64> {
    let mut shown = Vec::new();
    // supervisord trusts a process after a second.
    wait_until("no service is starting any more", LIMIT, || {
        let status = site.release(&["status", "--json"]).exits(0).json();
        shown = status["services"].as_array().unwrap().clone();
        shown.iter().all(|service| service["state"] != "starting")
    });
    let current = site.current();
    let services = shown.iter().map(|service| {
        assert_eq!(
            (service["state"].as_str(), service["release"].as_str()),
            (Some("running"), Some(&*current))
        );
        (service["name"].as_str().unwrap().to_owned(), service["pid"].as_u64().unwrap())
    });
    services.collect()
}

#[track_caller]
fn names_are(site: &Site, names: &[&str]) {
    assert_eq!(services(site).keys().collect::<Vec<_>>(), names);
    site.assert_tidy();
}

fn proc(pid: u64, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
}

/// A column of `/proc/<pid>/stat`, counted from 1 as its manual does; those after the name.
fn stat(pid: u64, column: usize) -> i64 {
    let stat = proc(pid, "stat");
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().nth(column - 3).unwrap().parse().unwrap()
}

/// What the services wrote when they started and ended, without the release.
fn diary(site: &Site) -> Vec<String> {
    let text = fs::read_to_string(site.root.join("shared/diary")).unwrap_or_default();
    text.lines().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

#[test]
fn instances_start_in_order_with_a_number_each_and_end_in_reverse() {
    let site = Site::of("settings");
    site.release(&["deploy", "main"]).exits(0);
    for _ in 0..2 {
        let services = services(&site);
        let names: Vec<&str> = services.keys().map(String::as_str).collect();
        assert_eq!(names, ["logs", "web", "worker.1", "worker.2", "worker.3"]);
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!(proc(services["web"], "cmdline").ends_with(&format!("\0{}\0", 2 * cores + 1)));
        for number in 1..=3 {
            let worker = services[&format!("worker.{number}")];
            assert!(proc(worker, "cmdline").ends_with(&format!("worker\0{number}\0")));
            assert!(proc(worker, "environ").contains(&format!("\0INSTANCE={number}\0")));
        }
        let started = |name: &str| stat(services[name], 22);
        assert!(started("logs") <= started("web") && started("web") <= started("worker.1"));
        wait_until("all have begun", LIMIT, || diary(&site).len() == 5);
        site.release(&["stop"]).exits(0);
        let mut ends = diary(&site).split_off(5);
        ends[..3].sort();
        assert_eq!(ends, ["end worker 1", "end worker 2", "end worker 3", "end web", "end logs"]);
        fs::remove_file(site.root.join("shared/diary")).unwrap();
        site.release(&["start"]).exits(0);
    }
    site.stop();
}

#[test]
fn a_log_server_begins_before_those_that_write_to_it_and_ends_after_them() {
    let site = Site::of("settings");
    site.overriding("services: {beat: {command: python3 service.py beat, handover: replace}}\n");
    site.release(&["deploy", "main"]).exits(0);
    wait_until("all have begun", LIMIT, || diary(&site).len() == 6);
    site.switch();
    let services = services(&site);
    let started = |name: &str| stat(services[name], 22);
    assert!(started("logs") < started("beat"));
    wait_until("all have begun again", LIMIT, || started_since(&site, 6) == 6);
    let ends = ended(diary(&site));
    let at = |name: &str| ends.iter().position(|end| end == name).unwrap();
    assert!(at("end beat") < at("end logs"), "{ends:?}");
    let written = diary(&site).len();
    site.release(&["stop"]).exits(0);
    let ends = ended(diary(&site).split_off(written));
    assert_eq!((ends[0].as_str(), ends.last().unwrap().as_str(), ends.len()), ("end beat", "end logs", 6));
    site.stop();
}

/// How many services wrote that they started, after the first `lines` of the diary.
fn started_since(site: &Site, lines: usize) -> usize {
    diary(site).iter().skip(lines).filter(|line| line.starts_with("start ")).count()
}

fn ended(mut diary: Vec<String>) -> Vec<String> {
    diary.retain(|line| line.starts_with("end "));
    diary
}

#[test]
fn services_that_a_release_does_not_have_never_run_on() {
    let site = Site::of("settings");
    site.release(&["deploy", "main"]).exits(0);
    let first = ["logs", "web", "worker.1", "worker.2", "worker.3"];
    names_are(&site, &first);
    // The workers are gone, the log server has another name, and two services are new.
    let second = ["extra", "journal", "ticker", "web"];
    site.commit("release.yml", &release_yml("replace", "socket"));
    site.release(&["deploy", "main"]).exits(0);
    names_are(&site, &second);
    assert!(site.root.join("current/run/extra.sock").exists());
    site.release(&["rollback"]).exits(0);
    names_are(&site, &first);
    let forward = site.release(&["deploy", "--force"]).exits(0);
    names_are(&site, &second);
    // Two services hand over in another way than before: there and back.
    site.commit("release.yml", &release_yml("overlap", "overlap"));
    site.release(&["deploy", "main"]).exits(0);
    names_are(&site, &second);
    assert!(!site.root.join("current/run/extra.sock").exists(), "{forward}");
    site.release(&["rollback"]).exits(0);
    names_are(&site, &second);
    assert_eq!(
        Client::socket(&site.root.join("current/run/extra.sock")).get("/").unwrap().body,
        site.current()
    );
    a_restart_adds_and_removes_services(&site);
    site.stop();
}

/// Four services; the handovers of `journal` and `extra` are these.
fn release_yml(journal: &str, extra: &str) -> String {
    let arguments = if extra == "socket" { "web $SOCKET" } else { "worker extra" };
    format!(
        "app: settings\nservices:\n  \
         journal: {{command: python3 service.py journal, handover: {journal}, health: {{settle: 200ms}}}}\n  \
         web: {{command: python3 service.py web $SOCKET, health: {{settle: 200ms}}, drain: 1s}}\n  \
         extra: {{command: python3 service.py {arguments}, handover: {extra}, health: {{settle: 200ms}}, drain: 1s}}\n  \
         ticker: {{command: python3 service.py ticker, handover: overlap, health: {{settle: 200ms}}}}\n"
    )
}

fn a_restart_adds_and_removes_services(site: &Site) {
    let before = services(site);
    site.overriding("services: {late: {command: python3 service.py late, handover: overlap}}\n");
    site.release(&["restart"]).exits(0);
    names_are(site, &["extra", "journal", "late", "ticker", "web"]);
    assert!(services(site).iter().all(|(name, pid)| before.get(name) != Some(pid)), "all of them are new");
    site.overriding("services: {extra: {handover: overlap, command: python3 service.py worker extra}}\n");
    site.release(&["restart"]).exits(0);
    names_are(site, &["extra", "journal", "ticker", "web"]);
    assert!(!site.root.join("current/run/extra.sock").is_symlink(), "the name of a socket is left");
}

#[test]
fn a_log_is_set_aside_when_it_is_as_large_as_told() {
    let site = Site::of("settings");
    site.overriding("services: {worker: {instances: 1, log: {size: 16k, keep: 2}, env: {TALKS: $CORES}}}\n");
    site.release(&["deploy", "main"]).exits(0);
    let cores = std::thread::available_parallelism().unwrap();
    assert!(proc(services(&site)["worker"], "environ").contains(&format!("\0TALKS={cores}\0")));
    let log = site.root.join(format!(".release/log/service/worker-{}-g1.log", site.current()));
    let aside = |number: u32| PathBuf::from(format!("{}.{number}", log.display()));
    let second = || fs::metadata(aside(2)).ok().and_then(|file| file.modified().ok());
    wait_until("two are set aside", LIMIT, || second().is_some());
    let first = second();
    wait_until("the oldest makes room", LIMIT, || second().is_some_and(|now| Some(now) != first));
    assert!(!aside(3).exists());
    assert!(fs::metadata(aside(1)).unwrap().len() < 20_000);
    site.stop();
}

/// A user that every Debian has, and its number.
const USER: (&str, u32) = ("daemon", 1);

#[test]
fn a_service_runs_as_its_user_within_its_limits() {
    if !rustix::process::geteuid().is_root() {
        println!("NOT TESTED: only root can start a service as another user");
        return;
    }
    let site = Site::of("settings");
    let diary = site.root.join("shared/diary");
    fs::write(&diary, "").unwrap();
    open(&diary, 0o666);
    let settings = format!(
        "{{user: {}, umask: \"007\", nice: 3, limits: {{nofile: 512, core: 0, memory: 2G, processes: 1000}}}}",
        USER.0
    );
    site.overriding(&format!(
        "services: {{web: {settings}, worker: {settings}, logs: {{umask: \"027\"}}}}\n"
    ));
    let outside = site.root.parent().unwrap().to_owned();
    open(&outside, 0o700);
    site.release(&["deploy", "main"]).exits(3).says("the user `daemon` may not enter").says("chmod a+rx");
    open(&outside, 0o755);
    site.release(&["deploy", "main"]).exits(0);
    let running = services(&site);
    for name in ["web", "worker.2"] {
        is_bounded(running[name]);
    }
    let status = proc(running["logs"], "status");
    assert!(status.contains("Uid:\t0\t0\t0\t0") && status.contains("Umask:\t0027"), "{status}");
    let socket = fs::metadata(site.socket()).unwrap();
    // A proxy in its group may connect.
    assert!(socket.file_type().is_socket());
    assert_eq!((socket.uid(), socket.gid(), socket.mode() & 0o777), (USER.1, USER.1, 0o770));
    site.switch();
    is_bounded(services(&site)["web"]);
    assert_eq!(Client::socket(&site.socket()).get("/").unwrap().body, site.current());
    site.assert_tidy();
    site.stop();
}

fn open(directory: &Path, mode: u32) {
    fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_bounded(pid: u64) {
    let (status, limits, environment) = (proc(pid, "status"), proc(pid, "limits"), proc(pid, "environ"));
    for line in ["Uid:\t1\t1\t1\t1", "Gid:\t1\t1\t1\t1", "Umask:\t0007"] {
        assert!(status.contains(line), "no `{line}` in {status}");
    }
    for line in [
        ["Max open files", "512", "512"],
        ["Max core file size", "0", "0"],
        ["Max address space", "2147483648", "2147483648"],
        ["Max processes", "1000", "1000"],
    ] {
        let has =
            |found: &str| found.split("  ").map(str::trim).filter(|word| !word.is_empty()).take(3).eq(line);
        assert!(limits.lines().any(has), "no {line:?} in {limits}");
    }
    assert_eq!(stat(pid, 19), 3, "its niceness");
    assert!(environment.contains("\0USER=daemon\0"), "{environment}");
}
