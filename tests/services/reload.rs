//! `handover: reload`: a master that keeps its process id, proved, and put right when it mixes releases.

use std::fs;

use crate::load::Load;
use crate::site::{Pass, Site};
use crate::support::{Client, times};
use crate::support_proxies::all;

const GUNICORN: &str = "gunicorn app -w 2 --threads 4 --bind unix:$SOCKET";
const UWSGI: &str =
    "uwsgi --http-socket $SOCKET --virtualenv $VIRTUAL_ENV --module app --processes 2 --threads 4";
const RELOAD: &str = "    handover: reload\n    health: {settle: 100ms, warm_up: 4}\n";
const SOCKET: &str = "    health: {settle: 100ms, warm_up: 4}\n";

/// The process that `status` shows for the one service.
fn pid(site: &Site) -> i64 {
    let services = site.facts(&["status"])["services"].as_array().unwrap().clone();
    assert_eq!(services.len(), 1, "{services:?}");
    assert_eq!(services[0]["release"], site.current());
    services[0]["pid"].as_i64().unwrap()
}

#[test]
fn a_master_keeps_its_process_id_and_loses_nothing() {
    let switches = times("RELEASE_TEST_SWITCHES", if all() { 10 } else { 3 });
    let site = Site::of("servers");
    println!("| reload | switches | requests | orders | failed | wrong release | lost | doubled |");
    for (name, command) in [("gunicorn HUP", GUNICORN), ("uWSGI HUP", UWSGI)] {
        site.configure(command, RELOAD);
        site.switch();
        let nginx = site.nginx(Pass::Http);
        let master = pid(&site);
        let load = Load::start(nginx.address, &site.root);
        for _ in 0..switches {
            site.switch().says("reloaded by HUP");
            assert_eq!(pid(&site), master);
        }
        let report = load.stop();
        println!("| {name} | {report} |");
        report.assert_flawless(switches);
    }
    // To another handover and back, under load.
    let nginx = site.nginx(Pass::Http);
    let load = Load::start(nginx.address, &site.root);
    site.configure(GUNICORN, SOCKET);
    site.switch();
    pid(&site);
    site.configure(GUNICORN, RELOAD);
    site.switch();
    site.release(&["rollback"]).exits(0);
    site.switch();
    load.stop().assert_flawless(4);
    site.release(&["stop"]).exits(0);
    site.release(&["start"]).exits(0);
    pid(&site);
    site.stop();
}

#[test]
fn a_reload_that_mixes_releases_is_taken_back_and_nobody_notices() {
    let site = Site::of("servers");
    // A chain reload starts the workers anew, and they stay where their master was started. What a script does nobody reads.
    let (touched, script) = (site.root.join("shared/touched"), site.root.join("shared/reload.sh"));
    fs::write(&touched, "").unwrap();
    fs::write(&script, format!("touch {}\n", touched.display())).unwrap();
    let chain = format!("{UWSGI} --lazy-apps --touch-chain-reload {}", touched.display());
    let how = format!(
        "{}    reload: sh {}\n    stop: TERM 12s\n",
        RELOAD.replace("4}", "4, timeout: 12s}"),
        script.display()
    );
    site.configure(&chain, &how);
    site.switch();
    let (live, master) = (site.current(), pid(&site));
    let nginx = site.nginx(Pass::Http);
    let load = Load::start(nginx.address, &site.root);
    let done = site.release(&["deploy", "--force"]).exits(4);
    done.says(&format!("uses {}", site.root.join("releases").join(&live).display()));
    load.stop().assert_flawless(2);
    assert_eq!((site.current(), pid(&site)), (live, master));
    site.stop();
}

#[test]
fn a_master_that_is_reloaded_reads_its_own_file_in_the_new_release() {
    let site = Site::of("servers");
    let says =
        |value: &str| site.commit("uwsgi.ini", &format!("[uwsgi]\nadd-header = X-Configured: {value}\n"));
    let served = || {
        let reply = Client::socket(&site.socket()).get("/").unwrap();
        assert_eq!(reply.body.trim(), site.current());
        reply.header("x-configured").map(str::to_owned)
    };
    site.configure(&format!("{UWSGI} uwsgi.ini"), RELOAD);
    says("one");
    site.release(&["deploy", "main"]).exits(0);
    let master = pid(&site);
    for value in ["two", "three", "four"] {
        says(value);
        site.release(&["deploy", "main"]).exits(0).says("reloaded by HUP");
        assert_eq!((served().as_deref(), pid(&site)), (Some(value), master));
    }
    site.stop();
}

#[test]
fn what_a_reload_cannot_do_is_refused() {
    let site = Site::of("servers");
    for (command, why) in [
        ("gunicorn app --preload --bind unix:$SOCKET", "what its master has preloaded stays the old code"),
        ("uvicorn app:asgi --uds $SOCKET", "it is not known what makes its master load new code"),
        ("gunicorn app --bind 127.0.0.1:8000", "does not use $SOCKET"),
        (&format!("{UWSGI} --master-fifo /run/shop.fifo"), "would take its fifo over"),
    ] {
        site.configure(command, RELOAD);
        site.release(&["deploy"]).exits(2).says(why).says("help:");
    }
    let chain = format!("{UWSGI} --lazy-apps --touch-chain-reload $RELEASE_ROOT/shared/reload");
    let fifo = format!("{UWSGI} --lazy-apps --master-fifo $SOCKET.fifo");
    for (command, reload, why) in [
        (GUNICORN, "USR2", "loads no new code as the process that it is"),
        (GUNICORN, "systemctl reload shop", "a unit of another"),
        (&chain, "touch $RELEASE_ROOT/shared/reload", "`--touch-reload` in place of"),
        (&fifo, "sh -c 'echo c > $SOCKET.fifo'", "`echo r` of `echo c`"),
    ] {
        site.configure(command, &format!("{RELOAD}    reload: {reload}\n"));
        site.release(&["deploy"]).exits(2).says(why).says("help:");
    }
}
