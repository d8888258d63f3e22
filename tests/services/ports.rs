//! A fixed TCP port with nothing in front of it: a forwarder holds it through all releases.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::load::Load;
use crate::site::{Pass, Site};
use crate::support::{Client, times, wait_until};
use crate::support_proxies::all;

const GUNICORN: &str = "gunicorn app -w 2 --threads 4 --bind unix:$SOCKET";
const UVICORN: &str = "uvicorn app:asgi --uds $SOCKET";
const DAPHNE: &str = "daphne -u $SOCKET app:asgi";
const UWSGI: &str =
    "uwsgi --http-socket $SOCKET --virtualenv $VIRTUAL_ENV --module app --processes 2 --threads 4";
const LIMIT: Duration = Duration::from_secs(20);

/// A port that nobody has just now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn held(address: SocketAddr) -> String {
    format!("    health: {{settle: 100ms, warm_up: 4}}\n    listen: {address}\n")
}

fn answers(address: SocketAddr) -> Option<String> {
    let reply = Client::tcp(address, false).get("/").ok()?;
    (reply.status == 200).then(|| reply.body.trim().to_owned())
}

#[test]
fn a_port_loses_nothing_while_releases_change_behind_it() {
    let switches = times("RELEASE_TEST_SWITCHES", if all() { 10 } else { 3 });
    let (site, address) = (Site::of("servers"), free());
    println!("| server | switches | requests | orders | failed | wrong release | lost | doubled |");
    let commands = [
        ("gunicorn gthread", GUNICORN),
        ("uvicorn", UVICORN),
        ("daphne", DAPHNE),
        ("uWSGI, http-socket", UWSGI),
    ];
    for (name, command) in commands.into_iter().take(if all() { commands.len() } else { 1 }) {
        site.configure(command, &held(address));
        site.switch();
        let load = Load::without_keep_alive(address, &site.root);
        for _ in 0..switches {
            site.switch();
        }
        let report = load.stop();
        println!("| {name} | {report} |");
        report.assert_flawless(switches);
        site.assert_tidy();
    }
    site.stop();
}

#[test]
fn a_port_passes_the_uwsgi_protocol_on() {
    let switches = times("RELEASE_TEST_SWITCHES", if all() { 10 } else { 2 });
    let (site, address) = (Site::of("servers"), free());
    site.configure(&UWSGI.replace("--http-socket", "--socket"), &held(address));
    site.switch();
    let nginx = site.nginx_before("port", &address.to_string(), Pass::Uwsgi);
    let load = Load::start(nginx.address, &site.root);
    (0..switches).for_each(|_| drop(site.switch()));
    let report = load.stop();
    println!("| uWSGI, uwsgi protocol, behind nginx | {report} |");
    report.assert_flawless(switches);
    site.assert_tidy();
    site.stop();
}

#[test]
fn a_port_comes_and_goes_with_the_releases_that_want_it() {
    let (site, first, second) = (Site::of("servers"), free(), free());
    site.configure(GUNICORN, "    health: {settle: 100ms, warm_up: 4}\n");
    site.switch();
    // Somebody else has it: nothing is begun.
    let other = TcpListener::bind(first).unwrap();
    site.configure(GUNICORN, &held(first));
    site.release(&["deploy", "--force"]).exits(3).says(&format!("cannot listen on {first}"));
    drop(other);
    site.switch().says("open-ports");
    assert_eq!(answers(first), Some(site.current()));
    site.release(&["status"]).exits(0).says(&format!("port      {first}: running"));
    // Whatever becomes of the forwarder, it comes back.
    let pid = site.facts(&["status"])["ports"][0]["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_until("the port is held again", LIMIT, || answers(first) == Some(site.current()));
    site.configure(GUNICORN, &held(second));
    site.switch().says(&format!("gave up {first}"));
    assert_eq!(answers(second), Some(site.current()));
    assert!(TcpStream::connect(first).is_err());
    site.release(&["stop"]).exits(0);
    assert!(TcpStream::connect(second).is_err());
    site.release(&["start"]).exits(0);
    wait_until("the port answers", LIMIT, || answers(second) == Some(site.current()));
    // Back to the release that has the first one, and to none at all.
    site.release(&["rollback"]).exits(0);
    assert_eq!(answers(first), Some(site.current()));
    assert!(TcpStream::connect(second).is_err());
    site.configure(GUNICORN, "    health: {settle: 100ms, warm_up: 4}\n");
    site.switch();
    assert!(TcpStream::connect(first).is_err());
    site.assert_tidy();
    site.stop();
}
