//! What supervisord says of a program, and what that means to us.

use release_core::service::{ProgramState, Running};

/// A program, as supervisord describes it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) pid: Option<u32>,
    pub(super) exit_code: i32,
}

/// supervisord's own states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Stopped,
    Starting,
    Running,
    Backoff,
    Stopping,
    Exited,
    Fatal,
    Unknown,
}

impl From<i32> for State {
    fn from(code: i32) -> Self {
        match code {
            0 => State::Stopped,
            10 => State::Starting,
            20 => State::Running,
            30 => State::Backoff,
            40 => State::Stopping,
            100 => State::Exited,
            200 => State::Fatal,
            _ => State::Unknown,
        }
    }
}

impl State {
    /// supervisord keeps it running, or tries to.
    pub(super) fn is_wanted(self) -> bool {
        matches!(self, State::Starting | State::Running | State::Backoff)
    }

    /// There is a process.
    pub(super) fn is_up(self) -> bool {
        matches!(self, State::Starting | State::Running)
    }

    /// Nothing runs; though what has exited may be about to start again.
    pub(super) fn is_at_rest(self) -> bool {
        !self.is_wanted() && self != State::Stopping
    }
}

impl Process {
    /// What its state means to us.
    pub(super) fn running(&self) -> Running {
        match self.state {
            State::Starting => Running::Starting,
            State::Running => Running::Running,
            State::Stopping => Running::Stopping,
            State::Stopped => Running::Stopped,
            // What was to run once and did so has not failed.
            State::Exited if self.exit_code == 0 => Running::Stopped,
            State::Backoff | State::Exited | State::Fatal | State::Unknown => Running::Failed,
        }
    }
}

impl From<Process> for ProgramState {
    fn from(process: Process) -> Self {
        ProgramState { state: process.running(), name: process.name, pid: process.pid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_exited_has_failed_unless_it_had_done_its_work() {
        let shown = |code: i32, exit_code| {
            ProgramState::from(Process { name: "web".to_owned(), state: code.into(), pid: None, exit_code })
                .state
        };
        assert_eq!(shown(100, 1), Running::Failed);
        assert_eq!(shown(100, 0), Running::Stopped);
        assert_eq!([30, 200, 1000].map(|code| shown(code, 0)), [Running::Failed; 3]);
        assert_eq!(
            [0, 10, 20, 40].map(|code| shown(code, 0)),
            [Running::Stopped, Running::Starting, Running::Running, Running::Stopping]
        );
    }
}
