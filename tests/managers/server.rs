//! The server's own supervisord, with somebody else's program in it; and the change from one manager to another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ladder;
use crate::order;
use crate::packages;
use crate::reloads;
use crate::site::Site;
use crate::steady;
use crate::support::{Running, start, wait_until};
use crate::table;
use crate::trial::{
    LIMIT, answers, configure, configure_services, is_left_out, services, site, stop_and_start,
    survive_kills, switch_under_load,
};
use crate::workers;

/// A supervisord in a directory of its own, which includes what others put into `conf.d`.
struct Supervisord {
    at: PathBuf,
    bin: PathBuf,
    _running: Running,
}

impl Supervisord {
    /// Starts one in a directory of its own, or that again.
    fn start(directory: &Path) -> Self {
        let at = directory.join("server");
        fs::create_dir_all(at.join("conf.d")).unwrap();
        let place = at.display();
        let text = format!(
            "[supervisord]\nnodaemon=true\nlogfile={place}/log\npidfile={place}/pid\n\
             [unix_http_server]\nfile={place}/sock\n[supervisorctl]\nserverurl=unix://{place}/sock\n\
             [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
             [include]\nfiles=conf.d/*.conf\n"
        );
        fs::write(at.join("server.conf"), text).unwrap();
        fs::write(at.join("conf.d/other.conf"), "[program:other]\ncommand=sleep 1000\n").unwrap();
        let bin = installed();
        let mut command = Command::new(bin.join("supervisord"));
        command.arg("-c").arg(at.join("server.conf"));
        let server = Self { _running: start(command, &directory.join("out")), at, bin };
        wait_until("the other program runs", LIMIT, || server.says(&["status", "other"]).contains("RUNNING"));
        server
    }

    fn says(&self, words: &[&str]) -> String {
        let mut command = Command::new(self.bin.join("supervisorctl"));
        let output = command.arg("-c").arg(self.at.join("server.conf")).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn manager(&self) -> String {
        let at = self.at.display();
        format!("{{supervisord: {at}/sock, programs: {at}/conf.d}}")
    }

    /// The files that `release` wrote.
    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.at.join("conf.d")).unwrap();
        let mut names: Vec<String> =
            names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "other.conf");
        names
    }
}

impl Drop for Supervisord {
    fn drop(&mut self) {
        // Asked to end, it ends the other program too.
        self.says(&["shutdown"]);
        wait_until("supervisord has ended", LIMIT, || !self.at.join("sock").exists());
    }
}

/// Where a supervisord is installed for all tests, and stays from one run to the next.
fn installed() -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("managers");
    fs::create_dir_all(&venv).unwrap();
    let lock = fs::File::create(venv.join("lock")).unwrap();
    lock.lock().unwrap();
    if !venv.join("complete").exists() {
        let made = |command: &mut Command| assert!(command.status().unwrap().success());
        made(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        made(Command::new(venv.join("bin/pip")).args(["install", "-q", "supervisor==4.3.0", "gunicorn"]));
        fs::write(venv.join("complete"), "").unwrap();
    }
    venv.join("bin")
}

/// Writes the server's `release.yml`; gunicorn is where supervisord is.
fn use_manager(site: &Site, manager: &str) {
    configure_services(site, manager, &format!("{{{}}}", web()));
}

/// The line of `services` for a web server.
pub(crate) fn web() -> String {
    format!("web: {{command: \"{}\"}}", gunicorn())
}

fn gunicorn() -> String {
    format!("{} -m gunicorn app -w 2 --threads 4 --bind unix:$SOCKET", installed().join("python").display())
}

#[test]
fn other_programs_stay_untouched() {
    let site = site();
    let server = Supervisord::start(site.directory());
    let other = server.says(&["pid", "other"]);
    // What others changed and have not applied yet is not ours to apply.
    fs::write(server.at.join("conf.d/other.conf"), "[program:other]\ncommand=sleep 2000\n").unwrap();
    use_manager(&site, &server.manager());
    switch_under_load(&site, "the server's supervisord");
    survive_kills(&site);
    stop_and_start(&site, 2);
    assert_eq!(server.says(&["pid", "other"]), other);
    let current = site.current();
    assert_eq!(server.files().len(), 2, "{:?}", server.files());
    assert!(server.files().iter().all(|file| file.contains(&current)), "{:?}", server.files());
    ladder::climb(&site, &server.manager(), &web());
    site.stop();
}

#[test]
fn every_server_under_the_servers_supervisord() {
    let mut site = table::site("supervisord");
    let server = Supervisord::start(site.directory());
    configure(&site, &server.manager());
    site.before = packages::with("servers", Vec::new());
    table::switch_all(&site, "the server's supervisord");
}

#[test]
fn every_server_under_a_private_supervisord() {
    let mut site = table::site("supervisord");
    site.before = packages::with("servers", Vec::new());
    table::switch_all(&site, "`supervisord`");
}

#[test]
fn every_reload_under_the_servers_supervisord() {
    if is_left_out("ways to reload", "the server's supervisord") {
        return;
    }
    let site = reloads::site("supervisord");
    let server = Supervisord::start(site.directory());
    configure(&site, &server.manager());
    reloads::switch_all(site, "the server's supervisord", Vec::new());
}

#[test]
fn every_reload_under_a_private_supervisord() {
    if is_left_out("ways to reload", "`supervisord`") {
        return;
    }
    reloads::switch_all(reloads::site("supervisord"), "`supervisord`", Vec::new());
}

/// A supervisord that runs the site, which is where we are.
fn under_the_servers(site: &Site) -> Option<(Supervisord, Vec<String>)> {
    let server = Supervisord::start(site.directory());
    configure(site, &server.manager());
    Some((server, Vec::new()))
}

#[test]
fn every_worker_under_the_servers_supervisord() {
    workers::others("the server's supervisord", under_the_servers);
}

#[test]
fn every_worker_under_the_servers_supervisord_celery() {
    workers::celery("the server's supervisord", under_the_servers);
}

#[test]
fn its_start_follows_the_order_of_release_yml() {
    let site = order::site("supervisord");
    let server = Supervisord::start(site.directory());
    configure(&site, &server.manager());
    order::deploy(&site);
    drop(server);
    order::assert_ended_in_reverse(&site);
    let server = Supervisord::start(site.directory());
    order::assert_started_in_order(&site);
    site.stop();
    drop(server);
}

#[test]
fn a_supervisord_that_is_not_there_or_reads_other_files_is_told() {
    let site = site();
    use_manager(&site, "{supervisord: /nonexistent/sock, programs: /nonexistent}");
    site.release(&["deploy", "main"]).exits(3).says("at /nonexistent/sock cannot be used");
    let server = Supervisord::start(site.directory());
    let at = server.at.display();
    use_manager(&site, &format!("{{supervisord: {at}/sock, programs: {at}/elsewhere}}"));
    site.release(&["deploy", "main"]).exits(3).says("elsewhere, which does not exist");
    fs::create_dir(server.at.join("elsewhere")).unwrap();
    site.release(&["deploy", "main"]).exits(3).says("`files` of its `[include]` reads");
    assert_eq!(fs::read_dir(server.at.join("elsewhere")).unwrap().count(), 0);
}

#[test]
fn a_change_of_the_manager_takes_everything_with_it_and_a_rollback_brings_it_back() {
    let site = site();
    let server = Supervisord::start(site.directory());
    use_manager(&site, "supervisord");
    site.release(&["deploy", "main"]).exits(0);
    let first = site.current();
    use_manager(&site, &server.manager());
    site.switch();
    assert!(answers(&site));
    let private = site.root.join(".release/supervisor/rpc.sock");
    wait_until("the private supervisord has ended", LIMIT, || !private.exists());
    assert_eq!(server.files().len(), 2);
    site.release(&["rollback"]).exits(0);
    assert_eq!(site.current(), first);
    assert!(answers(&site) && server.files().is_empty(), "{:?}", server.files());
    assert!(services(&site).iter().all(|service| service["release"] == first.as_str()));
    site.stop();
}

#[test]
fn a_port_and_a_master_stay_under_the_servers_supervisord() {
    let site = site();
    let server = Supervisord::start(site.directory());
    let steady = steady::Steady::new(&server.manager(), &format!("command: \"{}\"", gunicorn()));
    steady.hold_under_load(&site, "the server's supervisord");
    assert_eq!(server.files().len(), 3, "{:?}", server.files());
    site.stop();
}
