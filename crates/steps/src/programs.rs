//! The programs that the process manager runs for us.

use std::time::Duration;

use release_core::config::{Config, Handover, Manager, Service};
use release_core::release::Generation;
use release_core::release_record::ReleaseRecord;
use release_core::server::Server;
use release_core::service::{Program, ProgramState, Running};
use release_core::step::{Context, StepError};

use crate::retire::RETIRE;

/// The service of `generation` as its process manager runs it: through the door that sets its
/// environment.
pub(crate) fn program(cx: &Context<'_>, generation: &Generation, service: &Service) -> Program {
    let run = cx.run;
    let boot = generation.to_string();
    let which = ["--boot", &boot, "--service", &service.name];
    let name = generation.program(&service.name);
    let ladder = service.ladder();
    let first = ladder.first().map_or("TERM", |rung| rung.signal.as_str());
    Program {
        command: run.door.iter().cloned().chain(which.map(str::to_owned)).collect(),
        directory: run.layout.release(&generation.release),
        stop_signal: first.to_owned(),
        stop_wait: service.patience(),
        climb: climb(service),
        log: run.layout.service_log(&name),
        restart: true,
        notifies: Server::of(&shell_words::split(&service.command).unwrap_or_default()).notifies(),
        manager: manager(cx, generation),
        name,
    }
}

/// What the release of `generation` wants to run it.
fn manager(cx: &Context<'_>, generation: &Generation) -> Manager {
    let config = if generation.release == *cx.run.release() {
        Some(cx.run.config.clone())
    } else {
        config_of(cx, generation)
    };
    config.map_or_else(|| cx.run.config.manager.clone(), |config| config.manager)
}

/// When each signal after the first is due.
fn climb(service: &Service) -> Vec<(Duration, String)> {
    let mut at = Duration::ZERO;
    let mut climb = Vec::new();
    for (index, rung) in service.ladder().into_iter().enumerate() {
        if index > 0 {
            climb.push((at, rung.signal));
        }
        at += rung.wait.0;
    }
    climb
}

/// Whether the program has a process.
pub(crate) fn is_alive(states: &[ProgramState], name: &str) -> bool {
    states.iter().any(|state| state.name == name && state.state.is_alive())
}

/// How long the process manager may take to trust a program that was just started.
const TRUST: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);

/// Waits until the process manager trusts the program to stay; false if it did not.
pub(crate) fn stays_up(cx: &Context<'_>, program: &str) -> Result<bool, StepError> {
    let running = cx.wait(TRUST, POLL, || {
        let states = cx.host.states()?;
        let state = states.iter().find(|state| state.name == program).map(|state| state.state);
        match state {
            Some(Running::Running) => Ok(Some(true)),
            Some(Running::Starting) => Ok(None),
            _ => Ok(Some(false)),
        }
    })?;
    Ok(running == Some(true))
}

/// A program of an older generation that is no web server.
#[derive(Debug)]
pub(crate) struct OldWorker {
    pub(crate) name: String,
    pub(crate) generation: Generation,
    /// `None` where the record of its release cannot be read.
    pub(crate) service: Option<Service>,
    pub(crate) alive: bool,
}

impl OldWorker {
    pub(crate) fn handover(&self) -> Handover {
        self.service.as_ref().map_or(Handover::Overlap, |service| service.handover)
    }
}

/// Every such program among those that the process manager knows.
pub(crate) fn old_workers(cx: &Context<'_>, states: &[ProgramState]) -> Vec<OldWorker> {
    let mut found = Vec::new();
    for state in states {
        let Some((name, generation)) = Generation::of_program(&state.name) else { continue };
        if generation == cx.run.generation || name == RETIRE {
            continue;
        }
        let service = services_of(cx, &generation).into_iter().find(|service| service.name == name);
        let worker =
            OldWorker { name: state.name.clone(), generation, service, alive: state.state.is_alive() };
        if worker.handover() != Handover::Socket {
            found.push(worker);
        }
    }
    found
}

/// The services of a generation, as its release's record has them.
pub(crate) fn services_of(cx: &Context<'_>, generation: &Generation) -> Vec<Service> {
    config_of(cx, generation).map(|config| config.services).unwrap_or_default()
}

fn config_of(cx: &Context<'_>, generation: &Generation) -> Option<Config> {
    // A record that cannot be read must not keep anything from ending or coming back.
    let record = ReleaseRecord::read(cx.host, &cx.run.layout, &generation.release).ok().flatten();
    record.map(|record| record.config)
}
