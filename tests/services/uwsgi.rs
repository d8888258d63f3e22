//! The generated files in front of a uWSGI that does not speak HTTP.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::load::Load;
use crate::rows::ROWS;
use crate::site::{Pass, Site};
use crate::support::times;
use crate::support_proxies::{Proxy, all, assert_told};

#[test]
fn a_uwsgi_socket_is_asked_in_its_own_protocol_and_loses_nothing_when_it_changes() {
    let switches = times("RELEASE_TEST_SWITCHES", if all() { 10 } else { 2 });
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let site = Site::of("servers");
    // Proxies run as users of their own.
    fs::set_permissions(site.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    let row = ROWS.iter().find(|row| row.pass == Pass::Uwsgi).unwrap();
    let health = "    umask: \"000\"\n    health: {settle: 100ms, warm_up: 4}\n";
    site.configure(row.command, &format!("{health}proxy: {{listen: \"{address}\"}}\n"));
    site.release(&["deploy", "main"]).exits(0);
    for proxy in [Proxy::Caddy, Proxy::Haproxy] {
        site.release(&["generate", proxy.name()]).exits(2).says("uwsgi --http-socket $SOCKET");
    }
    for proxy in if all() { &[Proxy::Nginx, Proxy::Apache][..] } else { &[Proxy::Nginx] } {
        let file = site.directory().join(proxy.name());
        fs::write(&file, site.release(&["generate", proxy.name()]).exits(0).out).unwrap();
        let running = proxy.serve(site.directory(), &file, &[address]);
        assert_told(address, *proxy);
        let load = Load::start(address, &site.root);
        (0..switches).for_each(|_| drop(site.switch()));
        let report = load.stop();
        println!("| {} {}, uWSGI | {report} |", proxy.name(), proxy.version());
        report.assert_flawless(switches);
        drop(running);
    }
    site.assert_tidy();
    site.stop();
}
