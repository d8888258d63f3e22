//! Every web server under every manager: all of them in one site, each with clients of its own, while all are
//! switched at once.

use std::fs;
use std::time::Instant;

use crate::broker::switches;
use crate::load::Load;
use crate::packages;
use crate::rows::{ROWS, Row};
use crate::site::{Pass, Site};
use crate::support::nginx::Nginx;
use crate::support::wait_until;
use crate::trial::{LIMIT, all, configure, services};

/// The rows of this run.
fn rows() -> Vec<&'static Row> {
    ROWS.iter().filter(|row| all() || row.quick).collect()
}

/// One service of a site that has several: its name in a table and in `release.yml`, and how its proxy asks it.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) service: String,
    pub(crate) pass: Pass,
}

/// A site with a service for each row, under `manager`; nothing is deployed.
pub(crate) fn site(manager: &str) -> Site {
    site_with(manager, &rows().into_iter().map(lines).collect::<String>())
}

/// A site with these services, as indented lines, under `manager`; nothing is deployed.
pub(crate) fn site_with(manager: &str, services: &str) -> Site {
    let site = Site::of("servers");
    packages::want_none(&site);
    site.commit("release.yml", &format!("app: servers\nlinked_dirs: [data]\nservices:\n{services}"));
    fs::write(site.root.join("shared/data/keys"), "").unwrap();
    configure(&site, manager);
    site
}

fn lines(row: &Row) -> String {
    service(&row.service(), row.command, "")
}

/// The lines of a service that is started beside others, with `more` of its keys.
pub(crate) fn service(name: &str, command: &str, more: &str) -> String {
    let command = command.replace("$VIRTUAL_ENV", &packages::of("servers").display().to_string());
    // All of them boot at once.
    let health = "{settle: 100ms, warm_up: 4, timeout: 3m}";
    format!("  {name}: {{command: \"{command}\", health: {health}{more}}}\n")
}

/// Switches under load, and prints a row for each server.
pub(crate) fn switch_all(site: &Site, manager: &str) {
    let line = |row: &Row| Line { name: row.name, service: row.service(), pass: row.pass };
    let lines: Vec<Line> = rows().into_iter().map(line).collect();
    site.release(&["deploy", "main"]).exits(0);
    switch_under_load(site, manager, &lines, || drop(site.switch()));
}

/// Switches a site that is live while each of its services is asked, prints a row for each, and stops it.
pub(crate) fn switch_under_load(site: &Site, manager: &str, lines: &[Line], switch: impl Fn()) {
    let proxies: Vec<_> = lines.iter().map(|line| site.nginx_of(&line.service, line.pass)).collect();
    let ask = |(line, proxy): (&Line, &Nginx)| Load::beside_others(&line.service, proxy.address, &site.root);
    let loads: Vec<Load> = lines.iter().zip(&proxies).map(ask).collect();
    let started = Instant::now();
    (0..switches()).for_each(|_| switch());
    let each = started.elapsed().as_secs_f64() / switches() as f64;
    let reports: Vec<_> = loads.into_iter().map(Load::stop).collect();
    println!("{manager}: {each:.1} s a switch");
    for (line, report) in lines.iter().zip(&reports) {
        println!("| {manager} | {} | {report} |", line.name);
    }
    reports.iter().for_each(|report| report.assert_flawless(switches()));
    wait_until("only the active release is known", LIMIT, || services(site).len() == lines.len());
    site.assert_tidy();
    site.stop();
}
