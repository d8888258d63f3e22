//! The kernel's table of processes.

use std::fs;
use std::io;

use release_core::host::{HostError, HostResult};
use release_core::layout::Layout;
use release_core::service::Program;

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
}
