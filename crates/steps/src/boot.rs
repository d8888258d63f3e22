//! Starts the new generation, each service on a socket of its own.

use release_core::config::{Handover, Service};
use release_core::host::{Account, HostResult};
use release_core::layout::{Layout, SOCKET_PATH_LIMIT};
use release_core::release::Generation;
use release_core::run::Run;
use release_core::service::{Program, ProgramState, Running};
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::programs::{is_alive, programs};
use crate::reload;
use crate::retire;
use crate::shutdown::Shutdown;

/// Starts the new generation.
#[derive(Clone, Copy, Debug)]
pub struct Boot;

const WARM: &str = "its processes run already";
const NO_SERVICES: &str = "there are no services";

impl Step for Boot {
    fn id(&self) -> &'static str {
        "boot"
    }

    fn describe(&self, run: &Run) -> String {
        let names: Vec<&str> = run.config.services.iter().map(|service| service.name.as_str()).collect();
        if names.is_empty() { NO_SERVICES.to_owned() } else { format!("start {}", names.join(", ")) }
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("stop the new generation")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if cx.run.config.services.is_empty() {
            return Ok(Look::Nothing(NO_SERVICES.to_owned()));
        }
        if all_alive(cx)? {
            Ok(Look::Nothing(WARM.to_owned()))
        } else {
            Ok(Look::Needed(self.describe(cx.run)))
        }
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if cx.run.config.services.is_empty() {
            return Ok(Outcome::Skipped(NO_SERVICES.to_owned()));
        }
        check_lengths(cx.run)?;
        reload::refuse(cx)?;
        retire::keep(cx.host, &cx.run.generation)?;
        if all_alive(cx)? {
            return Ok(Outcome::Skipped(WARM.to_owned()));
        }
        let alone = is_alone(cx, &cx.host.states()?);
        launch(cx, booted(cx.run, alone))?;
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let run = cx.run;
        if run.previous.as_ref() == Some(&run.generation) {
            return Ok(());
        }
        retire::keep(cx.host, &run.generation)?;
        // A manager that does not run tells no states, but may know the programs all the same.
        let names = programs(run, &run.generation, &run.config).map(|(_, program)| program.name);
        let shutdown = Shutdown::of(cx);
        shutdown.stop(&names.collect::<Vec<_>>())?;
        retire::stop_generation(&shutdown, &run.generation)?;
        Ok(())
    }
}

/// Starts the web servers that nothing else has to be started before.
pub(crate) fn launch_first(cx: &Context<'_>) -> Result<(), StepError> {
    check_lengths(cx.run)?;
    let programs = programs(cx.run, &cx.run.generation, &cx.run.config);
    let first = programs.take_while(|(service, _)| service.handover == Handover::Socket);
    launch(cx, first.map(|(_, program)| program))
}

/// Starts those of `programs` that do not run yet.
fn launch(cx: &Context<'_>, programs: impl Iterator<Item = Program>) -> Result<(), StepError> {
    let states = cx.host.states()?;
    make_way(cx, &states)?;
    let missing: Vec<Program> = programs.filter(|program| !is_alive(&states, &program.name)).collect();
    Ok(cx.host.start(&missing)?)
}

/// What may run beside its like of the old generation; the others wait for the hand-over, unless
/// nothing else runs: then all start in their order.
fn booted(run: &Run, alone: bool) -> impl Iterator<Item = Program> {
    let programs = programs(run, &run.generation, &run.config);
    programs
        .filter(move |(service, _)| alone || service.handover != Handover::Replace)
        .map(|(_, program)| program)
}

fn all_alive(cx: &Context<'_>) -> HostResult<bool> {
    let states = cx.host.states()?;
    let alone = is_alone(cx, &states);
    Ok(booted(cx.run, alone).all(|program| is_alive(&states, &program.name)))
}

/// Whether no process of another generation is left: what may run only once may have another name there.
fn is_alone(cx: &Context<'_>, states: &[ProgramState]) -> bool {
    let is_own = |state: &ProgramState| {
        Generation::of_program(&state.name).is_none_or(|(_, generation)| generation == cx.run.generation)
    };
    states
        .iter()
        .all(|state| is_own(state) || state.state == Running::Stopped || state.state == Running::Failed)
}

fn check_lengths(run: &Run) -> Result<(), StepError> {
    for service in run.config.listening() {
        let path = run.layout.socket(&run.generation, &service.name);
        let length = path.as_os_str().len();
        if length > SOCKET_PATH_LIMIT {
            return Err(StepError::Refused {
                what: format!(
                    "the socket path {} is {length} bytes long, and {SOCKET_PATH_LIMIT} is the limit",
                    path.display()
                ),
                help: "use a shorter root, or a shorter name for the service".to_owned(),
            });
        }
    }
    Ok(())
}

/// Some servers refuse to start where a socket file of an earlier attempt is left. One that was just
/// started has made its own, or is about to.
fn make_way(cx: &Context<'_>, states: &[ProgramState]) -> Result<(), StepError> {
    let (layout, generation) = (&cx.run.layout, &cx.run.generation);
    cx.host.make_dir(&layout.run(&generation.release))?;
    open_to_users(cx)?;
    for service in cx.run.config.listening() {
        let socket = layout.socket(generation, &service.name);
        if is_alive(states, &generation.program(&service.name)) {
            continue;
        }
        if !cx.host.socket_use(&socket)?.listening {
            cx.host.remove(&socket)?;
            cx.host.remove(&Layout::socket_lock(&socket))?;
        }
    }
    Ok(())
}

/// Lets the services of other users read the release, and make their sockets.
fn open_to_users(cx: &Context<'_>) -> Result<(), StepError> {
    let (layout, release) = (&cx.run.layout, cx.run.release());
    for service in &cx.run.config.services {
        let Some(user) = other_user(cx, service)? else { continue };
        if service.handover.listens() {
            cx.host.give(&layout.run(release), &user)?;
        }
        let python = layout.venv(release).join("bin/python");
        for path in [layout.revision_file(release), python] {
            if cx.host.kind(&path)?.is_some() && !cx.host.may_read(&user, &path)? {
                return Err(StepError::Refused {
                    what: format!(
                        "the user `{}` of services.{} may not read {}",
                        user.name,
                        service.name,
                        path.display()
                    ),
                    help: format!(
                        "see what stands in the way: `namei -l {}`; and deploy with `umask 022`",
                        path.display()
                    ),
                });
            }
        }
    }
    Ok(())
}

/// The user of a service, if it is not the one who deploys.
fn other_user(cx: &Context<'_>, service: &Service) -> HostResult<Option<Account>> {
    let Some(name) = &service.process.user else { return Ok(None) };
    Ok(cx.host.user(name)?.filter(|user| user.uid != cx.host.own_uid()))
}
