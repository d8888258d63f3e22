//! `release stop`: ends every process of the root, the private supervisord too, and takes its
//! entries out of the crontab.

use release_core::exit_code;
use release_core::host::Services;
use release_steps::cron::remove_entries;

use crate::commands::cron::facts_of;
use crate::error::Error;
use crate::output::Screen;
use crate::recovery::recover;
use crate::road;
use crate::site::Site;

/// Stops everything.
pub(crate) fn run(mut site: Site, screen: &Screen) -> Result<u8, Error> {
    let _lock = road::lock(&site, screen, "stop", None, None)?;
    recover(&mut site, screen)?;
    // First, so that none begins on an app that is down; what is wrong with it must not keep that up.
    let removed = remove_entries(&site.host, &site.layout);
    let running = site.host.states()?.iter().filter(|program| program.state.is_alive()).count();
    site.host.stop_manager()?;
    screen.say(&match running {
        0 => "nothing was running; `release start` starts the active release".to_owned(),
        1 => "stopped 1 process; `release start` brings it back".to_owned(),
        more => format!("stopped {more} processes; `release start` brings them back"),
    });
    if removed? {
        screen.say("took its entries out of the crontab; `release start` brings them back, too");
    }
    for entry in facts_of(&site, site.current()?.as_ref()).iter().filter(|entry| entry.runs()) {
        screen.say(&format!("the entry {} of cron still runs, and may finish", entry.name));
    }
    Ok(exit_code::DONE)
}
