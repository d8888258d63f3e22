//! Whether the release that `current` was pointed back at serves.

use std::time::Duration;

use release_core::config::{Handover, Health};
use release_core::host::HostResult;
use release_core::release::Generation;
use release_core::release_record::ReleaseRecord;
use release_core::service::{Program, programs_of};
use release_core::step::{Context, StepError};

use crate::answer::{Answer, Question, log_tail};
use crate::programs;
use crate::retire::{self, RETIRE};

/// How long a restored release may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks every service of `previous` through `current`, as users do.
pub(crate) fn check_restored(cx: &Context<'_>, previous: &Generation) -> Result<(), StepError> {
    for service in services_of(cx, previous)? {
        let health = health(cx, previous, &service);
        let socket = cx.run.layout.current_socket(&service);
        let answer = Question::health(socket, &health).ask_until(cx, LIMIT, Answer::is_served)?;
        if !answer.is_served() {
            return Err(unwell(cx, previous, service, &answer.what(&health.path)));
        }
    }
    Ok(())
}

/// Starts what has stopped or failed of `previous` since it served, before users are sent back to it.
pub(crate) fn revive(cx: &Context<'_>, previous: &Generation) {
    // Whether it serves is asked afterwards: there is no better place to go back to.
    if let Err(error) = start_again(cx, previous) {
        cx.warn(format!("cannot start {} again: {}", previous.release, error.in_one_line()));
    }
}

fn start_again(cx: &Context<'_>, previous: &Generation) -> Result<(), StepError> {
    let record = ReleaseRecord::of_generation(cx.host, &cx.run.layout, previous)?;
    let Some(record) = record.filter(|record| !record.config.services.is_empty()) else { return Ok(()) };
    let states = retire::states(cx)?;
    let alive: Vec<&str> = programs_of(&states, previous)
        .filter(|state| state.state.is_alive())
        .map(|state| state.name.as_str())
        .collect();
    let programs = programs::programs(cx.run, previous, &record.config);
    let dead: Vec<Program> = programs
        .filter(|(service, _)| service.handover == Handover::Socket)
        .map(|(_, program)| program)
        .filter(|program| !alive.contains(&program.name.as_str()))
        .collect();
    if dead.is_empty() { Ok(()) } else { Ok(cx.host.start(&dead)?) }
}

/// The web services of a generation that the process manager knows.
fn services_of(cx: &Context<'_>, generation: &Generation) -> HostResult<Vec<String>> {
    let known = programs::services_of(cx, generation);
    let answers =
        |name: &String| known.iter().all(|service| service.name != *name || service.handover.listens());
    let states = retire::states(cx)?;
    let names = programs_of(&states, generation).filter_map(|state| Generation::of_program(&state.name));
    Ok(names.map(|(service, _)| service).filter(|name| name != RETIRE && answers(name)).collect())
}

/// What the service was asked for when its release was new.
fn health(cx: &Context<'_>, generation: &Generation, service: &str) -> Health {
    let known = programs::services_of(cx, generation).into_iter().find(|known| known.name == service);
    known.map_or_else(Health::default, |known| known.health)
}

fn unwell(cx: &Context<'_>, previous: &Generation, service: String, what: &str) -> StepError {
    let (release, program) = (&previous.release, previous.program(&service));
    let log = cx.run.layout.service_log(&program);
    StepError::Service {
        service,
        what: format!("of the restored release {release} {what}"),
        output: log_tail(cx, &program),
        help: Some(format!(
            "current points at {release} again, but it is not well: look at {}, then `release recover`",
            log.display()
        )),
    }
}
