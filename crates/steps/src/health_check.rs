//! Waits until the new generation answers, wakes its workers up, and sees that it stays well.

use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::watch::Watch;

/// Checks the new generation before users reach it.
#[derive(Clone, Copy, Debug)]
pub struct HealthCheck;

const NO_SERVICES: &str = "there are no services";

impl Step for HealthCheck {
    fn id(&self) -> &'static str {
        "health-check"
    }

    fn describe(&self, run: &Run) -> String {
        let asked =
            run.config.services.iter().map(|service| format!("{} at {}", service.name, service.health.path));
        let asked: Vec<String> = asked.collect();
        if asked.is_empty() { NO_SERVICES.to_owned() } else { format!("check {}", asked.join(", ")) }
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if cx.run.config.services.is_empty() {
            return Ok(Look::Nothing(NO_SERVICES.to_owned()));
        }
        Ok(Look::Pending(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if cx.run.config.services.is_empty() {
            return Ok(Outcome::Skipped(NO_SERVICES.to_owned()));
        }
        let mut watched = Vec::new();
        for service in &cx.run.config.services {
            let mut watch = Watch::new(cx, service);
            watch.first_answer()?;
            watch.warm_up()?;
            watched.push(watch);
        }
        for watch in &mut watched {
            watch.settle()?;
        }
        Ok(Outcome::Done)
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}
