//! `release stop`: ends every process of the root, the private supervisord too.

use release_core::exit_code;
use release_core::host::Services;

use crate::error::Error;
use crate::output::Screen;
use crate::recovery::recover;
use crate::road;
use crate::site::Site;

/// Stops everything.
pub(crate) fn run(mut site: Site, screen: &Screen) -> Result<u8, Error> {
    let _lock = road::lock(&site, screen, "stop", None, None)?;
    recover(&mut site, screen)?;
    let running = site.host.states()?.iter().filter(|program| program.state.is_alive()).count();
    site.host.stop_manager()?;
    screen.say(&match running {
        0 => "nothing was running; `release start` starts the active release".to_owned(),
        1 => "stopped 1 process; `release start` brings it back".to_owned(),
        more => format!("stopped {more} processes; `release start` brings them back"),
    });
    Ok(exit_code::DONE)
}
