use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;

use release_core::command::Share;
use release_core::host::HostError;
use tempfile::TempDir;

use super::*;
use crate::testing;

/// A shell command in the host's root, with ten seconds' time.
fn sh(root: &TempDir, script: &str) -> Command {
    Command::new("sh", root.path()).args(["-c", script]).limit(Duration::from_secs(10))
}

fn run(host: &UnixHost, command: &Command) -> (HostResult<Exit>, Vec<String>) {
    let mut lines = Vec::new();
    let exit = host.run(command, &mut |line| lines.push(line.to_owned()));
    (exit, lines)
}

fn wait_for(what: &str, ready: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !ready() {
        assert!(Instant::now() < end, "no sign of {what}");
        thread::sleep(POLL);
    }
}

/// Dead or about to be collected: a zombie has no environment and no memory.
fn is_gone(pid: &str) -> bool {
    fs::read(format!("/proc/{}/cmdline", pid.trim())).map_or(true, |words| words.is_empty())
}

#[test]
fn output_and_errors_come_in_the_order_in_which_they_were_printed() {
    let (root, host) = testing::host();
    let command = sh(&root, "for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf last; exit 7");
    let (exit, lines) = run(&host, &command);
    assert_eq!(exit.unwrap(), Exit::Code(7));
    assert_eq!(lines, ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3", "last"]);
}

#[test]
fn much_output_is_read_to_its_end() {
    let (root, host) = testing::host();
    let (exit, lines) = run(&host, &sh(&root, "seq 1 100000"));
    assert!(exit.unwrap().success());
    assert_eq!((lines.len(), lines[99_999].as_str()), (100_000, "100000"));
}

#[test]
fn a_command_has_nothing_to_read() {
    let (root, host) = testing::host();
    assert_eq!(run(&host, &sh(&root, "cat; echo done")).1, ["done"]);
}

#[test]
fn a_signal_is_told_as_one() {
    let (root, host) = testing::host();
    assert_eq!(run(&host, &sh(&root, "kill -9 $$")).0.unwrap(), Exit::Signal(9));
}

#[test]
fn an_isolated_command_sees_only_its_own_variables_and_the_run() {
    let (root, mut host) = testing::host();
    host.begin(RunId("r-1".to_owned()));
    let command = Command::new("/usr/bin/env", root.path()).isolated().var("TOKEN", "hunter2");
    let mut lines = run(&host, &command).1;
    lines.sort();
    assert_eq!(lines, ["RELEASE_RUN=r-1", "TOKEN=hunter2"]);
}

#[test]
fn the_callers_variables_are_inherited_but_for_those_of_git() {
    let (root, _) = testing::host();
    let command = sh(&root, "true").var("EXTRA", "1");
    let prepared = crate::process::prepare(&command, None);
    let set: Vec<_> = prepared.as_std().get_envs().collect();
    assert!(set.contains(&(OsStr::new("EXTRA"), Some(OsStr::new("1")))));
    let of_git = std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"GIT_"));
    for (name, _) in of_git {
        assert!(set.contains(&(name.as_os_str(), None)), "{name:?} is removed");
    }
    assert!(set.iter().all(|(name, value)| value.is_some() || name.as_bytes().starts_with(b"GIT_")));
}

#[test]
fn a_program_or_a_directory_that_is_not_there_is_named() {
    let (root, host) = testing::host();
    let error = run(&host, &Command::new("no-such-program", root.path())).0.unwrap_err();
    assert_eq!(error.to_string(), "cannot start `no-such-program`");
    assert!(error.help().unwrap().contains("command -v no-such-program"));
    let absent = root.path().join("absent");
    let error = run(&host, &Command::new("true", &absent)).0.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot enter the directory {}", absent.display()));
}

#[test]
fn the_limit_ends_the_whole_group() {
    let (root, host) = testing::host();
    let command = sh(&root, "sleep 60 & echo $!; echo $$; wait").limit(Duration::from_millis(300));
    let (exit, pids) = run(&host, &command);
    let error = exit.unwrap_err();
    assert!(matches!(&error, HostError::TimedOut { what, .. } if what.starts_with("`sh -c")), "{error}");
    assert_eq!(pids.len(), 2);
    wait_for("the end of the group", || pids.iter().all(|pid| is_gone(pid)));
}

