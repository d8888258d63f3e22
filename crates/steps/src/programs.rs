//! The programs that the process manager runs for us.

use std::cmp::Reverse;
use std::time::Duration;

use release_core::config::{Config, Handover, Service};
use release_core::host::Host;
use release_core::layout::Layout;
use release_core::release::Generation;
use release_core::release_record::ReleaseRecord;
use release_core::run::Run;
use release_core::server::Server;
use release_core::service::{Program, ProgramState, Running, programs_of};
use release_core::step::{Context, StepError};

use crate::retire::RETIRE;

/// Every program of `config` in `generation`, with its service, in the order in which they start.
pub(crate) fn programs<'a>(
    run: &'a Run,
    generation: &'a Generation,
    config: &'a Config,
) -> impl Iterator<Item = (&'a Service, Program)> {
    config.services.iter().zip(1..).flat_map(move |(service, order)| {
        let instances = service.instances_on(run.cores).into_iter();
        instances.map(move |instance| (service, program(run, generation, config, service, instance, order)))
    })
}

/// One instance of a service of `generation` as its manager runs it: through the door that sets its
/// environment.
fn program(
    run: &Run,
    generation: &Generation,
    config: &Config,
    service: &Service,
    instance: Option<u32>,
    order: u32,
) -> Program {
    let boot = generation.to_string();
    let which = ["--boot", &boot, "--service", &service.name];
    let instance_words = instance.map(|number| ["--instance".to_owned(), number.to_string()]);
    let which = which.map(str::to_owned).into_iter().chain(instance_words.into_iter().flatten());
    let name = generation.program(&service.instance_name(instance));
    let ladder = service.ladder();
    let first = ladder.first().map_or("TERM", |rung| rung.signal.as_str());
    Program {
        command: run.door.iter().cloned().chain(which).collect(),
        directory: run.layout.app(&generation.release, config),
        stop_signal: first.to_owned(),
        stop_wait: service.killed_after(),
        climb: service.climb(),
        log: run.layout.service_log(&name),
        rotation: service.log,
        order,
        restart: true,
        notifies: Server::of(&shell_words::split(&service.command).unwrap_or_default()).notifies(),
        manager: config.manager.clone(),
        name,
    }
}

/// Whether the program has a process.
pub(crate) fn is_alive(states: &[ProgramState], name: &str) -> bool {
    states.iter().any(|state| state.name == name && state.state.is_alive())
}

/// Whether the program has a process, be it one that is ending.
pub(crate) fn is_there(states: &[ProgramState], name: &str) -> bool {
    states.iter().any(|state| state.name == name && state.state.is_there())
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
    order: Option<usize>,
}

impl OldWorker {
    pub(crate) fn handover(&self) -> Handover {
        self.service.as_ref().map_or(Handover::Overlap, |service| service.handover)
    }
}

/// Every such program among those that the process manager knows, the last to start first.
pub(crate) fn old_workers(cx: &Context<'_>, states: &[ProgramState]) -> Vec<OldWorker> {
    let mut found = Vec::new();
    for state in states {
        let Some((name, generation)) = Generation::of_program(&state.name) else { continue };
        if generation == cx.run.generation || name == RETIRE {
            continue;
        }
        let known = services_of(cx, &generation);
        let order = known.iter().position(|service| service.name == name);
        let service = order.map(|order| known[order].clone());
        let alive = state.state.is_alive();
        let worker = OldWorker { name: state.name.clone(), generation, service, order, alive };
        if !worker.handover().listens() {
            found.push(worker);
        }
    }
    found.sort_by_key(|worker| Reverse(worker.order));
    found
}

/// The programs of a generation that the process manager knows, the last to start first.
pub(crate) fn latest_first(
    cx: &Context<'_>,
    generation: &Generation,
    states: &[ProgramState],
) -> Vec<String> {
    let services = services_of(cx, generation);
    let order = |name: &String| {
        let service = Generation::of_program(name).map(|(service, _)| service).unwrap_or_default();
        Reverse(services.iter().position(|known| known.name == service))
    };
    let mut names: Vec<String> = programs_of(states, generation).map(|state| state.name.clone()).collect();
    names.sort_by_key(order);
    names
}

/// The services of a generation, as its release's record has them.
pub(crate) fn services_of(cx: &Context<'_>, generation: &Generation) -> Vec<Service> {
    config_of(cx, generation).map(|config| config.services).unwrap_or_default()
}

/// The configuration of a generation, as its release's record has it.
pub(crate) fn config_of(cx: &Context<'_>, generation: &Generation) -> Option<Config> {
    recorded(cx.host, &cx.run.layout, generation)
}

/// Like [`config_of`].
fn recorded(host: &dyn Host, layout: &Layout, generation: &Generation) -> Option<Config> {
    // A record that cannot be read must not keep anything from ending or coming back.
    let record = ReleaseRecord::of_generation(host, layout, generation).ok().flatten();
    record.map(|record| record.config)
}

/// The service that runs as `program`, and the generation that it is of.
pub(crate) fn service_of(host: &dyn Host, layout: &Layout, program: &str) -> Option<(Generation, Service)> {
    let (name, generation) = Generation::of_program(program)?;
    let services = recorded(host, layout, &generation)?.services;
    Some((generation, services.into_iter().find(|service| service.name == name)?))
}
