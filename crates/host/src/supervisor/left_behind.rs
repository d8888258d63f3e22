//! What a supervisord that was killed left behind: its programs go on without it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use release_core::host::{HostError, HostResult};
use release_core::layout::Layout;
use rustix::process::{Pid, Signal, kill_process};

use crate::UnixHost;
use crate::processes::table::{Process, all, carries_name, strings};

/// How long a process may take to end before it is killed; its users wait for its successor.
const PATIENCE: Duration = Duration::from_secs(10);
const GIVE_UP: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);

/// The supervisords that were started with the configuration `conf`.
pub(super) fn supervisors(conf: &Path) -> HostResult<Vec<Process>> {
    let conf = conf.as_os_str().as_bytes();
    Ok(all()?.into_iter().filter(|process| is_supervisor(&strings(*process, "cmdline"), conf)).collect())
}

fn is_supervisor(args: &[Vec<u8>], conf: &[u8]) -> bool {
    args.iter().any(|arg| arg.rsplit(|byte| *byte == b'/').next() == Some(b"supervisord"))
        && args.windows(2).any(|pair| pair[0] == b"-c" && pair[1] == conf)
}

/// The programs of a supervisord that is gone, with all that they started: by the environment
/// that it gave them, or, as many a program changes that, by its session and their directory.
pub(super) fn programs(layout: &Layout) -> HostResult<Vec<Process>> {
    let mut variable = b"SUPERVISOR_SERVER_URL=unix://".to_vec();
    variable.extend_from_slice(layout.supervisor_socket().as_os_str().as_bytes());
    let root = fs::canonicalize(layout.root()).unwrap_or_else(|_| layout.root().to_owned());
    let processes = all()?;
    // While a process has this id it is not the one of the session that we look for.
    let session = last_pid(&layout.supervisor_pid())
        .filter(|session| processes.iter().all(|process| process.pid != *session));
    let is_left_behind = |process: &Process| {
        strings(*process, "environ").contains(&variable)
            || (Some(process.session) == session && works_below(*process, &root))
    };
    Ok(processes.into_iter().filter(is_left_behind).collect())
}

impl UnixHost {
    /// Ends what an earlier process of `program` left behind when it was killed: it would go on beside
    /// its successor, and nobody would ask it to end.
    pub fn end_orphans(&self, program: &str) -> HostResult<()> {
        let programs = [program.to_owned()];
        self.unless_interrupted(end("what a service left behind", || orphans(&self.layout, &programs)))
    }
}

/// What is left of `programs` that have ended: the workers of a master that was killed.
pub(super) fn orphans(layout: &Layout, programs: &[String]) -> HostResult<Vec<Process>> {
    Ok(all()?.into_iter().filter(|process| carries_name(*process, layout, programs)).collect())
}

/// Asks what `find` finds to end, and kills what does not.
pub(super) async fn end(what: &str, find: impl Fn() -> HostResult<Vec<Process>>) -> HostResult<()> {
    let (started, mut asked) = (Instant::now(), Vec::new());
    loop {
        let left = find()?;
        match started.elapsed() {
            _ if left.is_empty() => return Ok(()),
            elapsed if elapsed > GIVE_UP => {
                return Err(HostError::TimedOut { what: format!("ending {what}"), limit: GIVE_UP });
            }
            elapsed if elapsed > PATIENCE => left.iter().for_each(|process| signal(process, Signal::KILL)),
            _ => ask(&left, &mut asked),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks each process once, and those that have a leader only when that is gone: a server ends
/// its workers itself, and better than we could.
fn ask(left: &[Process], asked: &mut Vec<Process>) {
    for process in left {
        if !asked.contains(process) && answers_for_itself(process, left) {
            signal(process, Signal::TERM);
            asked.push(*process);
        }
    }
}

fn answers_for_itself(process: &Process, found: &[Process]) -> bool {
    process.pid == process.group || found.iter().all(|leader| leader.pid != process.group)
}

fn signal(process: &Process, signal: Signal) {
    if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
        // Whether it worked shows when the process is looked for again.
        let _ = kill_process(pid, signal);
    }
}

fn works_below(process: Process, root: &Path) -> bool {
    fs::read_link(format!("/proc/{}/cwd", process.pid)).is_ok_and(|directory| directory.starts_with(root))
}

/// The id in a pid file, unless that was written before the machine started.
fn last_pid(file: &Path) -> Option<u32> {
    let written = fs::metadata(file).and_then(|metadata| metadata.modified()).ok()?;
    let pid = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    (written >= boot_time(&fs::read_to_string("/proc/stat").ok()?)?).then_some(pid)
}

fn boot_time(stat: &str) -> Option<SystemTime> {
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisord_is_known_by_its_configuration() {
        let is_ours = |args: &[&str]| {
            let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
            is_supervisor(&args, b"/srv/shop/supervisord.conf")
        };
        assert!(is_ours(&[
            "/venv/bin/python",
            "/venv/bin/supervisord",
            "-c",
            "/srv/shop/supervisord.conf",
            ""
        ]));
        assert!(!is_ours(&["/venv/bin/python", "/venv/bin/supervisord", "-c", "/srv/blog/supervisord.conf"]));
        assert!(!is_ours(&[
            "/venv/bin/python",
            "/venv/bin/supervisorctl",
            "-c",
            "/srv/shop/supervisord.conf"
        ]));
    }

    #[test]
    fn only_the_first_of_a_group_is_asked_unless_it_is_gone() {
        let process = |pid, group| Process { pid, group, parent: 1, session: 1 };
        let found = [process(10, 10), process(11, 10), process(21, 20)];
        assert_eq!(found.map(|process| answers_for_itself(&process, &found)), [true, false, true]);
    }

    #[test]
    fn a_pid_from_before_the_machine_started_is_nobodys() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("pid");
        fs::write(&file, "4711\n").unwrap();
        assert_eq!(last_pid(&file), Some(4711));
        fs::File::open(&file).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        assert_eq!(last_pid(&file), None);
        assert_eq!(boot_time("cpu 1 2\nbtime 7\n"), Some(UNIX_EPOCH + Duration::from_secs(7)));
    }
}
