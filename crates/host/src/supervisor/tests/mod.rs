//! A real supervisord with real programs.

mod ladder;
mod shop;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

use release_core::host::{Files, Processes, Services};
use release_core::service::Running;

use super::*;
use shop::{Shop, is_alive, until};

#[test]
fn programs_come_and_go_one_by_one() {
    let shop = Shop::new();
    assert_eq!(shop.host.states().unwrap(), []);
    shop.start(&[shop.sleeper("web-1"), shop.sleeper("worker-1")]);
    let (web, worker) = (shop.pid("web-1"), shop.pid("worker-1"));
    until("web runs", || shop.state("web-1").unwrap().state == Running::Running);
    shop.start(&[shop.sleeper("web-1"), shop.sleeper("web-2")]);
    assert_eq!(shop.pid("web-1"), web);
    shop.stop("web-1");
    assert!(!is_alive(web) && shop.state("web-1").is_none() && !shop.conf("web-1").exists());
    assert_eq!(shop.pid("worker-1"), worker);
    shop.stop("web-1");
    assert_eq!(shop.host.list(&shop.layout.supervisor_programs()).unwrap().len(), 2);
}

#[test]
fn nothing_runs_when_there_is_no_supervisord() {
    let shop = Shop::new();
    shop.stop("web-1");
    shop.host.stop_manager(&|_| Ok(())).unwrap();
    shop.host.write_programs(&[shop.sleeper("web-1")]).unwrap();
    shop.stop("web-1");
    assert!(!shop.conf("web-1").exists() && !shop.layout.supervisor_socket().exists());
}

#[test]
fn a_program_gets_its_own_signal() {
    let shop = Shop::new();
    let script = "trap 'echo warm; exit 0' INT; echo ready; while :; do sleep 0.05; done";
    let worker = Program { stop_signal: "INT".to_owned(), ..shop.program("worker-1", &["sh", "-c", script]) };
    shop.start(&[worker]);
    until("the trap is set", || shop.log("worker-1").contains("ready"));
    shop.stop("worker-1");
    assert!(shop.log("worker-1").ends_with("warm\n"), "{}", shop.log("worker-1"));
}

#[test]
fn who_does_not_end_in_time_is_killed_with_its_children() {
    let shop = Shop::new();
    let script = "trap '' TERM; sleep 1000 & echo $!; wait; wait";
    let wait = Duration::from_secs(1);
    let stubborn = |name| Program { stop_wait: wait, ..shop.program(name, &["sh", "-c", script]) };
    shop.start(&[stubborn("a-1"), stubborn("b-1")]);
    until("both are ready", || ["a-1", "b-1"].iter().all(|name| shop.log(name).contains('\n')));
    let parents = ["a-1", "b-1"].map(|name| shop.pid(name));
    let started = Instant::now();
    shop.host.stop(&["a-1", "b-1"].map(str::to_owned)).unwrap();
    assert!(started.elapsed() >= wait);
    for pid in ["a-1", "b-1"].map(|name| shop.log(name).trim().parse().unwrap()).into_iter().chain(parents) {
        until("the whole group is dead", || !is_alive(pid));
    }
}

