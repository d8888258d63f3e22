//! Other programs, and the processes that run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::HostResult;
use crate::command::{Command, Exit};
use crate::proof::ProcessFiles;
use crate::run::RunId;

/// Other programs.
pub trait Processes {
    /// Runs a command to its end in a process group of its own, and gives each line that it
    /// prints (a `\r` ends one too). At the limit, or when the run is interrupted, the whole
    /// group is ended.
    fn run(&self, command: &Command, line: &mut dyn FnMut(&str)) -> HostResult<Exit>;
    /// Runs a command that only tells a fact, such as `node --version`, and gives its lines. What
    /// was told once is not asked again.
    fn inquire(&self, command: &Command) -> HostResult<(Exit, Vec<String>)>;
    /// The path of `program` as `PATH` finds it.
    fn find_program(&self, program: &str) -> Option<PathBuf>;
    /// Ends every process that `run` started and left behind (its environment names the run),
    /// and says how many there were.
    fn end_left_behind(&self, run: &RunId) -> HostResult<usize>;
    /// The processes that process `pid` started itself and that still run, by id.
    fn children(&self, pid: u32) -> HostResult<Vec<u32>>;
    /// How long process `pid` has been running; `None` if it is gone.
    fn age(&self, pid: u32) -> HostResult<Option<Duration>>;
    /// The processors that this process may use: by its affinity, and the quota of its control group.
    fn cores(&self) -> usize;
    /// The processes that run from below `directory`: by executable, working directory, mapped or
    /// open file, or the Python environment that their variables name.
    fn using(&self, directory: &Path) -> HostResult<Vec<u32>>;
    /// Sends a signal, such as `HUP`, to a process; fine when it is gone.
    fn signal(&self, pid: u32, signal: &str) -> HostResult<()>;
    /// The processes of a program and what they use: the one with the id `pid`, all that it
    /// started, and whatever carries the program's name in its environment.
    fn family(&self, program: &str, pid: Option<u32>) -> HostResult<Vec<ProcessFiles>>;
}
