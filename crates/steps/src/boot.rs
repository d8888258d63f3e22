//! Starts the new generation, each service on a socket of its own.

use release_core::config::{Handover, Service};
use release_core::host::HostResult;
use release_core::layout::SOCKET_PATH_LIMIT;
use release_core::run::Run;
use release_core::service::Program;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::programs::{is_alive, program};
use crate::retire;

/// Starts the new generation.
#[derive(Clone, Copy, Debug)]
pub struct Boot;

const WARM: &str = "its processes still run";
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
        retire::keep(cx.host, &cx.run.generation)?;
        if all_alive(cx)? {
            return Ok(Outcome::Skipped(WARM.to_owned()));
        }
        make_way(cx)?;
        let generation = &cx.run.generation;
        let programs: Vec<Program> =
            services(cx.run).map(|service| program(cx, generation, service)).collect();
        cx.host.start(&programs)?;
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let run = cx.run;
        if run.previous.as_ref() == Some(&run.generation) {
            return Ok(());
        }
        retire::keep(cx.host, &run.generation)?;
        // A manager that does not run tells no states, but may know the programs all the same.
        let names: Vec<String> =
            run.config.services.iter().map(|service| run.generation.program(&service.name)).collect();
        cx.host.stop(&names)?;
        retire::stop_generation(cx.host, &run.layout, &run.generation)?;
        Ok(())
    }
}

/// What may run beside its like of the old generation; the others wait for the hand-over.
fn services(run: &Run) -> impl Iterator<Item = &Service> {
    run.config.services.iter().filter(|service| service.handover != Handover::Replace)
}

fn all_alive(cx: &Context<'_>) -> HostResult<bool> {
    let states = cx.host.states()?;
    Ok(services(cx.run).all(|service| is_alive(&states, &cx.run.generation.program(&service.name))))
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

/// Some servers refuse to start where a socket file of an earlier attempt is left.
fn make_way(cx: &Context<'_>) -> HostResult<()> {
    let (layout, generation) = (&cx.run.layout, &cx.run.generation);
    cx.host.make_dir(&layout.run(&generation.release))?;
    for service in cx.run.config.listening() {
        let socket = layout.socket(generation, &service.name);
        if !cx.host.socket_use(&socket)?.listening {
            cx.host.remove(&socket)?;
            cx.host.remove(&layout.socket_lock(generation, &service.name))?;
        }
    }
    Ok(())
}