#[test]
fn what_a_killed_program_left_behind_ends_with_it() {
    let shop = Shop::new();
    let root = format!("RELEASE_ROOT={}", shop.layout.root().display());
    let name = format!("{}=web-1", Program::VARIABLE);
    let script = "sleep 1000 & echo $!; wait";
    let master = shop.program("web-1", &["env", &root, &name, "sh", "-c", script]);
    shop.start(&[Program { restart: false, ..master }]);
    until("it has a worker", || shop.log("web-1").contains('\n'));
    let worker: u32 = shop.log("web-1").trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(shop.pid("web-1").cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let is_another = |now: u32| now != pid.as_raw_nonzero().get().cast_unsigned();
    until("another master is there", || shop.state("web-1").unwrap().pid.is_some_and(is_another));
    assert!(is_alive(worker));
    shop.stop("web-1");
    assert!(!is_alive(worker));
}

#[test]
fn a_program_that_is_known_but_does_not_run_is_started_as_it_is_now_described() {
    let shop = Shop::new();
    let job = Program { restart: false, ..shop.program("job-1", &["sh", "-c", "echo once"]) };
    shop.start(std::slice::from_ref(&job));
    until("the job ran", || shop.log("job-1") == "once\n");
    until("the job is done", || shop.state("job-1").unwrap().state == Running::Stopped);
    shop.start(&[Program { command: ["sh", "-c", "echo again"].map(str::to_owned).into(), ..job }]);
    until("it ran again", || shop.log("job-1") == "once\nagain\n");
}

#[test]
fn a_command_that_is_not_there_is_an_error_and_one_that_fails_shows_as_failed() {
    let shop = Shop::new();
    let error = shop.host.start(&[shop.program("web-1", &["/nonexistent/gunicorn"])]).unwrap_err();
    assert_eq!(error.to_string(), "the process manager cannot start `web-1`");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("/nonexistent/gunicorn"), "{cause}");
    shop.start(&[shop.program("web-2", &["false"])]);
    until("it has failed", || shop.state("web-2").unwrap().state == Running::Failed);
    shop.host.stop(&["web-1", "web-2"].map(str::to_owned)).unwrap();
    assert_eq!(shop.host.states().unwrap(), []);
}

#[test]
fn programs_come_back_with_the_manager() {
    let shop = Shop::new();
    shop.start(&[shop.sleeper("web-1"), shop.sleeper("web-2")]);
    let (manager, web) = (shop.manager_pid(), shop.pid("web-1"));
    shop.private().ensure().unwrap();
    assert_eq!((shop.manager_pid(), shop.pid("web-1")), (manager, web));
    shop.host.stop_manager(&|_| Ok(())).unwrap();
    // One that is just ending has no command line any more by which it was known.
    until("both have ended", || !is_alive(manager) && !is_alive(web));
    assert!(!shop.layout.supervisor_socket().exists() && !shop.layout.supervisor_pid().exists());
    assert_eq!(shop.host.states().unwrap(), []);
    shop.stop("web-2");
    shop.private().ensure().unwrap();
    until("web is back", || shop.state("web-1").is_some_and(|web| web.state.is_alive()));
    assert!(shop.state("web-2").is_none());
}

#[test]
fn what_a_killed_supervisord_left_behind_makes_way_for_its_successor() {
    let shop = Shop::new();
    let bare = shop.program("bare-1", &["env", "-i", "sleep", "1000"]);
    let elsewhere = Program { directory: "/".into(), ..shop.sleeper("web-1") };
    let group = shop.program("group-1", &["sh", "-c", "sleep 1000 & echo $!; wait"]);
    shop.start(&[elsewhere, bare, group]);
    until("the group has a child", || shop.log("group-1").contains('\n'));
    until("bare has no environment", || {
        fs::read(format!("/proc/{}/environ", shop.pid("bare-1"))).unwrap().is_empty()
    });
    let child: u32 = shop.log("group-1").trim().parse().unwrap();
    let left = ["web-1", "bare-1", "group-1"].map(|name| shop.pid(name));
    let manager = shop.kill_manager();
    assert!(left.iter().all(|pid| is_alive(*pid)) && shop.layout.supervisor_socket().exists());
    assert_eq!(shop.host.states().unwrap(), []);
    let started = Instant::now();
    shop.private().ensure().unwrap();
    assert!(left.iter().chain([&child]).all(|pid| !is_alive(*pid)));
    assert_ne!(shop.manager_pid(), manager);
    assert!(started.elapsed() < Duration::from_secs(9), "none of them had to be killed");
    until("all are back", || {
        shop.host.states().unwrap().iter().filter(|state| state.state.is_alive()).count() == 3
    });
}

#[test]
fn what_is_stopped_ends_even_when_supervisord_was_killed() {
    let shop = Shop::new();
    shop.start(&[shop.sleeper("web-1"), shop.sleeper("web-2")]);
    let left = ["web-1", "web-2"].map(|name| shop.pid(name));
    shop.kill_manager();
    shop.stop("web-1");
    assert!(left.iter().all(|pid| !is_alive(*pid)));
    until("the other one is back", || shop.state("web-2").is_some_and(|web| web.state.is_alive()));
    assert!(shop.state("web-1").is_none());
}

