//! systemd, booted in a container: the machine's, and a user's own.

use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::container::Container;
use crate::ladder;
use crate::load::Load;
use crate::order;
use crate::packages;
use crate::reloads;
use crate::site::Site;
use crate::steady::Steady;
use crate::support::{Client, wait_until};
use crate::table;
use crate::trial::{
    LIMIT, answers, configure, configure_services, give, is_left_out, services, site, stop_and_start,
    survive_kills, switch_under_load,
};
use crate::workers;

/// The units of the site that run, or have failed.
fn units(container: &Container) -> Vec<String> {
    let mut units = all_units(container);
    units.retain(|unit| unit.ends_with(".service"));
    units
}

/// The same, with what lies between them.
fn all_units(container: &Container) -> Vec<String> {
    let list = container.says(&["systemctl", "list-units", "--plain", "--no-legend", "srv-*"]);
    list.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

fn files(container: &Container, directory: &str) -> String {
    container.says(&["find", directory, "-name", "srv-*"])
}

fn only_the_active_release_runs(site: &Site, container: &Container) {
    let current = site.current();
    let units = units(container);
    assert!(units.len() == 2 && units.iter().all(|unit| unit.contains(&current)), "{current}: {units:?}");
}

#[test]
fn the_machines() {
    let mut site = site();
    let Some(mut container) = Container::boot(site.directory()) else { return };
    site.before = container.enter();
    configure(&site, "systemd");
    switch_under_load(&site, "systemd (system)");
    only_the_active_release_runs(&site, &container);
    survive_kills(&site);
    stop_and_start(&site, 2);
    container.cut_power();
    assert!(!answers(&site));
    container.power_on();
    site.before = container.enter();
    wait_until("a boot brings the active release back", LIMIT, || answers(&site));
    only_the_active_release_runs(&site, &container);
    site.release(&["deploy", "--force"]).exits(0);
    ladder::climb(&site, "systemd", "");
    site.stop();
    drop(container);
}

#[test]
fn a_users_own() {
    let mut site = site();
    let Some(mut container) = Container::boot(site.directory()) else { return };
    configure(&site, "{systemd: user}");
    give(&site, "1000:1000");
    site.before = container.enter_as_shop();
    site.release(&["deploy", "main"]).exits(3).says("sudo loginctl enable-linger shop");
    container.runs(&["loginctl", "enable-linger", "shop"]);
    wait_for_shop(&container);
    switch_under_load(&site, "systemd (user)");
    survive_kills(&site);
    assert_eq!(units(&container), Vec::<String>::new(), "nothing is the machine's");
    // What has just come back is not trusted at once.
    wait_until("both run", LIMIT, || services(&site).iter().all(|service| service["state"] == "running"));
    container.cut_power();
    container.power_on();
    site.before = container.enter_as_shop();
    wait_until("a boot brings the active release back", LIMIT, || answers(&site));
    site.release(&["deploy", "--force"]).exits(0);
    assert!(files(&container, "/etc/systemd").is_empty());
    ladder::climb(&site, "{systemd: user}", "");
    site.stop();
    drop(container);
}

/// The server's `release.yml` for the machine's systemd, with this for `web`.
fn configure_web(site: &Site, web: &str) {
    configure_services(site, "systemd", &format!("{{web: {{{web}}}, worker: {{instances: 2}}}}"));
}

fn port_answers(site: &Site, address: SocketAddr) -> bool {
    Client::tcp(address, false).get("/").is_ok_and(|reply| reply.body == site.current())
}

#[test]
fn a_port_is_held_through_all_releases_and_each_instance_has_a_unit() {
    let mut site = site();
    let Some(mut container) = Container::boot(site.directory()) else { return };
    site.before = container.enter();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    configure_web(&site, &format!("listen: \"{address}\""));
    site.release(&["deploy", "main"]).exits(0);
    let load = Load::without_keep_alive(address, &site.root);
    site.switch();
    site.switch();
    let report = load.stop();
    println!("| systemd (system), a port | {report} |");
    report.assert_flawless(2);
    wait_until("only the active release is known", LIMIT, || services(&site).len() == 3);
    let running = units(&container);
    for name in ["-port-", "-web-", "-worker.1-", "-worker.2-"] {
        assert_eq!(running.iter().filter(|unit| unit.contains(name)).count(), 1, "{name}: {running:?}");
    }
    container.cut_power();
    container.power_on();
    site.before = container.enter();
    wait_until("a boot brings the port back", LIMIT, || port_answers(&site, address));
    configure_web(&site, "");
    site.switch();
    assert!(answers(&site) && TcpStream::connect(address).is_err());
    site.release(&["rollback"]).exits(0);
    assert!(port_answers(&site, address));
    site.stop();
    drop(container);
}

#[test]
fn a_port_and_a_master_stay_under_a_users_own() {
    let mut site = site();
    let Some(mut container) = Container::boot(site.directory()) else { return };
    give(&site, "1000:1000");
    container.runs(&["loginctl", "enable-linger", "shop"]);
    wait_for_shop(&container);
    site.before = container.enter_as_shop();
    let steady = Steady::new("{systemd: user}", "");
    steady.hold_under_load(&site, "systemd (user)");
    a_boot_brings_the_master_back(&mut site, &mut container, &steady, Container::enter_as_shop);
    site.stop();
    drop(container);
}

#[test]
fn a_port_and_a_master_stay_under_the_machines() {
    let mut site = site();
    let Some(mut container) = Container::boot(site.directory()) else { return };
    site.before = container.enter();
    let steady = Steady::new("systemd", "");
    steady.hold_under_load(&site, "systemd (system)");
    a_boot_brings_the_master_back(&mut site, &mut container, &steady, Container::enter);
    site.stop();
    drop(container);
}

fn a_boot_brings_the_master_back(
    site: &mut Site,
    container: &mut Container,
    steady: &Steady,
    enter: fn(&Container) -> Vec<String>,
) {
    container.cut_power();
    container.power_on();
    site.before = enter(container);
    wait_until("a boot brings the port and the master back", LIMIT, || steady.answers(site));
    let master = steady.trusted_pid(site);
    site.switch().says("web reloaded by HUP");
    assert_eq!(steady.trusted_pid(site), master);
}

#[test]
fn every_server_under_the_machines() {
    let mut site = table::site("systemd");
    let Some(container) = Container::boot(site.directory()) else { return };
    site.before = packages::with("servers", container.enter());
    table::switch_all(&site, "`systemd`, the machine's");
    drop(container);
}

#[test]
fn every_server_under_a_users_own() {
    let mut site = table::site("{systemd: user}");
    let Some(container) = Container::boot(site.directory()) else { return };
    give(&site, "1000:1000");
    container.runs(&["loginctl", "enable-linger", "shop"]);
    wait_for_shop(&container);
    site.before = packages::with("servers", container.enter_as_shop());
    table::switch_all(&site, "`{systemd: user}`");
    drop(container);
}

#[test]
fn every_reload_under_the_machines() {
    if is_left_out("ways to reload", "`systemd`, the machine's") {
        return;
    }
    let site = reloads::site("systemd");
    let Some((container, before)) = under_the_machines(&site) else { return };
    reloads::switch_all(site, "`systemd`, the machine's", before);
    drop(container);
}

#[test]
fn every_reload_under_a_users_own() {
    let site = reloads::site("{systemd: user}");
    let Some((container, before)) = under_a_users_own(&site) else { return };
    reloads::switch_all(site, "`{systemd: user}`", before);
    drop(container);
}

/// A container whose systemd runs the site, with the words before a command there.
fn under_the_machines(site: &Site) -> Option<(Container, Vec<String>)> {
    configure(site, "systemd");
    let container = Container::boot(site.directory())?;
    let before = container.enter();
    Some((container, before))
}

/// The same by a user's.
fn under_a_users_own(site: &Site) -> Option<(Container, Vec<String>)> {
    configure(site, "{systemd: user}");
    let container = Container::boot(site.directory())?;
    give(site, "1000:1000");
    container.runs(&["loginctl", "enable-linger", "shop"]);
    wait_for_shop(&container);
    let before = container.enter_as_shop();
    Some((container, before))
}

#[test]
fn every_worker_under_the_machines() {
    workers::others("`systemd`, the machine's", under_the_machines);
}

#[test]
fn every_worker_under_the_machines_celery() {
    workers::celery("`systemd`, the machine's", under_the_machines);
}

#[test]
fn every_worker_under_a_users_own() {
    workers::others("`{systemd: user}`", under_a_users_own);
}

#[test]
fn every_worker_under_a_users_own_celery() {
    workers::celery("`{systemd: user}`", under_a_users_own);
}

#[test]
fn a_boot_of_the_machine_follows_the_order_of_release_yml() {
    let mut site = order::site("systemd");
    let Some(mut container) = Container::boot(site.directory()) else { return };
    site.before = container.enter();
    order::deploy(&site);
    container.power_off();
    order::assert_ended_in_reverse(&site);
    container.power_on();
    site.before = container.enter();
    order::assert_started_in_order(&site);
    site.stop();
    wait_until("no unit is left between them", LIMIT, || all_units(&container).is_empty());
    drop(container);
}

#[test]
fn a_start_of_a_users_systemd_follows_the_order_of_release_yml() {
    let mut site = order::site("{systemd: user}");
    let Some(mut container) = Container::boot(site.directory()) else { return };
    give(&site, "1000:1000");
    container.runs(&["loginctl", "enable-linger", "shop"]);
    wait_for_shop(&container);
    site.before = container.enter_as_shop();
    order::deploy(&site);
    container.power_off();
    order::assert_ended_in_reverse(&site);
    container.power_on();
    site.before = container.enter_as_shop();
    order::assert_started_in_order(&site);
    site.stop();
    drop(container);
}

pub(crate) fn wait_for_shop(container: &Container) {
    wait_until("shop has a systemd", LIMIT, || {
        container.says(&["ls", "/run/user/1000/systemd"]).contains("private")
    });
}
