//! What supervisord says of a program, and what that means to us.

use release_core::service::{ProgramState, Running};

/// A program, as supervisord describes it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) pid: Option<u32>,
    /// Below 0 where a signal ended it.
    pub(super) exit_code: i32,
    /// Why it could not be started, if so; empty otherwise.
    pub(super) spawn_error: String,
}

/// That is no reason: the exit status tells more.
const TOO_QUICK: &str = "Exited too quickly";

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

    fn ended(&self) -> Option<String> {
        match self.running() {
            Running::Failed if !self.spawn_error.is_empty() && !self.spawn_error.starts_with(TOO_QUICK) => {
                Some(self.spawn_error.clone())
            }
            Running::Failed if self.exit_code < 0 => Some("by a signal".to_owned()),
            Running::Failed => Some(format!("exit status {}", self.exit_code)),
            _ => None,
        }
    }
}

impl From<Process> for ProgramState {
    fn from(process: Process) -> Self {
        let (state, ended) = (process.running(), process.ended());
        ProgramState { name: process.name, state, pid: process.pid, ended }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(code: i32, exit_code: i32, spawn_error: &str) -> ProgramState {
        let (name, spawn_error) = ("web".to_owned(), spawn_error.to_owned());
        ProgramState::from(Process { name, state: code.into(), pid: None, exit_code, spawn_error })
    }

    #[test]
    fn how_a_program_ended_is_told() {
        let told = |code: i32, exit_code, spawn_error: &str| state(code, exit_code, spawn_error).ended;
        assert_eq!(told(100, 3, "").unwrap(), "exit status 3");
        assert_eq!(
            told(30, 3, "Exited too quickly (process log may have details)").unwrap(),
            "exit status 3"
        );
        assert_eq!(told(30, -1, "").unwrap(), "by a signal");
        assert_eq!(told(200, 0, "can't find command 'x'").unwrap(), "can't find command 'x'");
        assert_eq!([told(100, 0, ""), told(20, 0, ""), told(0, 0, "")], [None, None, None]);
    }

    #[test]
    fn a_program_that_exited_has_failed_unless_it_had_done_its_work() {
        let shown = |code: i32, exit_code| state(code, exit_code, "").state;
        assert_eq!(shown(100, 1), Running::Failed);
        assert_eq!(shown(100, 0), Running::Stopped);
        assert_eq!([30, 200, 1000].map(|code| shown(code, 0)), [Running::Failed; 3]);
        assert_eq!(
            [0, 10, 20, 40].map(|code| shown(code, 0)),
            [Running::Stopped, Running::Starting, Running::Running, Running::Stopping]
        );
    }
}
