//! A fake machine, the facts of a run, and somebody who listens.

use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError};

use crate::{FakeHost, Recorder, a_run};

/// What a step is tried out on.
#[derive(Debug)]
pub struct Scene {
    /// The machine.
    pub host: FakeHost,
    /// The facts; change them before a step runs.
    pub facts: Run,
    /// What was told.
    pub recorder: Recorder,
}

impl Default for Scene {
    fn default() -> Self {
        Self { host: FakeHost::new(), facts: a_run(), recorder: Recorder::default() }
    }
}

impl Scene {
    /// An empty machine and [`a_run`].
    pub fn new() -> Self {
        Self::default()
    }

    /// What the step called `step` works with.
    pub fn context(&self, step: &'static str) -> Context<'_> {
        Context { host: &self.host, run: &self.facts, observer: &self.recorder, step }
    }

    /// Looks.
    pub fn look(&self, step: &dyn Step) -> Result<Look, StepError> {
        step.look(&self.context(step.id()))
    }

    /// Runs.
    pub fn run(&self, step: &dyn Step) -> Result<Outcome, StepError> {
        step.run(&self.context(step.id()))
    }

    /// Takes back.
    pub fn undo(&self, step: &dyn Step) -> Result<(), StepError> {
        step.undo(&self.context(step.id()))
    }
}
