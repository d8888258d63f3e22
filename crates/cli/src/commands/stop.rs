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
    let _lock = road::lock(&site, "stop", None, None)?;
    recover(&mut site, screen)?;
    let running = site.host.states()?.iter().filter(|program| program.state.is_alive()).count();
    site.host.stop_manager()?;
    screen.say(&format!("stopped {running} processes; `release start` brings them back"));
    Ok(exit_code::DONE)
}
