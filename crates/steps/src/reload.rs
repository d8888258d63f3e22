//! `handover: reload`: a master that belongs to no release, and loads each new one in place.
//!
//! A reload by itself would give users half a release, or none if the new code does not start. So the
//! release is booted beside it first, as with `handover: socket`; it serves as a stand-in while
//! the master reloads behind it, with no users. Only a master whose processes all run from the
//! new release takes over from the stand-in.

mod master;
mod preload;
mod workers_alone;

use std::path::PathBuf;
use std::time::Duration;

use release_core::config::{Config, Reload as How, Service};
use release_core::host::HostResult;
use release_core::release::Generation;
use release_core::run::Run;
use release_core::standing;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::activate::{To, master_serves, point_links};
use crate::answer::{Answer, Question};
use crate::drain::wait_until_quiet;
use crate::programs::{config_of, programs};
use master::Master;

pub use master::stamp;

/// Makes the masters that belong to no release load the new one, and take over.
#[derive(Clone, Copy, Debug)]
pub struct Reload;

/// Ends the stand-ins, and masters that the new release does not have.
#[derive(Clone, Copy, Debug)]
pub struct EndStandIns;

const NONE: &str = "no service is reloaded";

impl Step for Reload {
    fn id(&self) -> &'static str {
        "reload"
    }

    fn describe(&self, run: &Run) -> String {
        let how = |(service, how): (&Service, &How)| format!("{} by {how}", service.name);
        format!("reload {}", run.config.reloading().map(how).collect::<Vec<_>>().join(", "))
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("let the stand-ins serve again")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if cx.run.config.reloading().next().is_none() {
            return Ok(Look::Nothing(NONE.to_owned()));
        }
        Ok(Look::Needed(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if cx.run.config.reloading().next().is_none() {
            return Ok(Outcome::Skipped(NONE.to_owned()));
        }
        let notes = settle(cx, &cx.run.generation, &cx.run.config)?;
        Ok(Outcome::DoneWith(notes.join("; ")))
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        // Nobody may be sent to a master that is about to load another release.
        for (service, _) in cx.run.config.reloading() {
            let socket = cx.run.layout.socket(&cx.run.generation, &service.name);
            if cx.host.socket_use(&socket)?.listening {
                point_links(cx, &cx.run.generation, service, To::Own)?;
            }
        }
        Ok(())
    }
}

impl Step for EndStandIns {
    fn id(&self) -> &'static str {
        "end-stand-ins"
    }

    fn describe(&self, _: &Run) -> String {
        "end stand-ins, and masters that are not wanted any more".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Cannot("they have ended")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(match superfluous(cx, &cx.run.generation, &cx.run.config)?.is_empty() {
            true => Look::Nothing(NONE.to_owned()),
            false => Look::Needed(self.describe(cx.run)),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        match end_superfluous(cx, &cx.run.generation, &cx.run.config)? {
            0 => Ok(Outcome::Skipped(NONE.to_owned())),
            _ => Ok(Outcome::Done),
        }
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Refuses a release of which is known that a reload would leave old code behind.
pub(crate) fn refuse(cx: &Context<'_>) -> Result<(), StepError> {
    preload::refuse(cx)?;
    workers_alone::refuse(cx)
}

/// Makes the masters of `generation`, which `current` leads to, run it, and hands the users over to them.
fn settle(cx: &Context<'_>, generation: &Generation, config: &Config) -> Result<Vec<String>, StepError> {
    let mut notes = Vec::new();
    for (service, how) in config.reloading() {
        let master = Master { cx, generation, config, service };
        notes.push(format!("{} {}", service.name, master.load(how)?));
        point_links(cx, generation, service, To::Master)?;
    }
    Ok(notes)
}

/// Before users are sent back to `previous`: where its master has been touched, its own processes
/// stand in for it.
pub(crate) fn stand_in(cx: &Context<'_>, previous: &Generation) -> Result<(), StepError> {
    let config = config_of(cx, previous).unwrap_or_default();
    for (service, _) in config.reloading() {
        let master = Master { cx, generation: previous, config: &config, service };
        if master.runs_it()? && master_serves(cx.host, &cx.run.layout, previous, service)? {
            continue;
        }
        let own = programs(cx.run, previous, &config).filter(|(own, _)| own.name == service.name);
        cx.host.start(&own.map(|(_, program)| program).collect::<Vec<_>>())?;
        let socket = cx.run.layout.socket(previous, &service.name);
        let question = Question::health(socket, &service.health);
        // Whether it serves is asked afterwards: there is no better place to go back to.
        question.ask_until(cx, service.health.timeout.0, Answer::is_served)?;
        point_links(cx, previous, service, To::Own)?;
    }
    Ok(())
}

/// After users were sent back to `previous`, or to nobody: its masters load it again. Until they
/// have, its own processes serve, and with those all is well, too.
pub(crate) fn return_to(cx: &Context<'_>, previous: Option<&Generation>) {
    let config = previous.and_then(|previous| config_of(cx, previous)).unwrap_or_default();
    let own = previous.unwrap_or(&cx.run.generation);
    let settled = settle(cx, own, &config).and_then(|_| end_superfluous(cx, own, &config));
    if let Err(error) = settled {
        cx.warn(format!("{}; its own processes serve meanwhile", error.in_one_line()));
    }
}

/// A program that nobody should need any more, where it listens, and how long that may take to fall quiet.
type Superfluous = (String, PathBuf, Duration);

/// For a service that the new release does not have any more.
const DRAIN: Duration = Duration::from_secs(10);

/// Stand-ins whose master has taken over, and masters of services that are reloaded no more.
fn superfluous(cx: &Context<'_>, generation: &Generation, config: &Config) -> HostResult<Vec<Superfluous>> {
    let (states, layout) = (cx.host.states()?, &cx.run.layout);
    let mut found = Vec::new();
    for (service, _) in config.reloading() {
        let own = generation.program(&service.name);
        if states.iter().any(|state| state.name == own)
            && master_serves(cx.host, layout, generation, service)?
        {
            found.push((own, layout.socket(generation, &service.name), service.drain.0));
        }
    }
    let wanted = |name: &str| config.reloading().any(|(service, _)| service.name == name);
    let masters = states.iter().filter_map(|state| standing::of_program(&state.name));
    found.extend(masters.filter(|name| !wanted(name)).map(|name| {
        let drain =
            config.services.iter().find(|service| service.name == name).map(|service| service.drain.0);
        (standing::program(name), layout.standing_socket(name), drain.unwrap_or(DRAIN))
    }));
    Ok(found)
}

fn end_superfluous(cx: &Context<'_>, generation: &Generation, config: &Config) -> Result<usize, StepError> {
    let found = superfluous(cx, generation, config)?;
    if found.is_empty() {
        return Ok(0);
    }
    let sockets: Vec<_> = found.iter().map(|(_, socket, drain)| (socket.clone(), *drain)).collect();
    wait_until_quiet(cx, &sockets)?;
    cx.host.stop(&found.iter().map(|(name, _, _)| name.clone()).collect::<Vec<_>>())?;
    found.iter().try_for_each(|(_, socket, _)| cx.host.remove(socket))?;
    Ok(found.len())
}
