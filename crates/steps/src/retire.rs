//! Generations as the process manager knows them, and the end of one.

use release_core::host::{Host, HostResult};
use release_core::layout::Layout;
use release_core::release::Generation;
use release_core::service::{ProgramState, programs_of};
use release_core::step::Context;

use crate::shutdown::Shutdown;

/// The name, in the place of a service's, of the program that ends a warm generation later on.
pub const RETIRE: &str = "retire";

/// What the process manager knows. One that does not run knows nothing, and it is its start that
/// brings the programs back after a power failure.
pub(crate) fn states(cx: &Context<'_>) -> HostResult<Vec<ProgramState>> {
    let states = cx.host.states()?;
    if !states.is_empty() || cx.run.config.services.is_empty() {
        return Ok(states);
    }
    cx.host.ensure_manager()?;
    cx.host.states()
}

/// Stops the processes of `generation` and removes its sockets; fine when there are none left.
///
/// The program that retires it is left alone: it may be the one that asks.
pub fn stop_generation(shutdown: &Shutdown<'_>, generation: &Generation) -> HostResult<()> {
    let retire = generation.program(RETIRE);
    let states = shutdown.host.states()?;
    let names: Vec<String> = programs_of(&states, generation)
        .map(|state| state.name.clone())
        .filter(|name| *name != retire)
        .collect();
    shutdown.stop(&names)?;
    remove_sockets(shutdown.host, shutdown.layout, generation)
}

/// Takes back that a warm generation is to end later on.
pub(crate) fn keep(host: &dyn Host, generation: &Generation) -> HostResult<()> {
    host.stop(&[generation.program(RETIRE)])
}

/// Removes the sockets of a generation that has ended: some servers leave theirs behind.
fn remove_sockets(host: &dyn Host, layout: &Layout, generation: &Generation) -> HostResult<()> {
    let endings = ["", ".lock"].map(|more| format!("-g{}.sock{more}", generation.number));
    for path in host.list(&layout.run(&generation.release))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if endings.iter().any(|ending| name.ends_with(ending)) {
            host.remove(&path)?;
        }
    }
    Ok(())
}
