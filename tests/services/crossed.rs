//! Every web server behind every proxy but nginx, which each has in `servers`: all of them in one site, with the
//! proxy in front of all.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use crate::load::Load;
use crate::rows::{ROWS, Row};
use crate::site::{Pass, Site};
use crate::support::{Running, times};
use crate::support_proxies::{Proxy, all};

/// A server, and where the proxy offers it.
struct Front {
    row: &'static Row,
    address: SocketAddr,
}

#[test]
fn no_server_loses_a_request_behind_caddy() {
    switch_behind(Proxy::Caddy);
}

#[test]
fn no_server_loses_a_request_behind_haproxy() {
    switch_behind(Proxy::Haproxy);
}

#[test]
fn no_server_loses_a_request_behind_apache() {
    switch_behind(Proxy::Apache);
}

fn switch_behind(proxy: Proxy) {
    if !all() {
        println!("NOT TESTED: every server behind {} is tried with RELEASE_TEST_ALL=1", proxy.name());
        return;
    }
    let switches = times("RELEASE_TEST_SWITCHES", 10);
    let site = deployed();
    let fronts = fronts(proxy);
    let running = started(proxy, &site, &fronts);
    let ask = |front: &Front| Load::beside_others(&front.row.service(), front.address, &site.root);
    let loads: Vec<Load> = fronts.iter().map(ask).collect();
    (0..switches).for_each(|_| drop(site.switch()));
    let reports: Vec<_> = loads.into_iter().map(Load::stop).collect();
    drop(running);
    for (front, report) in fronts.iter().zip(&reports) {
        println!("| {} {} | {} | {report} |", proxy.name(), proxy.version(), front.row.name);
    }
    reports.iter().for_each(|report| report.assert_flawless(switches));
    site.assert_tidy();
    site.stop();
}

/// A site with a service for each server.
fn deployed() -> Site {
    let site = Site::of("servers");
    // Apache runs as a user of its own.
    fs::set_permissions(site.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    let health = "{settle: 100ms, warm_up: 4, timeout: 3m}";
    let lines = |row: &Row| {
        let (name, command) = (row.service(), row.command);
        format!("  {name}: {{command: \"{command}\", umask: \"000\", health: {health}}}\n")
    };
    // The fixture's own `web` stands for none of them.
    fs::write(site.root.join("shared/data/keys"), "").unwrap();
    let services: String = ROWS.iter().map(lines).collect();
    site.commit("release.yml", &format!("app: servers\nlinked_dirs: [data]\nservices:\n{services}"));
    site.overriding("");
    site.release(&["deploy", "main"]).exits(0);
    site
}

/// Only nginx and Apache speak uWSGI's own protocol.
fn fronts(proxy: Proxy) -> Vec<Front> {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    // All at once, so that no two are the same.
    let listeners: Vec<_> = ROWS.iter().map(|row| (row, free())).collect();
    let speaks = |row: &Row| row.pass == Pass::Http || proxy == Proxy::Apache;
    let front =
        |(row, listener): (&'static Row, TcpListener)| Front { row, address: listener.local_addr().unwrap() };
    listeners.into_iter().filter(|(row, _)| speaks(row)).map(front).collect()
}

fn started(proxy: Proxy, site: &Site, fronts: &[Front]) -> Running {
    let file = site.directory().join("fronts");
    let text: String = fronts.iter().map(|front| lines(proxy, site, front)).collect();
    let before = if proxy == Proxy::Haproxy { HAPROXY } else { "" };
    fs::write(&file, format!("{before}{text}")).unwrap();
    let addresses: Vec<_> = fronts.iter().map(|front| front.address).collect();
    proxy.serve(site.directory(), &file, &addresses)
}

const HAPROXY: &str = "global\n    maxconn 4096\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    \
                       timeout server 300s\n    http-reuse never\n    option http-server-close\n";

/// What the generated files say, for one server of several.
fn lines(proxy: Proxy, site: &Site, Front { row, address }: &Front) -> String {
    let name = row.service();
    let socket = site.root.join(format!("current/run/{name}.sock"));
    let socket = socket.display();
    match proxy {
        Proxy::Nginx => unreachable!("`servers` has it"),
        Proxy::Caddy => format!(
            "http://:{} {{\n\tbind {}\n\treverse_proxy unix/{socket} {{\n\t\ttransport http {{\n\t\t\tkeepalive off\n\t\t}}\n\t}}\n}}\n",
            address.port(),
            address.ip()
        ),
        Proxy::Haproxy => format!(
            "frontend {name}\n    bind {address}\n    default_backend to-{name}\nbackend to-{name}\n    server web unix@{socket}\n"
        ),
        Proxy::Apache => {
            let scheme = if row.pass == Pass::Uwsgi { "uwsgi" } else { "http" };
            format!(
                "Listen {address}\n<VirtualHost {address}>\n    ProxyPreserveHost On\n    \
                 ProxyPass / unix:{socket}|{scheme}://{name}/ enablereuse=off timeout=300\n</VirtualHost>\n"
            )
        }
    }
}
