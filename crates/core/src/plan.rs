//! A plan: steps in the order in which they run.

use crate::step::Step;

/// A step in its place.
pub type BoxedStep = Box<dyn Step>;

/// Steps that run side by side because they share nothing; mostly it is one.
pub type Stage = Vec<BoxedStep>;

/// What a run will do, in order.
///
/// Until the last of [`Plan::stages`] has succeeded everything can be taken back. What comes
/// `afterwards` cannot, and its failure is a warning: the new release serves already.
#[derive(Default)]
pub struct Plan {
    stages: Vec<Stage>,
    afterwards: Vec<BoxedStep>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps().map(|step| step.id())).finish()
    }
}

impl Plan {
    /// Adds a step.
    pub fn step(mut self, step: impl Step + 'static) -> Self {
        self.stages.push(vec![Box::new(step)]);
        self
    }

    /// Adds two steps that run side by side.
    pub fn together(mut self, one: impl Step + 'static, other: impl Step + 'static) -> Self {
        self.stages.push(vec![Box::new(one), Box::new(other)]);
        self
    }

    /// Adds a step for when there is no way back any more.
    pub fn afterwards(mut self, step: impl Step + 'static) -> Self {
        self.afterwards.push(Box::new(step));
        self
    }

    /// The stages that can be taken back.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The steps that cannot.
    pub fn last_steps(&self) -> &[BoxedStep] {
        &self.afterwards
    }

    /// All steps in order.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &dyn Step> {
        self.stages.iter().flatten().chain(&self.afterwards).map(|step| step.as_ref())
    }
}