#[test]
fn what_does_not_listen_to_term_is_killed() {
    let (root, host) = testing::host();
    let script = "trap '' TERM; echo $$; while :; do sleep 1; done";
    let begun = Instant::now();
    let (exit, pids) = run(&host, &sh(&root, script).limit(Duration::from_millis(300)));
    assert!(matches!(exit, Err(HostError::TimedOut { .. })));
    assert!(begun.elapsed() >= Duration::from_secs(5), "it had its five seconds");
    wait_for("the end of the group", || is_gone(&pids[0]));
}

#[test]
fn the_last_words_after_an_interruption_are_heard() {
    let (root, host, signals) = testing::interruptible_host();
    let script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let mut lines = Vec::new();
    let exit = host.run(&sh(&root, script), &mut |line| {
        lines.push(line.to_owned());
        signals.send_replace(Some("SIGTERM"));
    });
    assert!(matches!(exit, Err(HostError::Interrupted(name)) if name == "SIGTERM"));
    assert_eq!(lines.last().map(String::as_str), Some("bye"), "{lines:?}");
}

#[test]
fn nothing_is_started_once_the_run_is_interrupted() {
    let (root, host, signals) = testing::interruptible_host();
    signals.send_replace(Some("SIGINT"));
    assert!(run(&host, &sh(&root, "touch started")).0.is_err());
    assert!(!root.path().join("started").exists());
    host.interruption.ignore();
    assert!(run(&host, &sh(&root, "touch started")).0.unwrap().success());
}

#[test]
fn what_a_command_leaves_behind_does_not_hold_us_up_and_can_be_ended() {
    let (root, mut host) = testing::host();
    let id = RunId(format!("left-behind-{}", std::process::id()));
    host.begin(id.clone());
    let begun = Instant::now();
    let (exit, lines) = run(&host, &sh(&root, "(trap '' HUP; sleep 60) & echo started"));
    assert!(exit.unwrap().success());
    assert_eq!(lines, ["started"]);
    assert!(begun.elapsed() < Duration::from_secs(8), "it does not wait for the sleep");

    let left = left_behind(&id).unwrap();
    assert!(!left.is_empty());
    assert_eq!(host.end_left_behind(&id).unwrap(), left.len());
    assert!(left_behind(&id).unwrap().is_empty());
    assert_eq!(host.end_left_behind(&id).unwrap(), 0, "twice is once");
}

#[test]
fn a_panicking_listener_leaves_no_process() {
    let (root, host) = testing::host();
    let (sender, pids) = mpsc::channel();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        host.run(&sh(&root, "echo $$; exec sleep 60"), &mut |line| {
            sender.send(line.to_owned()).unwrap();
            std::panic::resume_unwind(Box::new("no more"));
        })
    }));
    assert!(result.is_err());
    let pid = pids.recv().unwrap();
    wait_for("the end of the process", || is_gone(&pid));
}

#[test]
fn two_commands_run_side_by_side() {
    let (root, host) = testing::host();
    // Each waits for the other's file.
    let script =
        |mine: &str, theirs: &str| format!("touch {mine}; until [ -e {theirs} ]; do sleep 0.02; done");
    thread::scope(|scope| {
        let one = scope.spawn(|| run(&host, &sh(&root, &script("a", "b"))).0.unwrap());
        let other = scope.spawn(|| run(&host, &sh(&root, &script("b", "a"))).0.unwrap());
        assert!(one.join().unwrap().success() && other.join().unwrap().success());
    });
}

#[test]
fn a_program_is_found_where_path_says_if_it_can_be_executed() {
    let (root, host) = testing::host();
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    for (directory, mode) in [(&first, 0o644), (&second, 0o755)] {
        fs::create_dir(directory).unwrap();
        fs::write(directory.join("tool"), "").unwrap();
        fs::set_permissions(directory.join("tool"), fs::Permissions::from_mode(mode)).unwrap();
    }
    let path = std::env::join_paths([&first, &second]).unwrap();
    assert_eq!(find_in("tool", &path), Some(second.join("tool")));
    assert_eq!(find_in("first", OsStr::from_bytes(root.path().as_os_str().as_bytes())), None, "a directory");
    assert_eq!(find_in(first.join("tool").to_str().unwrap(), &path), None);
    assert!(host.find_program("sh").is_some());
    assert_eq!(host.find_program("no-such-program"), None);
}

