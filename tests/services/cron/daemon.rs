//! One true run by a real cron daemon; it takes up to two minutes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::server::Server;
use crate::support::wait_until;

/// cron in namespaces of its own: with the crontabs in `spool` of `directory`, and without the machine's jobs.
/// It begins as at a boot.
pub(crate) fn daemon(directory: &Path) -> Command {
    let script = "mount --bind \"$0/spool\" /var/spool/cron/crontabs && mount --bind \"$0/none\" /etc/cron.d && \
         mount --bind \"$0/none.crontab\" /etc/crontab && mount -t tmpfs none /run && exec cron -f";
    assert!(rustix::process::geteuid().is_root(), "only root may start a cron daemon: run this as root");
    fs::create_dir_all(directory.join("none")).unwrap();
    fs::write(directory.join("none.crontab"), "").unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script])
        .arg(directory)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

#[test]
fn cron_itself_runs_the_entry_of_the_active_release() {
    if std::env::var_os("RELEASE_TEST_ALL").is_none() {
        return;
    }
    let server = Server::new();
    let entry = |name: &str| format!("  - {{at: \"* * * * *\", run: sh job.sh {name}, name: {name}}}\n");
    server.commit(&entry("first"), "");
    server.release(&["deploy", "main"]).exits(0);
    let _daemon = server.run(daemon(&server.at("")));
    let ran = |name: &str| server.ran().iter().any(|words| words[0] == name);
    wait_until("cron runs the entry", Duration::from_secs(130), || ran("first"));
    server.commit(&entry("second"), "");
    server.release(&["deploy", "main"]).exits(0);
    let before = server.ran().len();
    wait_until("cron runs the entry of the next release", Duration::from_secs(130), || ran("second"));
    let all = server.ran();
    assert!(all[before..].iter().all(|words| words[0] == "second"), "{all:?}");
    assert_eq!(all.last().unwrap()[1..], ["2".to_owned(), server.current(), "hello".to_owned()]);
}

/// In a process namespace of its own: whatever runs on the machine of the test.
#[test]
fn check_sees_whether_a_daemon_runs() {
    let server = Server::new();
    server.commit("  - {at: \"@daily\", run: sh job.sh first, name: first}\n", "");
    let check = |before: &str| {
        let script = format!("{before}exec \"$0\" check");
        let release = env!("CARGO_BIN_EXE_release");
        let mut command =
            server.inside(&["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", &script, release]);
        command.env("RELEASE_ROOT", &server.root);
        server.run(command).finish()
    };
    check("").exits(3).says("no cron daemon runs").says("sudo service cron start");
    let other = server.at("other");
    fs::create_dir_all(&other).unwrap();
    fs::copy("/bin/sleep", other.join("crond")).unwrap();
    let started = format!("{}/crond 60 & ", other.display());
    let seen = check(&started);
    assert!(!seen.out.contains("no cron daemon runs"), "{seen}");
}
