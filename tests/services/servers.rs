//! Web servers by `socket` handover: a row each.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::load::{Load, Report};
use crate::rows::{ROWS, Row};
use crate::site::Site;
use crate::support::Client;
use crate::websocket::{End, Websocket};

const USUAL: &str = "    health: {settle: 100ms, warm_up: 4}\n";

/// Far less than a request in flight takes: what then happens to it is the server's doing.
const IMPATIENT: &str = "    drain: 200ms\n";

#[test]
fn no_server_loses_a_request() {
    let all = std::env::var_os("RELEASE_TEST_ALL").is_some();
    let only = std::env::var("RELEASE_TEST_SERVER").ok();
    let chosen = |row: &&Row| {
        only.as_ref().map_or(all || row.quick, |only| only.split(',').any(|only| row.name.contains(only)))
    };
    let switches = if all { 10 } else { 3 };
    let site = Site::of("servers");
    let mut table = vec![HEAD.to_owned()];
    for row in ROWS.iter().filter(chosen) {
        let report = switch_under_load(&site, row, switches);
        let left = leave_busy(&site, row);
        table.push(format!("| {} | {report} | {left} |", row.name));
        println!("{}", table.last().unwrap());
        report.assert_flawless(switches);
    }
    site.stop();
    println!("{}", table.join("\n"));
}

const HEAD: &str = "| server | switches | requests | orders | failed | of a wrong release | lost | doubled | \
                    request past the drain | open websockets | last deploy |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

fn switch_under_load(site: &Site, row: &Row, switches: usize) -> Report {
    site.configure(row.command, USUAL);
    site.switch();
    let nginx = site.nginx(row.pass);
    let load = Load::start(nginx.address, &site.root);
    for _ in 0..switches {
        site.switch().says("old generation quiet after");
    }
    let report = load.stop();
    site.assert_tidy();
    report
}

/// Leaves a generation while long requests and websockets are open.
fn leave_busy(site: &Site, row: &Row) -> String {
    site.configure(row.command, &format!("{USUAL}{IMPATIENT}    stop: {}\n", row.stop));
    site.switch();
    let nginx = site.nginx(row.pass);
    let left = site.current();
    let long = {
        let (address, current) = (nginx.address, site.root.join("current"));
        thread::spawn(move || keep_busy(address, &current))
    };
    let open: Vec<Websocket> =
        row.websockets.iter().flat_map(|_| [(); 3]).map(|()| websocket(site, &left)).collect();
    let open: Vec<_> = open.into_iter().map(|websocket| thread::spawn(|| websocket.end())).collect();
    let started = Instant::now();
    site.switch().says("connections to the old generation stayed open");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(60), "{}: {took:?}", row.name);
    let statuses = long.join().unwrap();
    let finished = statuses.iter().all(|status| *status == Some(200));
    assert_eq!(finished, row.finishes, "{}: {statuses:?}", row.name);
    let ends: Vec<End> = open.into_iter().map(|end| end.join().unwrap()).collect();
    assert!(ends.iter().all(|end| Some(*end) == row.websockets), "{}: {ends:?}", row.name);
    if row.websockets.is_some() {
        websocket(site, &site.current());
    }
    site.assert_tidy();
    let websockets = match ends.first() {
        None => "-".to_owned(),
        Some(End::Told(code)) => format!("told ({code})"),
        Some(End::Cut) => "cut".to_owned(),
    };
    let long = if finished { "finished" } else { "cut" };
    format!("{long} | {websockets} | {:.1} s", took.as_secs_f64())
}

/// Sends a request of 6 s every 4 s until `current` moves: one at least has 2 s left then.
fn keep_busy(address: SocketAddr, current: &Path) -> Vec<Option<u16>> {
    let left = fs::read_link(current).unwrap();
    let stays = || fs::read_link(current).unwrap() == left;
    let mut requests = Vec::new();
    while stays() {
        let ask = move || Client::tcp(address, false).get("/slow?seconds=6").ok().map(|reply| reply.status);
        requests.push(thread::spawn(ask));
        let next = Instant::now() + Duration::from_secs(4);
        while stays() && Instant::now() < next {
            thread::sleep(Duration::from_millis(10));
        }
    }
    requests.into_iter().map(|request| request.join().unwrap()).collect()
}

/// A websocket that `release` answers.
fn websocket(site: &Site, release: &str) -> Websocket {
    let mut websocket = Websocket::open(&site.socket());
    assert_eq!(websocket.ask(), release);
    websocket
}
