//! `release status`: what is live, what runs, and what was interrupted.

use std::net::SocketAddr;

use jiff::Timestamp;
use release_core::draining::Draining;
use release_core::exit_code;
use release_core::host::{Processes, Services};
use release_core::port::Port;
use release_core::release::{Generation, ReleaseId};
use release_core::release_record::ReleaseRecord;
use release_core::revision::Revision;
use release_core::service::{ProgramState, Running};
use release_core::standing;
use release_core::state::{Activation, State};
use release_host::{Holder, Lock, LockError};
use release_steps::retire::RETIRE;
use serde::Serialize;

use crate::commands::cron;
use crate::error::Error;
use crate::output::Screen;
use crate::site::Site;

/// `status --json`.
#[derive(Serialize)]
struct Status {
    root: String,
    current: Option<Active>,
    previous: Option<Active>,
    interrupted: Option<InterruptedAt>,
    locked: Option<Holder>,
    /// What the active release wants to run its services.
    manager: Option<String>,
    services: Vec<ServiceState>,
    ports: Vec<PortState>,
    cron: Vec<cron::Facts>,
    /// For people: where `current` points if not at a release of ours.
    #[serde(skip)]
    foreign: Option<String>,
}

/// A release that is or was active.
#[derive(Serialize)]
struct Active {
    id: ReleaseId,
    revision: Option<Revision>,
    activated_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct InterruptedAt {
    id: ReleaseId,
    step: String,
}

#[derive(Serialize)]
struct ServiceState {
    name: String,
    release: ReleaseId,
    state: &'static str,
    pid: Option<u32>,
    draining: Option<DrainingSince>,
}

/// A service that was asked to end, and finishes what it has.
#[derive(Serialize)]
struct DrainingSince {
    since: Timestamp,
    until: Option<Timestamp>,
    tasks_left: Option<usize>,
}

#[derive(Serialize)]
struct PortState {
    listen: SocketAddr,
    state: &'static str,
    pid: Option<u32>,
}

/// Shows the status.
pub(crate) fn run(site: &Site, screen: &Screen) -> Result<u8, Error> {
    let status = status(site)?;
    screen.facts(&status, || text(&status));
    Ok(exit_code::DONE)
}

fn status(site: &Site) -> Result<Status, Error> {
    // The lock first: a run that ends between the two reads must not look interrupted.
    let (held, locked) = match Lock::probe(&site.layout) {
        Ok(()) => (false, None),
        Err(LockError::Held { holder }) => (true, holder),
        Err(error) => return Err(error.into()),
    };
    let state = site.state()?;
    let programs = site.host.states()?;
    let current = site.current()?;
    let manager = current.as_ref().and_then(|current| manager(site, current));
    let previous =
        current.as_ref().and_then(|current| state.previous(current, |release| site.exists(release)));
    let interrupted = state.interrupted.as_ref().filter(|_| !held).map(|run| InterruptedAt {
        id: run.generation.release.clone(),
        step: run.step().unwrap_or("begin").to_owned(),
    });
    let release = current.clone();
    Ok(Status {
        root: site.layout.root().display().to_string(),
        previous: previous.map(active),
        cron: cron::facts_of(site, current.as_ref()),
        current: current.map(|current| now_active(&state, current)),
        interrupted,
        locked,
        manager,
        services: services(site, &programs, release.as_ref())?,
        ports: programs.iter().filter_map(port).collect(),
        foreign: site.foreign_current()?,
    })
}

/// A record that cannot be read tells nothing.
fn manager(site: &Site, release: &ReleaseId) -> Option<String> {
    let record = ReleaseRecord::read(&site.host, &site.layout, release).ok().flatten()?;
    (!record.config.services.is_empty()).then(|| record.config.manager.to_string())
}

fn active(activation: &Activation) -> Active {
    Active {
        id: activation.generation.release.clone(),
        revision: Some(activation.revision.clone()),
        activated_at: Some(activation.at),
    }
}

fn now_active(state: &State, current: ReleaseId) -> Active {
    match state.activation(&current) {
        Some(activation) => active(activation),
        // Activated by a run that has not ended yet.
        None => Active { revision: state.revision(&current).cloned(), id: current, activated_at: None },
    }
}

fn services(
    site: &Site,
    programs: &[ProgramState],
    current: Option<&ReleaseId>,
) -> Result<Vec<ServiceState>, Error> {
    let known: Result<Vec<_>, _> = programs.iter().map(|program| service(site, program)).collect();
    let masters = programs.iter().filter_map(|program| master(program, current?));
    Ok(known?.into_iter().flatten().chain(masters).collect())
}

fn service(site: &Site, program: &ProgramState) -> Result<Option<ServiceState>, Error> {
    let Some((name, Generation { release, .. })) = Generation::of_instance(&program.name) else {
        return Ok(None);
    };
    let draining = draining(site, program, &name, &release)?;
    let service = ServiceState { name, release, state: program.state.as_str(), pid: program.pid, draining };
    Ok(Some(service).filter(|service| service.name != RETIRE))
}

fn draining(
    site: &Site,
    program: &ProgramState,
    name: &str,
    release: &ReleaseId,
) -> Result<Option<DrainingSince>, Error> {
    if program.state != Running::Stopping {
        return Ok(None);
    }
    let Some(Draining { since, until, .. }) = Draining::read(&site.host, &site.layout, &program.name)? else {
        return Ok(None);
    };
    let record = ReleaseRecord::read(&site.host, &site.layout, release).ok().flatten();
    let services = record.map(|record| record.config.services).unwrap_or_default();
    let service = services.iter().find(|service| name.split('.').next() == Some(service.name.as_str()));
    let tasks_left = match (service, program.pid) {
        (Some(service), Some(pid)) => service.tasks_left(site.host.children(pid)?.len()),
        _ => None,
    };
    Ok(Some(DrainingSince { since, until, tasks_left }))
}

/// The master of a service that belongs to no release: it has loaded the active one.
fn master(program: &ProgramState, current: &ReleaseId) -> Option<ServiceState> {
    let name = standing::of_program(&program.name)?.to_owned();
    let (release, state) = (current.clone(), program.state.as_str());
    Some(ServiceState { name, release, state, pid: program.pid, draining: None })
}

fn port(program: &ProgramState) -> Option<PortState> {
    let Port(listen) = Port::of_program(&program.name)?;
    Some(PortState { listen, state: program.state.as_str(), pid: program.pid })
}

fn text(status: &Status) -> String {
    let mut text = format!("root      {}\n", status.root);
    let none = status.foreign.as_deref().unwrap_or("nothing is live yet");
    text += &format!("current   {}\n", line(status.current.as_ref(), none));
    text += &format!("previous  {}\n", line(status.previous.as_ref(), "nothing to go back to"));
    if let Some(manager) = &status.manager {
        text += &format!("manager   {manager}\n");
    }
    for service in &status.services {
        let pid = told_pid(service.pid);
        let state = service.draining.as_ref().map_or_else(|| service.state.to_owned(), since);
        text += &format!("service   {} of {}: {state}{pid}\n", service.name, service.release);
    }
    for port in &status.ports {
        text += &format!("port      {}: {}{}\n", port.listen, port.state, told_pid(port.pid));
    }
    if status.services.is_empty() && status.current.is_some() {
        text += &format!("service   none runs; `release start --root {}` starts them\n", status.root);
    }
    for entry in status.cron.iter().filter(|entry| entry.is_unwell()) {
        text += &format!(
            "cron      {} {}; `release cron --root {}` says more\n",
            entry.name,
            entry.last(),
            status.root
        );
    }
    if let Some(holder) = &status.locked {
        text += &format!("locked    by {holder}\n");
    }
    if let Some(InterruptedAt { id, step }) = &status.interrupted {
        text += &format!(
            "interrupted at {step} on the way to {id}; `release recover --root {}` puts it in order\n",
            status.root
        );
    }
    text
}

/// `draining since …, 1 task left, killed at … at the latest`.
fn since(draining: &DrainingSince) -> String {
    let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let tasks = match draining.tasks_left {
        None => String::new(),
        Some(1) => ", 1 task left".to_owned(),
        Some(count) => format!(", {count} tasks left"),
    };
    let until = draining.until.map(|at| format!(", killed at {} at the latest", time(at)));
    format!("draining since {}{tasks}{}", time(draining.since), until.unwrap_or_default())
}

fn told_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

fn line(active: Option<&Active>, none: &str) -> String {
    let Some(active) = active else { return none.to_owned() };
    match active.activated_at {
        Some(at) => format!("{} since {}", active.id, at.strftime("%Y-%m-%d %H:%M:%S UTC")),
        None => active.id.to_string(),
    }
}
