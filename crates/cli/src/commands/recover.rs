//! `release recover`: puts in order what a killed run left.

use release_core::exit_code;

use crate::error::Error;
use crate::output::Screen;
use crate::recovery;
use crate::road;
use crate::site::Site;

/// Recovers.
pub(crate) fn run(mut site: Site, screen: &Screen) -> Result<u8, Error> {
    let _lock = road::lock(&site, screen, "recover", None, None)?;
    let found = recovery::recover(&mut site, screen)?;
    if !found {
        screen.say("nothing was interrupted");
    }
    Ok(exit_code::DONE)
}