#[test]
fn a_supervisord_whose_socket_was_removed_is_replaced() {
    let shop = Shop::new();
    shop.start(&[shop.sleeper("web-1")]);
    let old = [shop.manager_pid(), shop.pid("web-1")];
    fs::remove_file(shop.layout.supervisor_socket()).unwrap();
    shop.private().ensure().unwrap();
    assert!(old.iter().all(|pid| !is_alive(*pid)));
    until("web is back", || shop.state("web-1").is_some_and(|web| web.state.is_alive()));
}

#[test]
fn a_second_supervisord_is_refused() {
    let shop = Shop::new();
    shop.private().ensure().unwrap();
    let manager = shop.manager_pid();
    let supervisord = shop.host.supervisord().unwrap();
    let error = shop.host.launch(&supervisord).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("Another program is already listening"), "{cause}");
    assert_eq!(shop.manager_pid(), manager);
    assert_eq!(left_behind::supervisors(&shop.layout.supervisor_conf()).unwrap().len(), 1);
}

#[test]
fn supervisord_inherits_neither_environment_nor_descriptors() {
    let shop = Shop::new();
    let inherited = File::create(shop.layout.root().join("inherited")).unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    shop.private().ensure().unwrap();
    let proc = PathBuf::from(format!("/proc/{}", shop.manager_pid()));
    let environ = String::from_utf8(fs::read(proc.join("environ")).unwrap()).unwrap();
    let allowed = release_core::environment::INHERITED.into_iter().chain(["PATH"]).collect::<Vec<_>>();
    for variable in environ.split_terminator('\0') {
        assert!(allowed.contains(&variable.split('=').next().unwrap()), "{variable}");
    }
    for fd in fs::read_dir(proc.join("fd")).unwrap() {
        let target = fs::read_link(fd.unwrap().path()).unwrap();
        let own = target.starts_with("/dev/null")
            || target == shop.layout.supervisor_log()
            || !target.is_absolute() && !target.starts_with("pipe:");
        assert!(own, "{}", target.display());
    }
    let socket = fs::metadata(shop.layout.supervisor_socket()).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o700);
}

#[test]
fn odd_paths_and_words_arrive_as_they_are() {
    let shop = Shop::below("my 50%s shop");
    let words = ["", "a b", "it's", "100%", "%(here)s", "x ;y #z", "\"$HOME\"", "\\", "ü"];
    let script = "import os, sys; print(os.getcwd(), sys.argv[1:])";
    let command: Vec<&str> = ["python3", "-c", script].into_iter().chain(words).collect();
    shop.start(&[Program { restart: false, ..shop.program("odd-1", &command) }]);
    until("it has spoken", || shop.log("odd-1").contains('\n'));
    let printed = words.map(|word| match word {
        "it's" => "\"it's\"".to_owned(),
        word => format!("'{}'", word.replace('\\', "\\\\")),
    });
    assert_eq!(shop.log("odd-1"), format!("{} [{}]\n", shop.layout.root().display(), printed.join(", ")));
}

#[test]
fn a_supervisord_that_does_not_start_says_why() {
    let shop = Shop::new();
    shop.host.make_dir(&shop.layout.supervisor_log()).unwrap();
    let error = shop.private().ensure().unwrap_err();
    assert_eq!(error.to_string(), "the process manager did not start");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("supervisord.log"), "{cause}");
    assert!(error.help().unwrap().contains("supervisord.log"));
}

#[test]
fn a_half_installed_supervisord_is_installed_anew() {
    let shop = Shop::new();
    if shop.host.find_program("supervisord").is_some() {
        return;
    }
    let link = shop.layout.cache().join("tool");
    let whole = fs::read_dir(&link).unwrap().next().unwrap().unwrap().file_name();
    fs::remove_file(&link).unwrap();
    let half = link.join(whole);
    fs::create_dir_all(half.join("bin")).unwrap();
    fs::write(half.join("bin/left-over"), "").unwrap();
    let found = shop.host.supervisord().unwrap();
    assert!(found.script.starts_with(&half) && half.join(".complete").exists());
    assert!(!half.join("bin/left-over").exists());
}
