//! The fixed TCP ports: each is held by a forwarder that goes on through all releases.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use release_core::config::{Config, Log, Service};
use release_core::host::{Host, HostResult, Kind};
use release_core::layout::Layout;
use release_core::port::{FORWARDER, HOLDER, Port, ports};
use release_core::release::Generation;
use release_core::run::Run;
use release_core::service::{Program, ProgramState};
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::answer::log_tail;
use crate::programs::{is_alive, services_of, stays_up};

/// Takes the ports that nobody holds for this app yet.
#[derive(Clone, Copy, Debug)]
pub struct OpenPorts;

/// Gives up the ports that the new release does not have.
#[derive(Clone, Copy, Debug)]
pub struct ClosePorts;

const NONE: &str = "no service has a port of its own";
const HELD: &str = "they are held already";
const NONE_TO_CLOSE: &str = "every port is still wanted";

/// The name, in the place of a command, under which the forwarder is started.
pub const FORWARD: &str = "forward";

/// It has nothing of its own to finish: who is connected is the old generation's to finish.
const PATIENCE: Duration = Duration::from_secs(5);

impl Step for OpenPorts {
    fn id(&self) -> &'static str {
        "open-ports"
    }

    fn describe(&self, run: &Run) -> String {
        format!("listen on {}", names(ports(&run.config).map(|(port, _)| port)))
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("give up the ports that the old release does not have")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if ports(&cx.run.config).next().is_none() {
            return Ok(Look::Nothing(NONE.to_owned()));
        }
        match closed(cx)?.as_slice() {
            [] => Ok(Look::Nothing(HELD.to_owned())),
            closed => Ok(Look::Needed(format!("listen on {}", names(closed.iter().copied())))),
        }
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if ports(&cx.run.config).next().is_none() {
            return Ok(Outcome::Skipped(NONE.to_owned()));
        }
        let closed = closed(cx)?;
        if closed.is_empty() {
            return Ok(Outcome::Skipped(HELD.to_owned()));
        }
        let programs: Vec<Program> = closed.iter().map(|port| forwarder(cx.run, *port)).collect();
        cx.host.start(&programs)?;
        closed.iter().try_for_each(|port| is_held(cx, *port))?;
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let wanted = cx.run.previous.as_ref().map(|previous| ports_of(cx, previous)).unwrap_or_default();
        // Only what this run may have opened: a manager that does not run tells no states.
        let own = ports(&cx.run.config).map(|(port, _)| port).filter(|port| !wanted.contains(port));
        let names: Vec<String> = own.map(Port::program).collect();
        Ok(cx.host.stop(&names)?)
    }
}

impl Step for ClosePorts {
    fn id(&self) -> &'static str {
        "close-ports"
    }

    fn describe(&self, _: &Run) -> String {
        "give up ports that are not wanted any more".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Cannot("a rollback opens them again")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(match unwanted(cx.run, &cx.host.states()?).as_slice() {
            [] => Look::Nothing(NONE_TO_CLOSE.to_owned()),
            unwanted => Look::Needed(format!("give up {}", names(unwanted.iter().copied()))),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let unwanted = unwanted(cx.run, &cx.host.states()?);
        if unwanted.is_empty() {
            return Ok(Outcome::Skipped(NONE_TO_CLOSE.to_owned()));
        }
        cx.host.stop(&unwanted.iter().copied().map(Port::program).collect::<Vec<_>>())?;
        Ok(Outcome::DoneWith(format!("gave up {}", names(unwanted.into_iter()))))
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

fn names(ports: impl Iterator<Item = Port>) -> String {
    ports.map(|port| port.0.to_string()).collect::<Vec<_>>().join(", ")
}

fn closed(cx: &Context<'_>) -> HostResult<Vec<Port>> {
    let states = cx.host.states()?;
    let all = ports(&cx.run.config).map(|(port, _)| port);
    Ok(all.filter(|port| !is_alive(&states, &port.program())).collect())
}

/// The ports of a generation that ran before, as its release's record has them.
fn ports_of(cx: &Context<'_>, generation: &Generation) -> Vec<Port> {
    // Without a record nothing is known to be wanted: as if it had none.
    services_of(cx, generation).iter().filter_map(Port::of).collect()
}

fn unwanted(run: &Run, states: &[ProgramState]) -> Vec<Port> {
    let wanted: Vec<Port> = ports(&run.config).map(|(port, _)| port).collect();
    let held = states.iter().filter_map(|state| Port::of_program(&state.name));
    held.filter(|port| !wanted.contains(port)).collect()
}

fn forwarder(run: &Run, port: Port) -> Program {
    let layout = &run.layout;
    let name = port.program();
    let (root, address) = (layout.root().display().to_string(), port.0.to_string());
    let words = [FORWARD, "--root", &root, "--listen", &address];
    Program {
        command: run.door.first().cloned().into_iter().chain(words.map(str::to_owned)).collect(),
        directory: layout.root().to_path_buf(),
        stop_signal: "TERM".to_owned(),
        stop_wait: PATIENCE,
        climb: Vec::new(),
        log: layout.service_log(&name),
        rotation: Log::default(),
        // What is connected through it ends first.
        order: 0,
        restart: true,
        notifies: false,
        manager: run.config.manager.clone(),
        name,
    }
}

fn is_held(cx: &Context<'_>, port: Port) -> Result<(), StepError> {
    let name = port.program();
    if stays_up(cx, &name)? {
        return Ok(());
    }
    Err(StepError::Service {
        service: port.0.to_string(),
        what: "cannot be listened on".to_owned(),
        output: log_tail(cx, &name),
        help: Some(format!("see who does: `ss -ltnp 'sport = :{}'`", port.0.port())),
    })
}

/// The program that passes connections on, where it is installed.
pub fn forwarder_program(host: &dyn Host) -> Option<PathBuf> {
    let is_file = |path: &PathBuf| host.kind(path).is_ok_and(|kind| kind == Some(Kind::File));
    FORWARDER.map(PathBuf::from).into_iter().find(is_file)
}

/// What stands in the way of holding the ports of `config`: what is wrong, and what to do about it.
pub(crate) fn problems(host: &dyn Host, _: &Layout, config: &Config) -> HostResult<Vec<(String, String)>> {
    let mut problems = Vec::new();
    let states = host.states()?;
    for (port, service) in ports(config) {
        if forwarder_program(host).is_none() || host.find_program(HOLDER).is_none() {
            problems.push(missing(service));
        } else if !is_alive(&states, &port.program()) {
            problems.extend(host.listen_problem(port.0)?.map(|why| taken(service, port.0, &why)));
        }
    }
    Ok(problems)
}

fn missing(service: &Service) -> (String, String) {
    (
        format!(
            "services.{}.listen needs {HOLDER} and systemd-socket-proxyd, and they are not here",
            service.name
        ),
        "install them: `sudo apt install systemd`; systemd itself need not run".to_owned(),
    )
}

fn taken(service: &Service, address: SocketAddr, why: &str) -> (String, String) {
    let port = address.port();
    let help = if port < 1024 {
        format!(
            "choose a port from 1024 on and put a proxy in front, or let this user have it: \
                 `sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`"
        )
    } else {
        format!("end what listens there, which `ss -ltnp 'sport = :{port}'` names, or choose another port")
    };
    (format!("services.{}.listen: cannot listen on {address}: {why}", service.name), help)
}
