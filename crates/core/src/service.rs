//! What a process manager is asked to run, and what it says of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Log, Manager};
use crate::release::Generation;

/// The further signals of a program that does not end at the first, each so long after the first.
pub type Climb = Vec<(Duration, String)>;

/// One service of one generation, as the process manager runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// `web-<release>-g1`: see [`Generation::program`].
    pub name: String,
    /// The words of the command.
    pub command: Vec<String>,
    /// The working directory.
    pub directory: PathBuf,
    /// The signal that asks it to end, such as `TERM`.
    pub stop_signal: String,
    /// How long it may take to end before its manager kills it.
    pub stop_wait: Duration,
    /// What it is sent while it does not end.
    pub climb: Climb,
    /// Where its output goes.
    pub log: PathBuf,
    /// How much of that is kept.
    pub rotation: Log,
    /// Where it stands among the others: what is less starts earlier, and ends later.
    pub order: u32,
    /// Whether it is started again when it ends by itself; `false` for what is to run once, which is
    /// started again only where a signal ended it.
    pub restart: bool,
    /// Whether it tells its manager when it is up, by `NOTIFY_SOCKET`.
    pub notifies: bool,
    /// What is to run it.
    pub manager: Manager,
}

impl Program {
    /// The environment variable by which every process of a program is known: what its master
    /// started goes on when that is killed.
    pub const VARIABLE: &'static str = "RELEASE_PROGRAM";
}

/// What the process manager says of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramState {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub state: Running,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// How it ended, such as `exit status 1`, where its manager says so; of one that has failed only.
    pub ended: Option<String>,
}

/// A program's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Started, but not yet for long enough to be trusted.
    Starting,
    /// Running.
    Running,
    /// Being stopped.
    Stopping,
    /// Ended or stopped.
    Stopped,
    /// Ended by itself, and is not started again.
    Failed,
}

impl Running {
    /// As `status` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Running::Starting => "starting",
            Running::Running => "running",
            Running::Stopping => "stopping",
            Running::Stopped => "stopped",
            Running::Failed => "failed",
        }
    }

    /// Whether there is a process, be it one that is ending.
    pub fn is_there(self) -> bool {
        self.is_alive() || self == Running::Stopping
    }

    /// Whether there is a process, and it was not asked to end.
    pub fn is_alive(self) -> bool {
        matches!(self, Running::Starting | Running::Running)
    }
}

/// The programs that belong to `generation`.
pub fn programs_of<'a>(
    states: &'a [ProgramState],
    generation: &'a Generation,
) -> impl Iterator<Item = &'a ProgramState> {
    states
        .iter()
        .filter(move |state| Generation::of_program(&state.name).is_some_and(|(_, of)| of == *generation))
}
