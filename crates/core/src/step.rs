//! A step: the unit that is run and undone together.

use std::collections::VecDeque;
use std::time::Duration;

use crate::command::{Command, Exit};
use crate::event::{Event, Observer, Progress};
use crate::host::{Host, HostError};
use crate::plain_text::plain;
use crate::run::Run;
use crate::traceback::own_frames;

/// Part of a deploy or a rollback.
///
/// `run` looks first: work that is finished is skipped, so running twice is running once. `undo`
/// must cope with a step that stopped half way, and with one that was undone before.
pub trait Step: Send + Sync {
    /// Its name in the journal; never changed once released.
    fn id(&self) -> &'static str;
    /// What it does, for people: `check out 3f2c1a9`.
    fn describe(&self, run: &Run) -> String;
    /// What taking it back means, known before it runs.
    fn undo_policy(&self) -> UndoPolicy;
    /// What it would do, from reads alone.
    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError>;
    /// Does it.
    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError>;
    /// Takes it back.
    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError>;
}

/// What taking a step back means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoPolicy {
    /// There is nothing to take back.
    Nothing,
    /// It does this.
    Will(&'static str),
    /// It cannot always be taken back, and why.
    Cannot(&'static str),
}

/// What a step would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// There is work, and why.
    Needed(String),
    /// The result is there from an earlier run, and which.
    Cached(String),
    /// Only the run itself can tell.
    Pending(String),
    /// There is nothing to do, and why.
    Nothing(String),
}

/// How a step ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did its work.
    Done,
    /// It did its work, and a word on it for people.
    DoneWith(String),
    /// There was nothing to do, and why.
    Skipped(String),
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The machine did not do what was asked.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A command failed.
    #[error("`{command}` failed ({exit})")]
    Command {
        /// As people would type it.
        command: String,
        /// How it ended.
        exit: Exit,
        /// The last lines it printed.
        output: Vec<String>,
        /// What to do about it.
        help: Option<String>,
    },
    /// A service did not do what it should.
    #[error("{service} {what}")]
    Service {
        /// The service's name.
        service: String,
        /// What went wrong, as it reads after the name.
        what: String,
        /// The last lines of its log.
        output: Vec<String>,
        /// What to do about it.
        help: Option<String>,
    },
    /// A rule says no.
    #[error("{what}")]
    Refused {
        /// What is wrong.
        what: String,
        /// What to do about it.
        help: String,
    },
}

impl StepError {
    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            StepError::Host(error) => error.help(),
            StepError::Command { help, .. } | StepError::Service { help, .. } => help.clone(),
            StepError::Refused { help, .. } => Some(help.clone()),
        }
    }

    /// The last lines of the command or service that failed.
    pub fn output(&self) -> &[String] {
        match self {
            StepError::Command { output, .. } | StepError::Service { output, .. } => output,
            StepError::Host(_) | StepError::Refused { .. } => &[],
        }
    }

    /// The error and its causes in one line, for a note in the journal.
    pub fn in_one_line(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// How many of a failing command's last lines people see.
pub const TAIL: usize = 15;

/// What a step works with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The machine.
    pub host: &'a dyn Host,
    /// The facts.
    pub run: &'a Run,
    /// Who listens.
    pub observer: &'a dyn Observer,
    /// The step that this context is for.
    pub step: &'static str,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("run", &self.run.id).field("step", &self.step).finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// Tells how far the step has come.
    pub fn progress(&self, progress: Progress) {
        self.observer.observe(&Event::Progress { step: self.step.to_owned(), progress });
    }

    /// Tells a line that a command printed, without colours, secrets masked; gives it back like that.
    pub fn line(&self, text: &str) -> String {
        let text = self.run.redactor.redact(&plain(text));
        self.observer.observe(&Event::Line { step: self.step.to_owned(), text: text.clone() });
        text
    }

    /// Tells what people should know.
    pub fn warn(&self, text: impl Into<String>) {
        self.observer.observe(&Event::Warning { text: text.into() });
    }

    /// Runs a command whose failure is the step's, and tells its lines.
    pub fn run(&self, command: &Command) -> Result<(), StepError> {
        self.output(command).map(|_| ())
    }

    /// Like [`Context::run`]; gives all that it printed.
    pub fn output(&self, command: &Command) -> Result<Vec<String>, StepError> {
        let mut lines = Vec::new();
        let exit = self.host.run(command, &mut |line| lines.push(self.line(line)))?;
        if exit.success() {
            return Ok(lines);
        }
        Err(StepError::Command { command: command.to_string(), exit, output: tail(&lines), help: None })
    }

    /// Asks until `ready` gives something, every `every`, at most `limit`. `None` at the limit. What is
    /// ending meanwhile gets its further signals in time.
    pub fn wait<T>(
        &self,
        limit: Duration,
        every: Duration,
        mut ready: impl FnMut() -> Result<Option<T>, StepError>,
    ) -> Result<Option<T>, StepError> {
        let end = self.host.elapsed() + limit;
        loop {
            if let Some(found) = ready()? {
                return Ok(Some(found));
            }
            if self.host.elapsed() >= end {
                return Ok(None);
            }
            self.host.climb()?;
            self.host.pause(every)?;
        }
    }
}

/// The last [`TAIL`] lines that say something, and something else than the one before: no empty
/// ones, no frames of libraries.
pub fn tail(lines: &[String]) -> Vec<String> {
    let mut last: VecDeque<String> = VecDeque::with_capacity(TAIL);
    for line in own_frames(lines).filter(|line| !line.trim().is_empty()) {
        if last.back() == Some(line) {
            continue;
        }
        if last.len() == TAIL {
            last.pop_front();
        }
        last.push_back(line.clone());
    }
    last.into()
}