#[test]
fn a_process_uses_the_directory_that_it_works_in_or_maps_a_file_of() {
    let (root, host) = testing::host();
    let (used, other) = (root.path().join("used"), root.path().join("used-not"));
    fs::create_dir_all(&used).unwrap();
    fs::create_dir_all(&other).unwrap();
    fs::copy(host.find_program("sleep").unwrap(), used.join("sleeper")).unwrap();
    let mut working = std::process::Command::new("sleep").arg("60").current_dir(&used).spawn().unwrap();
    let mut running = std::process::Command::new(used.join("sleeper")).arg("60").spawn().unwrap();
    let mut expected = vec![working.id(), running.id()];
    expected.sort_unstable();
    let found = host.using(&used).unwrap();
    let not_found = host.using(&other).unwrap();
    fs::remove_dir_all(&used).unwrap();
    let deleted = host.using(&used).unwrap();
    for child in [&mut working, &mut running] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(found, expected);
    assert!(not_found.is_empty());
    assert_eq!(deleted, expected, "what is deleted may still be in use");
    assert!(host.using(&used).unwrap().is_empty());
}

#[test]
fn a_run_is_known_by_its_whole_name() {
    let run = RunId("r-1".to_owned());
    assert!(names_run(b"A=1\0RELEASE_RUN=r-1\0", &run));
    for other in [&b"A=1\0RELEASE_RUN=r-12\0"[..], b"XRELEASE_RUN=r-1\0", b"A=RELEASE_RUN=r-1\0", b""] {
        assert!(!names_run(other, &run));
    }
}

#[test]
fn a_process_uses_the_file_that_it_has_open_and_the_environment_that_its_variables_name() {
    let (root, host) = testing::host();
    let (release, venv) = (root.path().join("release"), root.path().join("cache"));
    for directory in [&release, &venv] {
        fs::create_dir(directory).unwrap();
    }
    fs::write(release.join("db"), "").unwrap();
    std::os::unix::fs::symlink(&venv, root.path().join("venv")).unwrap();
    let input = fs::File::open(release.join("db")).unwrap();
    let mut child = std::process::Command::new("sleep")
        .args(["60"])
        .current_dir("/")
        .stdin(input)
        .env("VIRTUAL_ENV", root.path().join("venv"))
        .spawn()
        .unwrap();
    let found = [&release, &venv].map(|directory| host.using(directory).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(found, [vec![child.id()], vec![child.id()]]);
}

#[test]
fn a_programs_family_is_found_by_its_parents_and_by_its_name() {
    let (root, host) = testing::host();
    let release = root.path().join("release");
    fs::create_dir(&release).unwrap();
    let started = |script: &str, program: &str| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).current_dir(&release);
        command.env("RELEASE_ROOT", root.path()).env("RELEASE_PROGRAM", program).spawn().unwrap()
    };
    let mut master = started("cd /; env -i sleep 60 & wait", "web-other");
    let mut named = started("exec sleep 60", "web-1");
    let child = || {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", master.id())).unwrap();
        children.trim().parse::<u32>().ok()
    };
    wait_for("the master's child", || child().is_some());
    let worker = child().unwrap();
    wait_for("its own program", || fs::read_link(of(worker, "exe")).is_ok_and(|exe| exe.ends_with("sleep")));
    let family = host.family("web-1", Some(master.id())).unwrap();
    let alone = host.family("web-2", None).unwrap();
    kill_process(Pid::from_raw(worker.cast_signed()).unwrap(), Signal::KILL).unwrap();
    for process in [&mut master, &mut named] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let mut expected = vec![master.id(), worker, named.id()];
    expected.sort_unstable();
    assert_eq!(family.iter().map(|process| process.pid).collect::<Vec<_>>(), expected);
    let works = |pid: u32, directory: &Path| {
        let process = family.iter().find(|process| process.pid == pid).unwrap();
        process.files.as_ref().unwrap()[1] == directory
    };
    assert!(works(master.id(), Path::new("/")) && works(named.id(), &fs::canonicalize(&release).unwrap()));
    assert_eq!(alone, []);
}

