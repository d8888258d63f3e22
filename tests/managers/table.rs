//! Every web server under every manager: all of them in one site, each with clients of its own, while all are
//! switched at once.

use std::fs;
use std::time::Instant;

use crate::broker::switches;
use crate::load::Load;
use crate::packages;
use crate::rows::{ROWS, Row};
use crate::site::Site;
use crate::support::wait_until;
use crate::trial::{LIMIT, configure, services};

/// The rows of this run.
fn rows() -> Vec<&'static Row> {
    let all = std::env::var_os("RELEASE_TEST_ALL").is_some();
    ROWS.iter().filter(|row| all || row.quick).collect()
}

/// A site with a service for each row, under `manager`; nothing is deployed.
pub(crate) fn site(manager: &str) -> Site {
    let site = Site::of("servers");
    packages::want_none(&site);
    let services: String = rows().into_iter().map(lines).collect();
    site.commit("release.yml", &format!("app: servers\nlinked_dirs: [data]\nservices:\n{services}"));
    fs::write(site.root.join("shared/data/keys"), "").unwrap();
    configure(&site, manager);
    site
}

fn lines(row: &Row) -> String {
    let command = row.command.replace("$VIRTUAL_ENV", &packages::of("servers").display().to_string());
    // All of them boot at once.
    let health = "{settle: 100ms, warm_up: 4, timeout: 3m}";
    format!("  {}: {{command: \"{command}\", health: {health}}}\n", row.service())
}

/// Switches under load, and prints a row for each server.
pub(crate) fn switch_all(site: &Site, manager: &str) {
    site.release(&["deploy", "main"]).exits(0);
    let proxies: Vec<_> = rows().iter().map(|row| site.nginx_of(&row.service(), row.pass)).collect();
    let ask = |(row, proxy): (&&Row, &crate::support::nginx::Nginx)| {
        Load::beside_others(&row.service(), proxy.address, &site.root)
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
