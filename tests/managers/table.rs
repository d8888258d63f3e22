//! Every web server under every manager: all of them in one site, each with clients of its own, while all are
//! switched at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::load::Load;
use crate::rows::{ROWS, Row};
use crate::site::Site;
use crate::support::wait_until;
use crate::trial::{LIMIT, configure, services, switches};

/// The rows of this run.
fn rows() -> Vec<&'static Row> {
    let all = std::env::var_os("RELEASE_TEST_ALL").is_some();
    ROWS.iter().filter(|row| all || row.quick).collect()
}

/// `gunicorn, uvicorn workers` as the name of a service.
fn service(row: &Row) -> String {
    row.name.to_lowercase().replace(", ", "-").replace(' ', "-")
}

/// A site with a service for each row, under `manager`; nothing is deployed.
pub(crate) fn site(manager: &str) -> Site {
    let site = Site::of("servers");
    // A container has no network to install from.
    fs::remove_file(site.directory().join("work/requirements.txt")).unwrap();
    let services: String = rows().into_iter().map(lines).collect();
    site.commit("release.yml", &format!("app: servers\nlinked_dirs: [data]\nservices:\n{services}"));
    fs::write(site.root.join("shared/data/keys"), "").unwrap();
    configure(&site, manager);
    site
}

fn lines(row: &Row) -> String {
    let command = row.command.replace("$VIRTUAL_ENV", &installed().display().to_string());
    // All of them boot at once.
    let health = "{settle: 100ms, warm_up: 4, timeout: 3m}";
    format!("  {}: {{command: \"{command}\", health: {health}}}\n", service(row))
}

/// The words before a command that finds the servers.
pub(crate) fn with_servers(before: Vec<String>) -> Vec<String> {
    let path = format!("PATH={}/bin:/usr/sbin:/usr/bin:/sbin:/bin", installed().display());
    before.into_iter().chain(["env".to_owned(), path]).collect()
}

/// Switches under load, and prints a row for each server.
pub(crate) fn switch_all(site: &Site, manager: &str) {
    site.release(&["deploy", "main"]).exits(0);
    let proxies: Vec<_> = rows().iter().map(|row| site.nginx_of(&service(row), row.pass)).collect();
    let ask = |(row, proxy): (&&Row, &crate::support::nginx::Nginx)| {
        Load::beside_others(&service(row), proxy.address, &site.root)
    };
    let loads: Vec<Load> = rows().iter().zip(&proxies).map(ask).collect();
    let started = Instant::now();
    (0..switches()).for_each(|_| drop(site.switch()));
    let each = started.elapsed().as_secs_f64() / switches() as f64;
    let reports: Vec<_> = loads.into_iter().map(Load::stop).collect();
    println!("{manager}: {each:.1} s a switch");
    for (row, report) in rows().iter().zip(&reports) {
        println!("| {manager} | {} | {report} |", row.name);
    }
    reports.iter().for_each(|report| report.assert_flawless(switches()));
    wait_until("only the active release is known", LIMIT, || services(site).len() == rows().len());
    site.assert_tidy();
    site.stop();
}

/// Where the servers are installed for all tests, by the system's Python, which a container has too.
fn installed() -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers");
    fs::create_dir_all(&venv).unwrap();
    let lock = fs::File::create(venv.join("lock")).unwrap();
    lock.lock().unwrap();
    if !venv.join("complete").exists() {
        let made = |command: &mut Command| assert!(command.status().unwrap().success());
        let wanted = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/apps/servers/requirements.txt");
        made(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&venv));
        // uWSGI is built for one Python; what pip keeps may be for another.
        let words = ["install", "-q", "--no-cache-dir", "--no-binary", "uWSGI", "-r", wanted];
        // A container has no libxml2.
        made(Command::new(venv.join("bin/pip")).args(words).env("UWSGI_PROFILE_OVERRIDE", "xml=no"));
        fs::write(venv.join("complete"), "").unwrap();
    }
    venv
}
