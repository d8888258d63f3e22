//! Runs a plan; takes it back in reverse when a step fails; goes on with what a killed run left.

use crate::event::{Event, Observer, StepEnd};
use crate::host::{Host, HostError};
use crate::journal::{Entry, Journal, Mark};
use crate::plan::{BoxedStep, Plan, Stage};
use crate::run::Run;
use crate::state::Interrupted;
use crate::step::{Context, Outcome, Step, StepError, UndoPolicy};

/// The step after which users see the target release.
pub const ACTIVATE: &str = "activate";

/// How a plan ended.
#[derive(Debug)]
pub enum Ended {
    /// Every step that matters succeeded.
    Completed,
    /// A step failed, and all that was begun was taken back.
    Undone {
        /// What failed.
        failure: Failure,
        /// Whether users saw the target release for a while.
        after_activate: bool,
    },
    /// A step could not be taken back. Nothing was taken back after it; a later `recover` tries again.
    Stuck {
        /// What failed first; `None` when it was the killed run that is being taken back.
        failure: Option<Failure>,
        /// What could not be taken back.
        undo: Failure,
        /// What still stands: that step and those before it, latest first.
        remaining: Vec<String>,
    },
    /// A run that was killed is taken back.
    Recovered {
        /// Whether users saw the target release for a while.
        after_activate: bool,
    },
}

/// A step and why it failed.
#[derive(Debug)]
pub struct Failure {
    /// The step's id.
    pub step: &'static str,
    /// Why.
    pub error: StepError,
}

/// What becomes of a step that the journal does not take.
#[derive(Clone, Copy)]
enum Unrecorded {
    /// What is not recorded could not be taken back.
    Fails,
    /// It can be done twice, and what it removes may be what fills the disk.
    GoesOn,
}

impl Unrecorded {
    fn bear(self, error: HostError) -> Result<(), StepError> {
        match self {
            Unrecorded::Fails => Err(error.into()),
            Unrecorded::GoesOn => Ok(()),
        }
    }
}

/// Where taking back came to a halt.
struct NotUndone {
    undo: Failure,
    remaining: Vec<String>,
}

impl NotUndone {
    fn after(self, failure: Option<Failure>) -> Ended {
        Ended::Stuck { failure, undo: self.undo, remaining: self.remaining }
    }
}

/// Runs plans for one run.
pub struct Pipeline<'a> {
    /// The machine.
    pub host: &'a dyn Host,
    /// The facts.
    pub run: &'a Run,
    /// Who listens.
    pub observer: &'a dyn Observer,
    /// Where each step's start and end is recorded, before the effect.
    pub journal: &'a dyn Journal,
}

impl std::fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("run", &self.run.id).finish_non_exhaustive()
    }
}

