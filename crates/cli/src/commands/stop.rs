//! `release stop`: ends every process of the root, the private supervisord too, and sees
//! that nothing starts its entries of cron.

use release_core::config::Config;
use release_core::exit_code;
use release_core::host::Services;
use release_steps::cron::remove_entries;

use crate::commands::cron::facts_of;
use crate::commands::exec::record;
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
    let removed = remove_entries(&site.host, &site.layout, &active_config(&site)?);
    let running = site.host.states()?.iter().filter(|program| program.state.is_alive()).count();
    site.host.stop_manager()?;
    screen.say(&match running {
        0 => "nothing was running; `release start` starts the active release".to_owned(),
        1 => "stopped 1 process; `release start` brings it back".to_owned(),
        more => format!("stopped {more} processes; `release start` brings them back"),
    });
    let removed = removed?;
    if !removed.is_empty() {
        let places = removed.places();
        screen.say(&format!("took its entries out of {places}; `release start` brings them back, too"));
    }
    for entry in facts_of(&site, site.current()?.as_ref()).iter().filter(|entry| entry.runs()) {
        screen.say(&format!("the entry {} of cron still runs, and may finish", entry.name));
    }
    Ok(exit_code::DONE)
}

/// A record that cannot be read must not keep an app up.
fn active_config(site: &Site) -> Result<Config, Error> {
    let current = site.current()?;
    Ok(current
        .and_then(|current| record(site, &current).ok())
        .map(|record| record.config)
        .unwrap_or_default())
}
