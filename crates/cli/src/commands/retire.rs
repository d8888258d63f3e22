//! `release retire`: ends a generation that was kept warm or still finishes a long task.
//!
//! The process manager runs it, so it outlives the deploy that asked for it.

use std::time::Duration;

use release_core::exit_code;
use release_core::host::Clock;
use release_core::release::Generation;
use release_steps::retire::stop_generation;
use release_steps::shutdown::Shutdown;

use crate::error::Error;
use crate::output::Screen;
use crate::road;
use crate::site::Site;

/// Long enough for any deploy that holds the lock meanwhile.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Waits, and stops the generation unless it serves again.
pub(crate) fn run(site: Site, screen: &Screen, generation: &Generation, after: u64) -> Result<u8, Error> {
    site.host.pause(Duration::from_secs(after))?;
    if serves(&site, screen, generation)? {
        return Ok(exit_code::DONE);
    }
    // A long task may take its time: other runs must not wait for it.
    let door = road::door(&site.layout)?;
    let tell = |what: &str, _: &[String]| screen.say(what);
    stop_generation(&Shutdown::new(&site.host, &site.layout, &door, Box::new(tell)), generation)?;
    screen.say(&format!("ended {}, generation {}", generation.release, generation.number));
    // The program that this is stays known to the process manager until the next drain forgets it.
    Ok(exit_code::DONE)
}

/// Whether the generation has users, as soon as no run is under way that may change it.
fn serves(site: &Site, screen: &Screen, generation: &Generation) -> Result<bool, Error> {
    let _lock = road::lock(site, screen, "retire", Some(generation.release.as_str()), Some(PATIENCE))?;
    Ok(site.serving(&site.state()?)?.as_ref() == Some(generation))
}
