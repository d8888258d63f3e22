//! Other programs: run, found, and found out.

mod family;
mod files_of;
pub(crate) mod table;
mod versions;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use release_core::command::{Command, Exit};
use release_core::host::{HostResult, Processes};
use release_core::proof::ProcessFiles;
use release_core::run::RunId;
use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process};

use crate::UnixHost;
use crate::files::failed;
use versions::Known;

/// How long a process that was left behind may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the kernel may take to end what was killed.
const KILLED: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

impl Processes for UnixHost {
    fn run(&self, command: &Command, line: &mut dyn FnMut(&str)) -> HostResult<Exit> {
        self.runtime.block_on(self.run_to_end(command, line))
    }

    fn inquire(&self, command: &Command) -> HostResult<(Exit, Vec<String>)> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lines)) = known().iter().find(|(asked, _)| asked == command) {
            return Ok((Exit::Code(0), lines.clone()));
        }
        let version = Known::asked_by(command);
        if let Some(lines) = version.as_ref().and_then(|version| self.version(version)) {
            return Ok((Exit::Code(0), lines));
        }
        let mut lines = Vec::new();
        let exit = self.run(command, &mut |line| lines.push(line.to_owned()))?;
        if exit.success() {
            known().push((command.clone(), lines.clone()));
            // It costs the next run a moment.
            let _ = version.map(|version| self.remember_version(version, &lines));
        }
        Ok((exit, lines))
    }

    fn find_program(&self, program: &str) -> Option<PathBuf> {
        find_in(program, &std::env::var_os("PATH")?)
    }

    fn end_left_behind(&self, run: &RunId) -> HostResult<usize> {
        let left = left_behind(run)?;
        signal(&left, Signal::TERM);
        if !all_gone(run, PATIENCE)? {
            signal(&left_behind(run)?, Signal::KILL);
            all_gone(run, KILLED)?;
        }
        Ok(left.len())
    }

    fn children(&self, pid: u32) -> HostResult<Vec<u32>> {
        Ok(table::all()?
            .into_iter()
            .filter(|process| process.parent == pid)
            .map(|process| process.pid)
            .collect())
    }

    fn age(&self, pid: u32) -> HostResult<Option<Duration>> {
        Ok(table::age(pid))
    }

    fn cores(&self) -> usize {
        thread::available_parallelism().map_or(1, usize::from)
    }

    fn using(&self, directory: &Path) -> HostResult<Vec<u32>> {
        // The kernel tells real paths; one that is gone already has only its name.
        let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        Ok(others()?.into_iter().filter(|pid| uses(*pid, &directory)).collect())
    }

    fn signal(&self, pid: u32, signal: &str) -> HostResult<()> {
        let number = match signal {
            "HUP" => Signal::HUP,
            "INT" => Signal::INT,
            "QUIT" => Signal::QUIT,
            "USR1" => Signal::USR1,
            "USR2" => Signal::USR2,
            _ => Signal::TERM,
        };
        self::signal(&[pid], number);
        Ok(())
    }

    fn family(&self, program: &str, pid: Option<u32>) -> HostResult<Vec<ProcessFiles>> {
        let family = family::of(&self.layout, program, pid)?;
        Ok(family.into_iter().filter_map(files_of::process).collect())
    }
}

fn find_in(program: &str, path: &OsStr) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_executable(path));
    }
    std::env::split_paths(path).map(|directory| directory.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// Every process but ourselves, by id.
fn others() -> HostResult<Vec<u32>> {
    let entries = fs::read_dir("/proc").map_err(failed("list", Path::new("/proc")))?;
    let mut pids: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.retain(|pid| *pid != std::process::id());
    pids.sort_unstable();
    Ok(pids)
}

/// The processes whose environment names `run`; a dead one has none.
fn left_behind(run: &RunId) -> HostResult<Vec<u32>> {
    let names_run = |pid: &u32| fs::read(of(*pid, "environ")).is_ok_and(|block| names_run(&block, run));
    Ok(others()?.into_iter().filter(names_run).collect())
}

fn all_gone(run: &RunId, patience: Duration) -> HostResult<bool> {
    let end = Instant::now() + patience;
    while !left_behind(run)?.is_empty() {
        if Instant::now() >= end {
            return Ok(false);
        }
        thread::sleep(POLL);
    }
    Ok(true)
}

fn signal(pids: &[u32], signal: Signal) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
        // It may have ended just now.
        let _ = kill_process(pid, signal);
    }
}

fn of(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// Whether an environment block, as the kernel shows it, names `run`.
fn names_run(block: &[u8], run: &RunId) -> bool {
    let wanted = format!("{}={run}", RunId::VARIABLE);
    block.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
}

/// Of what may not be read, nothing is known.
fn uses(pid: u32, directory: &Path) -> bool {
    let below = |path: &PathBuf| path.starts_with(directory);
    files_of::readable(pid).iter().any(&below) || environment_of(pid).is_some_and(|path| below(&path))
}

/// The Python environment that a process's variables name, with links followed: the modules that it
/// imported are no open files of it.
fn environment_of(pid: u32) -> Option<PathBuf> {
    let block = fs::read(of(pid, "environ")).ok()?;
    let named = block.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(b"VIRTUAL_ENV="))?;
    let named = Path::new(OsStr::from_bytes(named));
    Some(fs::canonicalize(named).unwrap_or_else(|_| named.to_owned()))
}

/// Whether some process stands in `directory`, or has a file open below it. Of what may not be
/// read, nothing is known.
pub(crate) fn holds_open(directory: &Path) -> HostResult<bool> {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let below = |path: &PathBuf| path.starts_with(&directory);
    Ok(others()?.into_iter().any(|pid| files_of::opened(pid).iter().any(below)))
}

#[cfg(test)]
mod tests;
