//! `release stop`: ends every process of the root, the private supervisord too, and sees
//! that nothing starts its entries of cron.

use release_core::command::Variables;
use release_core::exit_code;
use release_core::host::Services;
use release_core::redact::Redactor;
use release_core::release_record::ReleaseRecord;
use release_steps::cron::remove_entries;
use release_steps::shutdown::{Shutdown, Tell};

use crate::commands::cron::facts_of;
use crate::commands::exec::{env, record};
use crate::error::Error;
use crate::output::Screen;
use crate::recovery::recover;
use crate::road;
use crate::site::{Site, caller};

/// Stops everything.
pub(crate) fn run(mut site: Site, screen: &Screen) -> Result<u8, Error> {
    let _lock = road::lock(&site, screen, "stop", None, None)?;
    recover(&mut site, screen)?;
    // First, so that none begins on an app that is down; what is wrong with it must not keep that up.
    let record = active_record(&site)?;
    let config = record.as_ref().map(|record| record.config.clone()).unwrap_or_default();
    let removed = remove_entries(&site.host, &site.layout, &config);
    let running = site.host.states()?.iter().filter(|program| program.state.is_alive()).count();
    let door = road::door(&site.layout)?;
    let tell = tell(screen, Redactor::new(&variables(&site, record.as_ref())));
    Shutdown::new(&site.host, &site.layout, &door, tell).stop_all()?;
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
fn active_record(site: &Site) -> Result<Option<ReleaseRecord>, Error> {
    Ok(site.current()?.and_then(|current| record(site, &current).ok()))
}

/// What workers know that may speak; where it cannot be read, they cannot be spoken to.
fn variables(site: &Site, record: Option<&ReleaseRecord>) -> Variables {
    record.and_then(|record| env(site, record, &caller()).ok()).unwrap_or_default()
}

/// Says what a worker's end may cost, and the last line of what went wrong.
fn tell(screen: &Screen, redactor: Redactor) -> Tell<'_> {
    Box::new(move |what, printed| {
        let lines = printed.last().map(String::as_str).into_iter().chain([what]);
        lines.for_each(|line| screen.say(&redactor.redact(line)));
    })
}
