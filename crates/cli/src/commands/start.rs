//! `release start`: brings the active release's processes back.

use release_core::config::Handover;
use release_core::event::Observer;
use release_core::exit_code;
use release_core::host::{Clock, Processes, Services};
use release_core::port::ports;
use release_core::release::{Generation, ReleaseId};
use release_core::release_record::ReleaseRecord;
use release_core::run::{Action, Run};
use release_core::standing;
use release_core::state::State;
use release_core::step::{Context, Outcome, Step};
use release_steps::boot::Boot;
use release_steps::cron::KeepEntries;
use release_steps::hand_over::HandOver;
use release_steps::health_check::HealthCheck;
use release_steps::ports::OpenPorts;
use release_steps::prove::Prove;
use release_steps::reload::{EndStandIns, Reload};
use release_steps::shutdown::Shutdown;

use crate::error::Error;
use crate::output::Screen;
use crate::recovery::recover;
use crate::road::{self, Target};
use crate::site::{Site, nothing_live};

/// Starts the active release.
pub(crate) fn run(mut site: Site, screen: &Screen) -> Result<u8, Error> {
    let _lock = road::lock(&site, screen, "start", None, None)?;
    recover(&mut site, screen)?;
    bring_up(&site, screen)?;
    Ok(exit_code::DONE)
}

/// Whether the active release has a process that does not run.
pub(crate) fn is_down(site: &Site, state: &State, release: &ReleaseId) -> Result<bool, Error> {
    // A record that cannot be read tells no services to start: `deploy --force` makes another.
    let record = ReleaseRecord::read(&site.host, &site.layout, release).ok().flatten();
    let (Some(record), Some(generation)) = (record, site.serving(state)?) else { return Ok(false) };
    let states = site.host.states()?;
    let is_alive = |name: String| states.iter().any(|state| state.name == name && state.state.is_alive());
    let cores = site.host.cores();
    let services = record.config.services.iter().flat_map(|service| {
        let name = |instance| match service.handover {
            Handover::Reload => standing::program(&service.name),
            _ => generation.program(&service.instance_name(instance)),
        };
        service.instances_on(cores).into_iter().map(name)
    });
    let forwarders = ports(&record.config).map(|(port, _)| port.program());
    Ok(!services.chain(forwarders).all(is_alive))
}

/// Starts what does not run of the active release. The caller holds the lock.
pub(crate) fn bring_up(site: &Site, screen: &Screen) -> Result<(), Error> {
    let run = active(site)?;
    // What a stopped manager still knows of other generations must not come back with it.
    let known = site.host.known_programs()?;
    let old: Vec<String> = known.into_iter().filter(|name| is_old(name, &run.generation)).collect();
    let cx = |step| Context { host: &site.host, run: &run, observer: screen as &dyn Observer, step };
    Shutdown::of(&cx("start")).stop(&old)?;
    let steps: [&dyn Step; 8] =
        [&Boot, &HealthCheck, &Prove, &OpenPorts, &HandOver, &Reload, &EndStandIns, &KeepEntries];
    for step in steps {
        let started = site.host.elapsed();
        step.run(&cx(step.id()))?;
        let took = crate::output::seconds((site.host.elapsed() - started).as_secs_f64());
        screen.say(&format!("  {:<15} {took:>8}", step.id()));
    }
    screen.say(&format!("{} is live", run.release()));
    Ok(())
}

/// Puts entries of cron back that a stop, or somebody, took out. The caller holds the lock.
pub(crate) fn keep_entries(site: &Site, screen: &Screen) -> Result<(), Error> {
    // A record that cannot be read tells of no entries.
    let Ok(run) = active(site) else { return Ok(()) };
    let cx =
        Context { host: &site.host, run: &run, observer: screen as &dyn Observer, step: KeepEntries.id() };
    if KeepEntries.run(&cx)? == Outcome::Done {
        screen.say("put its entries of cron back");
    }
    Ok(())
}

fn is_old(program: &str, active: &Generation) -> bool {
    Generation::of_program(program).is_some_and(|(_, generation)| generation != *active)
}

/// The run that made live what is live.
pub(crate) fn active(site: &Site) -> Result<Run, Error> {
    let (state, record) = (site.state()?, site.active_record()?);
    let generation = site.serving(&state)?.ok_or_else(nothing_live)?;
    let target =
        Target { action: Action::Rollback, generation, revision: record.revision, config: record.config };
    road::run(site, site.layout.clone(), &state, target)
}
