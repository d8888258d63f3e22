//! Passes the work from the old generation's workers to the new one's, just before `activate`.
//!
//! The new workers run already. An old worker that still took tasks after `activate` would throw
//! those away that only the new code knows, so it is told to stop taking more first; it finishes
//! what it has in the background. What may run only once is replaced here: the old one ends before
//! the new one begins.

use std::time::Duration;

use release_core::config::{Handover, Service};
use release_core::release::Generation;
use release_core::run::Run;
use release_core::service::Program;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::answer::log_tail;
use crate::programs::{OldWorker, config_of, is_alive, is_there, old_workers, programs, stays_up};
use crate::prove::prove;
use crate::quiesce::takes_orders;
use crate::retire;
use crate::shutdown::Shutdown;

/// Passes the work on.
#[derive(Clone, Copy, Debug)]
pub struct HandOver;

const NOTHING: &str = "there are no workers";
/// For starts of the app, and for brokers that answer slowly.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long a worker may wait for its queue at a time.
const LAST_LOOK: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

impl Step for HandOver {
    fn id(&self) -> &'static str {
        "hand-over"
    }

    fn describe(&self, _: &Run) -> String {
        "pass the work to the new workers".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("start the old workers again")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        // A look starts no manager.
        if replaced(cx.run).next().is_none() && old_workers(cx, &cx.host.states()?).is_empty() {
            return Ok(Look::Nothing(NOTHING.to_owned()));
        }
        Ok(Look::Needed(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let old = old_workers(cx, &retire::states(cx)?);
        if old.is_empty() && replaced(cx.run).next().is_none() {
            return Ok(Outcome::Skipped(NOTHING.to_owned()));
        }
        let (overlapping, replaced): (Vec<OldWorker>, Vec<OldWorker>) =
            old.into_iter().partition(|worker| worker.handover() == Handover::Overlap);
        let shutdown = Shutdown::of(cx).patient(PATIENCE);
        let asked = names(&overlapping);
        let quiet = shutdown.begin_stop(&asked)?;
        wait_until_idle_ones_ended(cx, asked.iter().filter(|name| !quiet.contains(name)))?;
        end_those_that_fetch(cx, &overlapping)?;
        for worker in &replaced {
            // What another one depends on ends after it.
            shutdown.stop(std::slice::from_ref(&worker.name))?;
        }
        start_replacements(cx)?;
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let own: Vec<String> = replacements(cx.run).map(|(_, program)| program.name).collect();
        let shutdown = Shutdown::of(cx);
        shutdown.stop(&own)?;
        shutdown.begin_stop(&silenced(cx)?)?;
        match &cx.run.previous {
            Some(previous) => bring_back(cx, previous),
            None => Ok(()),
        }
    }
}

/// A worker that waits for its queue notices only after its wait that it was asked to end, and may
/// still take a task by then. What has not ended in time has a task, and takes no other.
fn wait_until_idle_ones_ended<'a>(
    cx: &Context<'_>,
    asked: impl Iterator<Item = &'a String> + Clone,
) -> Result<(), StepError> {
    cx.wait(LAST_LOOK, POLL, || {
        let states = cx.host.states()?;
        Ok((!asked.clone().any(|name| is_there(&states, name))).then_some(()))
    })?;
    Ok(())
}

/// What is fetched until the last task is done may be a task that only the new code knows.
fn end_those_that_fetch(cx: &Context<'_>, workers: &[OldWorker]) -> Result<(), StepError> {
    let states = cx.host.states()?;
    let fetches = |worker: &&OldWorker| worker.service.as_ref().is_some_and(Service::fetches_until_it_ends);
    let fetching = workers.iter().filter(fetches).map(|worker| worker.name.clone());
    let busy: Vec<String> = fetching.filter(|name| is_there(&states, name)).collect();
    if !busy.is_empty() {
        cx.line(&format!("waiting for the last task of {}, which fetches more until then", busy.join(", ")));
    }
    Ok(cx.host.stop(&busy)?)
}

/// The old workers that run, but may have been told already to take no more tasks.
fn silenced(cx: &Context<'_>) -> Result<Vec<String>, StepError> {
    let mut old = old_workers(cx, &retire::states(cx)?);
    old.retain(|worker| {
        let previous = cx.run.previous.as_ref() == Some(&worker.generation);
        let may_be_told =
            worker.handover() == Handover::Overlap && worker.service.as_ref().is_some_and(takes_orders);
        worker.alive && previous && may_be_told
    });
    Ok(names(&old))
}

fn names(workers: &[OldWorker]) -> Vec<String> {
    workers.iter().map(|worker| worker.name.clone()).collect()
}

fn replaced(run: &Run) -> impl Iterator<Item = &Service> {
    run.config.services.iter().filter(|service| service.handover == Handover::Replace)
}

fn replacements(run: &Run) -> impl Iterator<Item = (&Service, Program)> {
    let programs = programs(run, &run.generation, &run.config);
    programs.filter(|(service, _)| service.handover == Handover::Replace)
}

fn start_replacements(cx: &Context<'_>) -> Result<(), StepError> {
    for (service, program) in replacements(cx.run) {
        let name = program.name.clone();
        cx.host.start(&[program])?;
        match trusted(cx, &name, service) {
            Err(error) if service.optional => cx.warn(error.in_one_line()),
            result => result?,
        }
    }
    Ok(())
}

/// Waits until the process manager trusts the program to stay, and proves what it runs from.
fn trusted(cx: &Context<'_>, program: &str, service: &Service) -> Result<(), StepError> {
    if stays_up(cx, program)? {
        let states = cx.host.states()?;
        return states
            .iter()
            .filter(|state| state.name == program)
            .try_for_each(|state| prove(cx, state).map(drop));
    }
    Err(StepError::Service {
        service: service.name.clone(),
        what: "does not stay up".to_owned(),
        output: log_tail(cx, program),
        help: Some(format!("its whole log is {}", cx.run.layout.service_log(program).display())),
    })
}

/// Old workers that were told to stop may be finishing still: their like comes back beside them,
/// under the name that the run reserved for that.
fn bring_back(cx: &Context<'_>, previous: &Generation) -> Result<(), StepError> {
    let states = retire::states(cx)?;
    let again = cx.run.stand_in.as_ref().unwrap_or(previous);
    let config = config_of(cx, previous).unwrap_or_default();
    let old = programs(cx.run, previous, &config);
    let gone: Vec<Program> = old
        .zip(programs(cx.run, again, &config))
        .filter(|((service, old), _)| !service.handover.listens() && !is_alive(&states, &old.name))
        .map(|(_, (_, program))| program)
        .collect();
    // To start none would start the process manager, and install it first.
    if gone.is_empty() { Ok(()) } else { Ok(cx.host.start(&gone)?) }
}
