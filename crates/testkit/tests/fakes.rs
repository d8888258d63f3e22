//! The fakes behave like the machine where the tests of other crates rely on it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use release_core::command::{Command, Exit};
use release_core::config::Manager;
use release_core::host::{Clock, Files, Git, HostError, Processes, Services};
use release_core::service::{Program, Running};
use release_testkit::{Answer, Commit, FakeHost, Killed, Node, REVISION};

#[test]
fn links_are_followed_on_the_way_and_replaced_at_the_end() {
    let host = FakeHost::new();
    host.put_file("/srv/releases/a/app.py", "a");
    host.put_file("/srv/releases/b/app.py", "b");
    host.put_link("/srv/current", "releases/a");
    assert_eq!(host.text("/srv/current/app.py").as_deref(), Some("a"));
    assert_eq!(
        host.resolve(Path::new("/srv/current/app.py")).unwrap(),
        Some("/srv/releases/a/app.py".into())
    );
    host.replace_link(Path::new("/srv/current"), Path::new("releases/b")).unwrap();
    assert_eq!(host.text("/srv/current/app.py").as_deref(), Some("b"));
    assert!(host.replace_link(Path::new("/srv/releases"), Path::new("b")).is_err(), "a directory is no link");
    host.put_link("/srv/loop", "loop");
    assert_eq!(host.resolve(Path::new("/srv/loop")).unwrap(), None);
}

#[test]
fn trees_are_copied_renamed_and_removed_without_following_links() {
    let host = FakeHost::new();
    host.put_file("/a/dir/file", "text");
    host.put_link("/a/link", "/b");
    host.put_file("/b/kept", "");
    host.copy_tree(Path::new("/a"), Path::new("/c"), &|_| {}).unwrap();
    assert!(host.copy_tree(Path::new("/a"), Path::new("/c"), &|_| {}).is_err(), "it exists");
    host.rename(Path::new("/c"), Path::new("/new/d")).unwrap();
    assert_eq!(host.text("/new/d/dir/file").as_deref(), Some("text"));
    assert_eq!(host.node("/new/d/link"), Some(Node::Link("/b".into())));
    host.remove(Path::new("/a")).unwrap();
    host.remove(Path::new("/new/d/link")).unwrap();
    assert!(!host.exists("/a/dir/file"));
    assert!(host.exists("/b/kept"));
    assert_eq!(host.list(Path::new("/new/d")).unwrap(), [PathBuf::from("/new/d/dir")]);
}

#[test]
fn commands_are_recorded_and_answered_by_the_last_script_that_fits() {
    let host = FakeHost::new();
    host.on("npm", Answer::ok());
    host.on_call("npm run build", |host, command| {
        host.put_file(command.directory.join("dist/app.js"), "");
        Answer::code(3).says("one\ntwo")
    });
    let mut lines = Vec::new();
    let build = Command::new("/usr/bin/npm", "/app").args(["run", "build"]);
    let exit = host.run(&build, &mut |line| lines.push(line.to_owned())).unwrap();
    assert_eq!((exit, lines.join(",")), (Exit::Code(3), "one,two".to_owned()));
    assert!(host.exists("/app/dist/app.js"));
    assert_eq!(host.commands(), [build]);
    let unknown = host.run(&Command::new("yarn", "/app"), &mut |_| {});
    assert!(matches!(unknown, Err(HostError::Spawn { .. })));
}

#[test]
fn content_ids_tell_trees_apart_and_nothing_else() {
    let host = FakeHost::new();
    let other = "0".repeat(40);
    host.commit(Commit::new(REVISION).file("front/a.js", "1").file("app.py", "1"));
    host.commit(Commit::new(&other).file("front/a.js", "1").file("app.py", "2"));
    let id = |revision: &str, path: &str| {
        host.content_id(Path::new("/repo"), &revision.parse().unwrap(), path).unwrap()
    };
    assert_eq!(id(REVISION, "front"), id(&other, "front"));
    assert_ne!(id(REVISION, ""), id(&other, ""));
    assert_eq!(id(REVISION, "missing"), None);
    assert_eq!(host.names(Path::new("/repo"), &other.parse().unwrap(), "").unwrap(), ["app.py", "front"]);
    assert_eq!(host.find(Path::new("/repo"), "3f2c1a9").unwrap().as_str(), REVISION);
}

#[test]
fn it_fails_is_interrupted_and_dies_on_demand() {
    let host = FakeHost::new();
    host.fail_at("write", "journal");
    assert!(host.write(Path::new("/journal"), b"", 0o600).is_err());
    host.write(Path::new("/other"), b"", 0o600).unwrap();
    host.interrupt();
    assert!(matches!(host.pause(std::time::Duration::from_secs(2)), Err(HostError::Interrupted(_))));
    host.ignore_interruptions();
    host.pause(std::time::Duration::from_secs(2)).unwrap();
    assert_eq!(host.now().to_string(), "2026-11-20T10:15:04Z");
    host.die_at(host.effects().len());
    let death = catch_unwind(AssertUnwindSafe(|| host.remove(Path::new("/other")))).unwrap_err();
    assert!(death.is::<Killed>());
    assert!(host.exists("/other"));
}

#[test]
fn programs_run_until_they_are_stopped_or_fail() {
    let host = FakeHost::new();
    let program = Program {
        name: "web-20261120T101500Z-3f2c1a9-g1".to_owned(),
        command: vec!["gunicorn".to_owned()],
        directory: "/srv".into(),
        stop_signal: "TERM".to_owned(),
        stop_wait: std::time::Duration::from_secs(40),
        climb: Vec::new(),
        log: "/srv/log".into(),
        rotation: Default::default(),
        order: 1,
        restart: true,
        notifies: false,
        manager: Manager::Supervisord,
    };
    host.ensure_manager().unwrap();
    host.start(std::slice::from_ref(&program)).unwrap();
    let first = host.states().unwrap().remove(0);
    assert_eq!((first.state, first.pid), (Running::Running, Some(1001)));
    host.set_state(&program.name, Running::Failed);
    assert_eq!(host.states().unwrap()[0].pid, None);
    host.stop(std::slice::from_ref(&program.name)).unwrap();
    assert!(host.states().unwrap().is_empty());
}
