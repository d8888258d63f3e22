//! `release retire`: stops a generation that was kept warm, once its time is over.
//!
//! The process manager runs it, so it outlives the deploy that asked for it.

use std::time::Duration;

use release_core::exit_code;
use release_core::host::Clock;
use release_core::release::{Generation, ReleaseId};
use release_steps::retire::stop_generation;

use crate::error::Error;
use crate::output::Screen;
use crate::road;
use crate::site::Site;

/// Long enough for any deploy that holds the lock meanwhile.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Waits, and stops the generation unless it serves again.
pub(crate) fn run(
    site: Site,
    screen: &Screen,
    release: ReleaseId,
    number: u32,
    after: u64,
) -> Result<u8, Error> {
    let generation = Generation { release, number };
    site.host.pause(Duration::from_secs(after))?;
    let _lock = road::lock(&site, screen, "retire", Some(generation.release.as_str()), Some(PATIENCE))?;
    if site.current()?.as_ref() != Some(&generation.release) {
        stop_generation(&site.host, &site.layout, &generation)?;
        screen.say(&format!("stopped {}, which was kept warm", generation.release));
    }
    // The program that this is stays known to the process manager until the next drain forgets it.
    Ok(exit_code::DONE)
}