#[test]
fn what_was_told_once_is_not_asked_again_but_a_failure_is() {
    let (root, host) = testing::host();
    let counts = |name: &str, code: i32| sh(&root, &format!("echo x >> {name}; wc -l < {name}; exit {code}"));
    for _ in 0..2 {
        let (exit, lines) = host.inquire(&counts("told", 0)).unwrap();
        assert_eq!((exit, lines[0].trim()), (Exit::Code(0), "1"));
    }
    host.inquire(&counts("failed", 1)).unwrap();
    let (exit, lines) = host.inquire(&counts("failed", 1)).unwrap();
    assert_eq!((exit, lines[0].trim()), (Exit::Code(1), "2"));
}

#[test]
fn a_program_is_asked_for_its_version_again_when_its_file_is_another() {
    let (root, host) = testing::host();
    let program = root.path().join("git");
    let git = host.find_program("git").unwrap();
    fs::copy(&git, &program).unwrap();
    let asked = Command::new(&program, root.path()).args(["--version"]);
    let told = |host: &UnixHost| host.inquire(&asked).unwrap().1;
    let fresh = || UnixHost::new(host.layout.clone()).unwrap();
    let place = host.layout.versions();
    let version = told(&fresh());
    assert!(version[0].starts_with("git version") && !place.exists(), "a root that is none stays as it is");
    fs::create_dir_all(host.layout.state()).unwrap();
    told(&fresh());
    let remembered = fs::read_to_string(&place).unwrap();
    fs::write(&place, remembered.replace("git version", "remembered")).unwrap();
    assert!(told(&fresh())[0].starts_with("remembered"));
    fs::copy(&git, &program).unwrap();
    assert_eq!(told(&fresh()), version);
    fs::write(&place, "{").unwrap();
    assert_eq!(told(&fresh()), version);
}

#[test]
fn what_a_script_says_of_its_version_is_not_remembered() {
    let (root, host) = testing::host();
    fs::create_dir_all(host.layout.state()).unwrap();
    let program = root.path().join("node");
    for version in ["v20", "v22"] {
        fs::write(&program, format!("#!/bin/sh\necho {version}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let host = UnixHost::new(host.layout.clone()).unwrap();
        let asked = Command::new(&program, root.path()).args(["--version"]);
        assert_eq!(host.inquire(&asked).unwrap().1, [version]);
    }
}

#[test]
fn children_are_those_of_the_process_itself() {
    let (root, host) = testing::host();
    let script = "sleep 60 & sh -c 'sleep 60 & wait' & wait";
    let mut master =
        std::process::Command::new("sh").args(["-c", script]).current_dir(root.path()).spawn().unwrap();
    wait_for("two children and a grandchild", || {
        let children = host.children(master.id()).unwrap();
        children.len() == 2 && children.iter().any(|child| host.children(*child).unwrap().len() == 1)
    });
    let children = host.children(master.id()).unwrap();
    let all: Vec<u32> =
        children.iter().flat_map(|child| host.children(*child).unwrap()).chain(children.clone()).collect();
    signal(&all, Signal::KILL);
    master.kill().unwrap();
    master.wait().unwrap();
    assert_eq!(host.children(master.id()).unwrap(), [0; 0]);
}

#[test]
fn a_command_stands_back_and_gets_no_more_memory_than_its_share() {
    let (root, host) = testing::host();
    let share = Share { nice: Some(7), memory: Some(256 << 20) };
    let (exit, lines) = run(&host, &sh(&root, "nice").share(share));
    assert_eq!((exit.unwrap(), lines), (Exit::Code(0), vec!["7".to_owned()]));
    let greedy = |bytes: u64| {
        let code = format!("x = bytearray({bytes}); print(len(x))");
        Command::new("python3", root.path()).args(["-I", "-c", &code]).share(share)
    };
    assert_eq!(run(&host, &greedy(1 << 20)).0.unwrap(), Exit::Code(0));
    let (exit, lines) = run(&host, &greedy(512 << 20));
    assert_eq!((exit.unwrap(), lines.last().unwrap().as_str()), (Exit::Code(1), "MemoryError"));
}
