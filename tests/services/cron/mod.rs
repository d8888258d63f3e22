//! Entries of cron: real deploys, the real `crontab`, and lines run as cron runs them.

pub(crate) mod daemon;
mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use release_core::cron::Schedule;
use rustix::process::Signal;

use crate::support::wait_until;
use server::Server;

const LIMIT: Duration = Duration::from_secs(60);

/// What somebody wrote, with bytes that no line of ours has.
const MINE: &[u8] = b"# caf\xe9 \x01\tx\nMAILTO=\"\"\n\n17 3 * * * echo 100\\%\n";

const FIRST: &str = "  - {at: \"0 5 * * 0\", run: sh job.sh stay, name: stay}
  - {at: \"@daily\", run: sh job.sh move, name: move}
  - {at: \"0 6 * * *\", run: sh job.sh go, name: go}
";
const SECOND: &str = "  - {at: \"0 5 * * 0\", run: sh job.sh stays, name: stay}
  - {at: \"@weekly\", run: sh job.sh move, name: move}
  - {at: \"*/5 8-18 1,15 jan-jun mon\", run: sh job.sh come, name: come}
";

/// Nothing listens there, so the check after activate fails.
const BROKEN: &str = "verify: {url: \"http://127.0.0.1:9/\", timeout: 100ms}\n";

#[test]
fn the_crontab_has_the_lines_of_the_active_release_and_all_that_others_wrote() {
    let server = Server::new();
    server.set_crontab(MINE);
    server.commit(FIRST, "");
    server.release(&["deploy", "main"]).exits(0).says("added go, move, stay");
    let first = server.crontab();
    assert!(first.starts_with(MINE), "{}", String::from_utf8_lossy(&first));
    let old = ["stay", "move", "go"].map(|name| server.line(name));
    server.release(&["deploy", "--force", "--json"]).exits(0).says("the crontab has them");
    assert_eq!(server.crontab(), first);

    server.commit(SECOND, BROKEN);
    server.release(&["deploy", "main"]).exits(4);
    assert_eq!(server.crontab(), first, "a deploy that is taken back leaves no trace");

    server.commit(SECOND, "");
    server.release(&["plan"]).exits(0).says("add come, move to the crontab").says("old lines of go, move");
    server.release(&["deploy", "main"]).exits(0);
    let second = server.crontab();
    assert!(second.starts_with(MINE));
    assert!(server.line("move").starts_with("@weekly ") && server.line("come").starts_with("*/5 8-18 1,15 "));
    assert!(!String::from_utf8_lossy(&second).contains(" go "));

    // By a line that cron read before it changed, only what is as it was runs.
    for line in &old {
        server.run_line(line).exits(0);
    }
    let ran: Vec<_> = server.ran().into_iter().map(|words| words[0].clone()).collect();
    assert_eq!(ran, ["stays"]);

    server.release(&["rollback"]).exits(0);
    assert_eq!(server.crontab(), first);
    server.release(&["stop"]).exits(0).says("took its entries out of the crontab");
    assert_eq!(server.crontab(), MINE);
    // Of an app that is down nothing comes back with a deploy that fails.
    server.commit(SECOND, BROKEN);
    server.release(&["deploy", "main"]).exits(4);
    assert_eq!(server.crontab(), MINE);
    server.release(&["start"]).exits(0);
    assert_eq!(server.crontab(), first);
    server.commit("  []\n", "");
    server.release(&["deploy", "main"]).exits(0);
    assert_eq!(server.crontab(), MINE);
}

#[test]
fn a_line_runs_in_the_environment_of_the_release_that_is_active() {
    let server = Server::new();
    server.commit("  - {at: \"@daily\", run: sh job.sh $NAME, name: tell, env: {NAME: tom}}\n", "");
    server.release(&["deploy", "main"]).exits(0);
    let line = server.line("tell");
    let ended = server.run_line(&line).exits(0);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""), "cron would mail it");
    assert_eq!(server.ran(), [["tom", "1", &server.current(), "hello"]]);
    assert!(server.log("tell").contains("\n  told by tom\n"), "{}", server.log("tell"));
    server.release(&["cron", "run", "tell"]).exits(0).says("told by tom");
    let facts = server.release(&["cron", "--json"]).exits(0).json();
    let entry = &facts["entries"][0];
    assert_eq!((&entry["state"], &entry["exit_code"]), (&"done".into(), &0.into()), "{facts}");
    assert_eq!(entry["installed"], true);
    let next: Timestamp = entry["next_at"].as_str().unwrap().parse().unwrap();
    assert!(next > Timestamp::now());
    server.release(&["cron", "run", "nobody"]).exits(2).says("it has tell");
    server.set_crontab(b"");
    server.release(&["cron"]).exits(0).says("the crontab does not have it");
    server.release(&["deploy", "main"]).exits(0).says("put its entries of cron back");
    assert_eq!(server.line("tell"), line);
}

#[test]
fn an_entry_that_fails_says_so_to_cron_and_to_who_looks() {
    let server = Server::new();
    let cron = "  - {at: \"@daily\", run: sh job.sh fail, name: fail}\n  - {at: \"@daily\", run: sh $NOWHERE, name: typo}\n";
    server.commit(cron, "");
    server.release(&["deploy", "main"]).exits(0);
    server.release(&["cron"]).exits(0).says("has not run yet");
    let ended = server.run_line(&server.line("fail")).exits(3).says("told by fail").says("exit code 7");
    assert!(!ended.err.contains("hunter2") && ended.err.contains("[redacted]"), "{ended}");
    server.run_line(&server.line("typo")).exits(2).says("uses $NOWHERE, which is not set");
    let status = server.release(&["status"]).exits(0).says("(exit code 7); `release cron --root");
    assert!(status.out.contains("cron      typo failed at "), "{status}");
    let listed = server.release(&["cron"]).exits(0).says("| told by fail").says("$NOWHERE");
    assert!(!listed.out.contains("hunter2"), "{listed}");
    server.release(&["cron", "log", "fail"]).exits(0).says("ended: exit code 7");
    server.release(&["cron", "log", "nobody"]).exits(2);
}

const WAIT: &str = "  - {at: \"* * * * *\", run: sh job.sh wait, name: wait}\n";

#[test]
fn an_entry_that_still_runs_is_skipped_even_when_release_was_killed() {
    let server = Server::new();
    server.commit(WAIT, "");
    server.release(&["deploy", "main"]).exits(0);
    server.hold();
    let line = server.line("wait");
    let running = server.start_line(&line);
    wait_until("it runs", LIMIT, || server.ran().len() == 1);
    server.run_line(&line).exits(0);
    assert!(server.log("wait").contains("skipped: `wait` still runs since"), "{}", server.log("wait"));
    server.release(&["cron", "run", "wait"]).exits(6).says("still runs since");
    server.release(&["stop"]).exits(0).says("the entry wait of cron still runs");
    server.release(&["start"]).exits(0);
    for process in server.processes(" cron run wait") {
        process.kill();
    }
    assert_ne!(running.finish().code(), Some(0));
    wait_until("the command is alone", LIMIT, || server.processes(" cron run wait").is_empty());
    server.release(&["cron", "run", "wait"]).exits(6);
    assert_eq!(server.ran().len(), 1, "it never ran twice at once");
    server.let_go();
    wait_until("it has ended", LIMIT, || server.processes("job.sh wait").is_empty());
    server.release(&["cron"]).exits(0).says("was cut off");
    server.release(&["cron", "run", "wait"]).exits(0);
    assert_eq!(server.ran().len(), 2);
}

#[test]
fn a_run_keeps_its_release_whatever_is_deployed_meanwhile() {
    let server = Server::new();
    server.commit(WAIT, "");
    server.release(&["deploy", "main"]).exits(0);
    let first = server.current();
    server.hold();
    let running = server.start_line(&server.line("wait"));
    wait_until("it runs", LIMIT, || server.ran().len() == 1);
    for _ in 0..3 {
        server.commit(WAIT, "");
        server.release(&["deploy", "main"]).exits(0);
    }
    assert!(fs::metadata(&first).unwrap().is_dir(), "its release was pruned");
    server.let_go();
    running.finish().exits(0);
    assert!(server.log("wait").contains("\n  over\n"));
    server.release(&["cron", "run", "wait"]).exits(0);
    assert_eq!(server.ran()[1][2], server.current());
    server.release(&["deploy", "--force"]).exits(0);
    assert!(fs::metadata(&first).is_err(), "nobody uses it any more");
}

#[test]
fn the_line_of_two_crontabs_runs_once_a_minute() {
    let server = Server::new();
    server.commit("  - {at: \"* * * * *\", run: sh job.sh once, name: once}\n", "");
    server.release(&["deploy", "main"]).exits(0);
    let line = server.line("once");
    let minute = || Timestamp::now().as_second() / 60;
    // The minute may change meanwhile; then it is tried again.
    let ran_within_one = || {
        let (before, count) = (minute(), server.ran().len());
        for _ in 0..2 {
            server.run_line(&line).exits(0);
        }
        (minute() == before).then(|| server.ran().len() - count)
    };
    let first = ran_within_one().or_else(ran_within_one).unwrap();
    assert!(first <= 1, "it ran twice in one minute");
    assert!(server.log("once").contains("skipped: another crontab began it in this minute"));
    server.release(&["cron", "run", "once"]).exits(0);
}

#[test]
fn whatever_is_killed_at_the_crontab_is_put_in_order() {
    let server = Server::new();
    server.set_crontab(MINE);
    server.commit(FIRST, "");
    server.release(&["deploy", "main"]).exits(0);
    let first = server.crontab();
    server.commit(SECOND, "");
    for when in ["before", "after"] {
        server.kill_at_crontab(when, &["deploy", "main"]);
        assert_eq!(server.crontab() == first, when == "before");
        server.release(&["recover"]).exits(0);
        assert_eq!(server.crontab(), first, "killed {when} it was written");
    }
    // Taking back is killed, too: at its own write.
    server.commit(SECOND, BROKEN);
    server.kill_at_crontab("after", &["deploy", "main"]);
    server.kill_at_crontab("after", &["recover"]);
    server.release(&["recover"]).exits(0);
    assert_eq!(server.crontab(), first);
    server.release(&["rollback"]).exits(2);
}

#[test]
fn an_entry_runs_as_another_user_who_holds_its_lock() {
    if !rustix::process::geteuid().is_root() {
        println!("NOT TESTED: only root may become somebody else");
        return;
    }
    let server = Server::new();
    let run = "sh -c \"echo $$(id -un) $$(id -Gn) $HOME $USER $DB_PASSWORD; sh job.sh wait\"";
    server.commit(&format!("  - at: \"@daily\"\n    name: wait\n    user: nobody\n    run: {run}\n"), "");
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(&server.at(""), 0o700);
    server.release(&["deploy", "main"]).exits(3).says("the user `nobody` may not enter");
    open(&server.at(""), 0o755);
    server.release(&["deploy", "main"]).exits(0);
    fs::write(server.root.join("shared/ran"), "").unwrap();
    open(&server.root.join("shared/ran"), 0o666);
    server.hold();
    let running = server.start_line(&server.line("wait"));
    wait_until("it runs", LIMIT, || server.ran().len() == 1);
    server.release(&["cron", "run", "wait"]).exits(6).says("still runs since");
    server.let_go();
    running.finish().exits(0);
    let log = server.log("wait");
    assert!(log.contains("\n  nobody nogroup /nonexistent nobody [redacted]\n"), "{log}");
    let unknown = "  - {at: \"@daily\", name: who, user: no-such-user, run: \"true\"}\n";
    server.commit(unknown, "");
    server
        .release(&["check"])
        .exits(3)
        .says("cron.who.user: there is no user `no-such-user`")
        .says("useradd");
}

#[test]
fn without_cron_a_deploy_is_refused_before_it_begins() {
    let server = Server::new();
    server.commit(FIRST, "");
    let refused = server.release_without_cron(&["deploy", "main"]).exits(3);
    assert!(refused.err.contains("the program `crontab` is not installed"), "{refused}");
    server.release_without_cron(&["check"]).exits(3).says("apt-get install cron");
    server.set_crontab(b"# windows\r\n");
    let refused = server.release(&["deploy", "main"]).exits(3).says("end with a carriage return");
    let cure = refused.err.split('`').find(|text| text.contains("sed")).unwrap();
    assert!(server.inside(&["sh", "-c", cure]).status().unwrap().success());
    assert_eq!(server.crontab(), b"# windows\n");
    server.commit("  - {at: \"@daily\", run: \"a && b\"}\n", "");
    server.release(&["deploy", "main"]).exits(3).says("cron entry a: its command uses `&&`");
    server.commit("  []\n", "");
    server.release_without_cron(&["deploy", "main"]).exits(0);
}

#[test]
fn two_roots_of_one_user_do_not_lose_each_others_lines() {
    let (one, other) = (Server::new(), Server::new());
    // Both in the crontab of `one`, by the same program `crontab`: that is what they hold a lock on.
    for part in ["spool", "shim"] {
        fs::remove_dir_all(other.at(part)).unwrap();
        std::os::unix::fs::symlink(one.at(part), other.at(part)).unwrap();
    }
    for server in [&one, &other] {
        server.commit(FIRST, "");
    }
    for _ in 0..3 {
        let both = [&one, &other].map(|server| server.start(&["deploy", "--force"]));
        for running in both {
            running.finish().exits(0);
        }
        let crontab = String::from_utf8(one.crontab()).unwrap();
        assert_eq!(crontab.matches(" cron run ").count(), 6, "{crontab}");
        for server in [&one, &other] {
            server.release(&["stop"]).exits(0);
        }
        assert_eq!(one.crontab(), b"");
    }
}

#[test]
fn a_schedule_that_we_take_is_one_that_crontab_takes() {
    let server = Server::new();
    for at in [
        "0 5 * * 0",
        "*/5 8-18/2 1,15 jan-jun mon",
        "59 23 31 12 7",
        "0 0 29 feb *",
        "1-5/2,7 * * * sun-tue",
        "@hourly",
        "@daily",
        "@midnight",
        "@weekly",
        "@monthly",
        "@yearly",
        "@annually",
        "0 0 */2 * FRI",
    ] {
        Schedule::parse(at).unwrap();
        server.set_crontab(format!("{at} true\n").as_bytes());
    }
}

#[test]
fn signals_end_a_run_by_hand_and_its_command() {
    let server = Server::new();
    server.commit(WAIT, "");
    server.release(&["deploy", "main"]).exits(0);
    server.hold();
    let mut command = server.inside(&[env!("CARGO_BIN_EXE_release"), "cron", "run", "wait"]);
    command.env("RELEASE_ROOT", &server.root);
    let running = server.run(command);
    wait_until("it runs", LIMIT, || server.ran().len() == 1);
    running.signal_group(Signal::INT);
    running.finish().exits(3).says("interrupted");
    wait_until("its command has ended", LIMIT, || server.processes("job.sh").is_empty());
    server.release(&["cron"]).exits(0).says("interrupted by SIGINT");
}
