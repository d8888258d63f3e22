//! Roots in a state that no command leaves, but that crashes, people and full disks do.

#[cfg(test)]
mod server;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use server::{Server, err, out};

const EXAMPLE: &str = "app: tiny\nkeep: 2\n";

#[test]
fn a_release_that_was_removed_by_hand_is_built_again() {
    let server = Server::new(EXAMPLE);
    let gone = server.deploy();
    fs::remove_dir_all(&gone).unwrap();
    let start = server.release(&["start"]);
    assert!(err(&start).contains("not on the disk any more"), "{start:?}");
    let made = server.deploy();
    assert_ne!(made, gone);
    assert!(made.join("REVISION").is_file());
}

#[test]
fn inside_of_a_release_its_root_is_meant() {
    let server = Server::new("app: tiny\nrepository: /srv/git/tiny.git\n");
    let release = server.deploy();
    for place in [release.clone(), release.join("run")] {
        let status = server.release_in(&place, &["status", "--json"]);
        let root = fs::canonicalize(server.root()).unwrap();
        assert!(out(&status).contains(&format!("\"root\":\"{}\"", root.display())), "{status:?}");
    }
    assert!(!release.join(".release").exists());
}

#[test]
fn an_interrupted_run_is_put_in_order_whatever_happened_to_its_files() {
    for spoil in [
        (|_: &Server, _: &Path| {}) as fn(&Server, &Path),
        |_, record| fs::write(record, "{").unwrap(),
        |_, record| fs::remove_file(record).unwrap(),
        |server, _| {
            fs::create_dir_all(server.root().join("shared")).unwrap();
            fs::write(server.root().join("shared/.env"), "no assignment\n").unwrap();
        },
    ] {
        for (mark, is_kept) in [("\"step\":\"activate\",\"mark\":\"succeeded\"", true), ("checkout", false)] {
            let server = Server::new(EXAMPLE);
            let before = server.deploy();
            server.commit("second", &[]);
            let new = server.deploy();
            server.cut_journal_before(mark);
            if !is_kept {
                fs::remove_file(server.root().join("current")).unwrap();
                symlink(&before, server.root().join("current")).unwrap();
            }
            let record = new.file_name().unwrap().to_str().unwrap();
            let record = server.root().join(format!(".release/releases/{record}.json"));
            spoil(&server, &record);
            let recover = server.release(&["recover"]);
            assert!(recover.status.success(), "{recover:?}");
            assert_eq!(
                fs::canonicalize(server.current()).unwrap(),
                fs::canonicalize(if is_kept { &new } else { &before }).unwrap()
            );
            assert!(is_kept || !new.join("REVISION").exists());
            assert_eq!(out(&server.release(&["recover"])), "nothing was interrupted\n");
        }
    }
}

#[test]
fn a_socket_that_a_crash_left_keeps_no_service_from_starting() {
    let server = Server::new(EXAMPLE);
    let release = server.deploy();
    let id = release.file_name().unwrap().to_str().unwrap();
    let record = server.root().join(format!(".release/releases/{id}.json"));
    let service = r#""services": [{"name": "web", "command": "test ! -e $SOCKET", "handover": "socket", "health": {}, "stop": {"signal": "TERM", "wait": "40s"}}]"#;
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace(r#""services": []"#, service)).unwrap();
    let socket = fs::canonicalize(&release).unwrap().join("run/web-g1.sock");
    let exec = || server.release(&["exec", "--release", id, "--service", "web", "--generation", "1"]).status;
    let listener = UnixListener::bind(&socket).unwrap();
    assert!(!exec().success(), "a socket in use is left alone");
    drop(listener);
    assert!(socket.exists());
    assert!(exec().success());
}

#[test]
fn nothing_that_others_wrote_commands_the_terminal() {
    let server = Server::new(EXAMPLE);
    server.commit("evil \u{1b}[2J\u{9b}31m subject", &[("\u{1b}[31mred", "")]);
    fs::create_dir_all(server.root().join("releases/\u{1b}]0;title\u{7}x\ny")).unwrap();
    for args in [&["plan"][..], &["deploy"], &["log"], &["deploy", "\u{1b}[31mx"]] {
        let output = server.release(args);
        let text = out(&output) + &err(&output);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn a_password_in_the_repositorys_address_is_shown_nowhere() {
    let server = Server::new(EXAMPLE);
    let origin = "repository: https://ana:hunter2@127.0.0.1:1/tiny.git\nbranch: main\n";
    fs::write(server.root().join("release.yml"), origin).unwrap();
    for args in [&["deploy"][..], &["deploy", "--json"], &["plan"], &["check"]] {
        let output = server.release(args);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(!(out(&output) + &err(&output)).contains("hunter2"), "{output:?}");
    }
}

#[test]
fn problems_of_the_configuration_are_told_once() {
    let server = Server::new("app: tiny\nkep: 2\n");
    let output = server.release(&["deploy"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(err(&output).matches("kep").count(), 1, "{}", err(&output));
}
