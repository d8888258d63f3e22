//! Waits until the new generation answers, wakes its workers up, and sees that it stays well.

use release_core::config::{Handover, Service};
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::programs::programs;
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
        let asked: Vec<String> = services(run).map(question).collect();
        if asked.is_empty() { NO_SERVICES.to_owned() } else { format!("check {}", asked.join(", ")) }
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if services(cx.run).next().is_none() {
            return Ok(Look::Nothing(NO_SERVICES.to_owned()));
        }
        Ok(Look::Pending(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if services(cx.run).next().is_none() {
            return Ok(Outcome::Skipped(NO_SERVICES.to_owned()));
        }
        let mut watched = Vec::new();
        for (service, program) in programs(cx.run, &cx.run.generation, &cx.run.config) {
            if service.handover == Handover::Replace {
                continue;
            }
            let mut watch = Watch::new(cx, service, program.name);
            if forgiven(cx, service, watch.begin())? {
                watched.push((service, watch));
            }
        }
        // It has time for that now: a busy disk would keep users of `activate` waiting for it.
        cx.host.sync(&cx.run.layout.release(cx.run.release()))?;
        for (service, watch) in &mut watched {
            forgiven(cx, service, watch.settle())?;
        }
        Ok(Outcome::Done)
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// What was booted; what may run only once is looked at when it is handed over.
fn services(run: &Run) -> impl Iterator<Item = &Service> {
    run.config.services.iter().filter(|service| service.handover != Handover::Replace)
}

fn question(service: &Service) -> String {
    match service.handover {
        Handover::Socket | Handover::Reload => format!("{} at {}", service.name, service.health.path),
        Handover::Overlap | Handover::Replace => service.name.clone(),
    }
}

/// Whether the service is well; an optional one may be unwell, with a warning.
fn forgiven(cx: &Context<'_>, service: &Service, result: Result<(), StepError>) -> Result<bool, StepError> {
    match result {
        Ok(()) => Ok(true),
        Err(StepError::Host(error)) => Err(error.into()),
        Err(error) if service.optional => {
            cx.warn(format!("{} (optional)", error.in_one_line()));
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
