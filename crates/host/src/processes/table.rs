//! The kernel's table of processes.

use std::fs;
use std::io;
use std::time::Duration;

use release_core::host::{HostError, HostResult};
use release_core::layout::Layout;
use release_core::service::Program;
use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// A process that is neither this one nor a zombie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
}

/// Every process.
pub(crate) fn all() -> HostResult<Vec<Process>> {
    let unreadable = |source| HostError::Io { action: "read", path: "/proc".into(), source };
    let entries =
        fs::read_dir("/proc").and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
    let ids = entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(ids
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid| parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect())
}

/// `pid (name) state ppid group session …`; the name may hold blanks and parentheses.
fn parse_stat(pid: u32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut columns = rest.split_ascii_whitespace();
    let state = columns.next()?;
    let mut number = || columns.next()?.parse().ok();
    let process = Process { pid, parent: number()?, group: number()?, session: number()? };
    (!matches!(state, "Z" | "X")).then_some(process)
}

/// How long a process has been running.
pub(super) fn age(pid: u32) -> Option<Duration> {
    let began = began(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, clock_ticks_per_second())?;
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    let now = Duration::new(tv_sec.try_into().ok()?, tv_nsec.try_into().ok()?);
    Some(now.saturating_sub(began))
}

/// When a process began, after the machine did: the 22nd column, in ticks of the clock (proc_pid_stat(5)).
fn began(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    const AFTER_NAME: usize = 19;
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks: u64 = rest.split_ascii_whitespace().nth(AFTER_NAME)?.parse().ok()?;
    Some(Duration::from_millis(ticks * 1000 / ticks_per_second))
}

/// The strings of `environ` or `cmdline`; none of a process that is gone or not ours to read.
pub(crate) fn strings(process: Process, file: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(format!("/proc/{}/{file}", process.pid)).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

/// Whether the process was started for one of these programs of the root, by its environment.
pub(crate) fn carries_name(process: Process, layout: &Layout, programs: &[String]) -> bool {
    let root = format!("RELEASE_ROOT={}", layout.root().display()).into_bytes();
    let environment = strings(process, "environ");
    let mut names = programs.iter().map(|program| format!("{}={program}", Program::VARIABLE).into_bytes());
    environment.contains(&root) && names.any(|name| environment.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "41 (a) Z (b c) S 1 40 39 0 -1 4194560 1 2";
        assert_eq!(parse_stat(41, stat), Some(Process { pid: 41, parent: 1, group: 40, session: 39 }));
        assert_eq!(parse_stat(41, "41 (sh) Z 1 40 39 0"), None);
    }

    #[test]
    fn its_beginning_is_read_behind_its_name() {
        let stat = "41 (a) b) S 1 40 39 0 -1 4194560 1 0 0 0 5 6 7 8 20 0 1 0 1234 1000 200";
        assert_eq!(began(stat, 100), Some(Duration::from_millis(12_340)));
        assert_eq!(began("41 (sh) S 1 40", 100), None);
    }

    #[test]
    fn a_process_gets_older() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let young = age(child.id()).unwrap();
        let own = age(std::process::id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(young < Duration::from_secs(5) && young <= own, "{young:?} {own:?}");
        assert_eq!(age(child.id()), None);
    }
}