impl Pipeline<'_> {
    /// Runs the whole plan.
    pub fn run(&self, plan: &Plan) -> Ended {
        self.go_on(plan, &|_| false)
    }

    /// Goes on with a run that was killed: forward if its release is `active` and it had not
    /// turned back yet, else back.
    pub fn resume(&self, plan: &Plan, interrupted: &Interrupted, active: bool) -> Ended {
        let mark = |step: &dyn Step| interrupted.mark(step.id());
        let turned_back = plan.stages().iter().flatten().any(|step| {
            matches!(
                mark(step.as_ref()),
                Some(Mark::Failed | Mark::UndoStarted | Mark::Undone | Mark::UndoFailed)
            )
        });
        if active && !turned_back {
            let finished = |step: &dyn Step| matches!(mark(step), Some(Mark::Succeeded | Mark::Skipped));
            return self.go_on(plan, &finished);
        }
        let begun: Vec<&dyn Step> = plan
            .stages()
            .iter()
            .flatten()
            .map(|step| step.as_ref())
            .filter(|step| !matches!(mark(*step), None | Some(Mark::Undone)))
            .collect();
        // Killed before the rename, nobody saw it.
        let after_activate = active || !matches!(interrupted.mark(ACTIVATE), None | Some(Mark::Started));
        match self.undo(&begun) {
            Ok(()) => Ended::Recovered { after_activate },
            Err(stuck) => stuck.after(None),
        }
    }

    fn go_on(&self, plan: &Plan, finished: &dyn Fn(&dyn Step) -> bool) -> Ended {
        let mut begun: Vec<&dyn Step> = Vec::new();
        for stage in plan.stages() {
            begun.extend(stage.iter().map(|step| step.as_ref()));
            if let Err(failure) = self.stage(stage, finished) {
                return self.turn_back(failure, &begun);
            }
        }
        // Users are served by the new release: what is left to do is done whoever interrupts.
        self.host.ignore_interruptions();
        for step in plan.last_steps().iter().filter(|step| !finished(step.as_ref())) {
            if let Err(failure) = self.step(step, Unrecorded::GoesOn) {
                let text = format!("{}: {}", failure.step, failure.error.in_one_line());
                self.observer.observe(&Event::Warning { text });
            }
        }
        Ended::Completed
    }

    fn stage(&self, stage: &Stage, finished: &dyn Fn(&dyn Step) -> bool) -> Result<(), Failure> {
        let todo: Vec<&BoxedStep> = stage.iter().filter(|step| !finished(step.as_ref())).collect();
        match todo.as_slice() {
            [] => Ok(()),
            [step] => self.step(step, Unrecorded::Fails),
            steps => std::thread::scope(|scope| {
                let running: Vec<_> =
                    steps.iter().map(|step| scope.spawn(|| self.step(step, Unrecorded::Fails))).collect();
                let ended = running.into_iter().map(|thread| match thread.join() {
                    Ok(result) => result,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                ended.fold(Ok(()), Result::and)
            }),
        }
    }

    fn step(&self, step: &BoxedStep, unrecorded: Unrecorded) -> Result<(), Failure> {
        let id = step.id();
        let started = self.host.elapsed();
        self.observer.observe(&Event::StepStarted { step: id.to_owned(), describe: step.describe(self.run) });
        let result = self
            .mark(id, Mark::Started, None)
            .or_else(|error| unrecorded.bear(error))
            .and_then(|()| step.run(&self.context(id)))
            .and_then(|outcome| {
                self.mark_outcome(id, &outcome).or_else(|error| unrecorded.bear(error)).map(|()| outcome)
            });
        let seconds = (self.host.elapsed() - started).as_secs_f64();
        let end = match &result {
            Ok(Outcome::Done) => StepEnd::Done(None),
            Ok(Outcome::DoneWith(note)) => StepEnd::Done(Some(note.clone())),
            Ok(Outcome::Skipped(why)) => StepEnd::Skipped(why.clone()),
            Err(error) => StepEnd::Failed(error.in_one_line()),
        };
        self.observer.observe(&Event::StepEnded { step: id.to_owned(), end, seconds });
        result.map(|_| ()).map_err(|error| {
            // The step has failed already; a journal that cannot be written changes nothing of that.
            let _ = self.mark(id, Mark::Failed, Some(error.in_one_line()));
            Failure { step: id, error }
        })
    }

    fn mark_outcome(&self, step: &str, outcome: &Outcome) -> Result<(), HostError> {
        match outcome {
            Outcome::Done | Outcome::DoneWith(_) => self.mark(step, Mark::Succeeded, None),
            Outcome::Skipped(why) => self.mark(step, Mark::Skipped, Some(why.clone())),
        }
    }

    fn turn_back(&self, failure: Failure, begun: &[&dyn Step]) -> Ended {
        let after_activate = self.is_active(begun);
        match self.undo(begun) {
            Ok(()) => Ended::Undone { failure, after_activate },
            Err(stuck) => stuck.after(Some(failure)),
        }
    }

    /// Whether users see the target release, as far as can be told: to activate it may have failed too.
    fn is_active(&self, begun: &[&dyn Step]) -> bool {
        let layout = &self.run.layout;
        let target = layout.current_target(self.run.release());
        begun.iter().any(|step| step.id() == ACTIVATE)
            && self.host.read_link(&layout.current()).map_or(true, |current| current == Some(target))
    }

    /// Takes steps back, latest first, and stops at the first that cannot be: going on could
    /// remove what `current` still points at.
    fn undo(&self, begun: &[&dyn Step]) -> Result<(), Box<NotUndone>> {
        self.host.ignore_interruptions();
        for (index, step) in begun.iter().enumerate().rev() {
            if step.undo_policy() == UndoPolicy::Nothing {
                continue;
            }
            let id = step.id();
            self.observer.observe(&Event::UndoStarted { step: id.to_owned() });
            // A full disk may refuse these marks; what undoing removes may be what fills it.
            let _ = self.mark(id, Mark::UndoStarted, None);
            let result = step.undo(&self.context(id));
            let error = result.as_ref().err().map(StepError::in_one_line);
            let mark = if error.is_some() { Mark::UndoFailed } else { Mark::Undone };
            let _ = self.mark(id, mark, error.clone());
            self.observer.observe(&Event::UndoEnded { step: id.to_owned(), error });
            if let Err(error) = result {
                let stands = |step: &&&dyn Step| step.undo_policy() != UndoPolicy::Nothing;
                let remaining = begun[..=index].iter().rev().filter(stands);
                let remaining = remaining.map(|step| step.id().to_owned()).collect();
                return Err(Box::new(NotUndone { undo: Failure { step: id, error }, remaining }));
            }
        }
        Ok(())
    }

    fn mark(&self, step: &str, mark: Mark, note: Option<String>) -> Result<(), HostError> {
        self.journal.append(&self.run.id, Entry::Step { step: step.to_owned(), mark, note })
    }

    fn context(&self, step: &'static str) -> Context<'_> {
        Context { host: self.host, run: self.run, observer: self.observer, step }
    }
}
