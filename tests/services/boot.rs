//! What starts the app when the machine does: each generated file, read by the program that it is for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use crate::cron::daemon::daemon;
use crate::support::wait_until;
use crate::support_proxies::{Site, all};

const LIMIT: Duration = Duration::from_secs(60);

fn deployed() -> Site {
    let site = Site::new();
    site.release(&["deploy", "main"]).exits(0);
    site
}

/// `program ARGUMENTS`; nothing if it is not installed here.
fn said(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{program}: {error}"),
    }
}

#[test]
fn the_servers_supervisord_starts_the_app_keeps_it_and_stops_it() {
    if !all() {
        return;
    }
    let site = deployed();
    site.stop();
    let server = Supervisord::start(&site);
    wait_until("the app answers", LIMIT, || site.answers());
    let private = site.root.join(".release/supervisor/supervisord.pid");
    let pid: i32 = fs::read_to_string(&private).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_until("another private supervisord runs", LIMIT, || {
        let now = fs::read_to_string(&private).ok().and_then(|text| text.trim().parse().ok());
        now.is_some_and(|now: i32| now != pid.as_raw_nonzero().get()) && site.answers()
    });
    server.control("stop");
    wait_until("the app has ended", LIMIT, || !site.runs());
    server.control("start");
    wait_until("the app answers again", LIMIT, || site.answers());
    // Ended by hand, it stays so.
    site.release(&["stop"]).exits(0);
    wait_until("supervisord knows", LIMIT, || server.control("status").contains("EXITED"));
    assert!(!site.runs());
}

/// The private supervisord's own program, run as the server's.
struct Supervisord<'a> {
    site: &'a Site,
    program: PathBuf,
    conf: PathBuf,
    _running: crate::support::Running,
}

impl<'a> Supervisord<'a> {
    fn start(site: &'a Site) -> Self {
        let tools = site.root.join("cache/tool");
        let installed = fs::read_dir(tools).into_iter().flatten();
        let program = installed
            .map(|entry| entry.unwrap().path().join("bin"))
            .find(|bin| bin.join("supervisord").exists())
            .unwrap_or_else(|| PathBuf::from("/usr/bin"));
        let (conf, at) = (site.directory().join("server.conf"), site.directory().display());
        let text = format!(
            "[supervisord]\nnodaemon=true\nlogfile={at}/server.log\npidfile={at}/server.pid\n\
             [unix_http_server]\nfile={at}/server.sock\n[supervisorctl]\nserverurl=unix://{at}/server.sock\n\
             [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
             [include]\nfiles={}\n",
            site.generate("supervisor").display()
        );
        fs::write(&conf, text).unwrap();
        let mut command = Command::new(program.join("supervisord"));
        command.arg("-c").arg(&conf);
        let running = site.run(command);
        Self { site, program, conf, _running: running }
    }

    fn control(&self, what: &str) -> String {
        let mut command = Command::new(self.program.join("supervisorctl"));
        command.arg("-c").arg(&self.conf).args([what, "proxied"]);
        self.site.run(command).finish().out
    }
}

#[test]
fn the_line_for_cron_starts_the_app_in_crons_bare_environment() {
    let site = deployed();
    site.stop();
    let crontab = fs::read_to_string(site.generate("cron")).unwrap();
    let line = crontab.lines().find_map(|line| line.strip_prefix("@reboot ")).unwrap();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", line])
        .env_clear()
        .env("HOME", "/")
        .env("SHELL", "/bin/sh")
        .env("PATH", "/usr/bin:/bin");
    let ended = site.run(shell).finish();
    let log = fs::read_to_string(site.root.join(".release/log/boot.log")).unwrap();
    ended.exits(0);
    assert!(site.answers(), "{log}");
    assert!(log.contains("is live"), "{log}");
    site.stop();
}

#[test]
fn cron_itself_starts_the_app_at_a_boot() {
    if !all() {
        return;
    }
    let site = deployed();
    site.stop();
    let (spool, crontab) = (site.directory().join("spool"), site.generate("cron"));
    fs::create_dir(&spool).unwrap();
    fs::copy(crontab, spool.join("root")).unwrap();
    // cron reads no crontab that others may write.
    fs::set_permissions(spool.join("root"), fs::Permissions::from_mode(0o600)).unwrap();
    let cron = site.run(daemon(site.directory()));
    wait_until("the app answers", LIMIT, || site.answers());
    // In cron's own process namespace, which ends with it.
    drop(cron);
    wait_until("all has ended", LIMIT, || !site.runs());
}

#[test]
fn systemd_and_logrotate_find_no_fault_in_their_files() {
    let site = Site::new();
    // The unit's name is its file's.
    let unit = site.directory().join("proxied.service");
    fs::copy(site.generate("systemd"), &unit).unwrap();
    if let Some(output) = said("systemd-analyze", &["verify", &unit.display().to_string()]) {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let ours: Vec<_> = text.lines().filter(|line| line.contains("proxied")).collect();
        assert!(output.status.success() && ours.is_empty(), "{text}");
    }
    let (file, state) = (site.generate("logrotate"), site.directory().join("logrotate.state"));
    fs::create_dir_all(site.root.join(".release/log")).unwrap();
    fs::write(site.root.join(".release/log/boot.log"), "told\n").unwrap();
    let words = ["--force", "--state", &state.display().to_string(), &file.display().to_string()];
    if let Some(output) = said("/usr/sbin/logrotate", &words) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rotated = fs::read_to_string(site.root.join(".release/log/boot.log.1")).unwrap();
        assert_eq!(rotated, "told\n");
    }
}

#[test]
fn before_the_first_deploy_the_files_are_those_of_the_branch() {
    let site = Site::new();
    let nginx = site.release(&["generate", "nginx", "--json"]).exits(0).json();
    assert_eq!(nginx["kind"], "nginx");
    let socket = site.root.join("current/run/web.sock").display().to_string();
    assert!(nginx["text"].as_str().unwrap().contains(&socket), "{nginx}");
    site.release(&["generate", "lighttpd"]).exits(2).says("possible values: nginx, caddy");
}
