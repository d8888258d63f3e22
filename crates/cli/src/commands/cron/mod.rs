//! `release cron`: what runs at set times.

mod list;
mod run;

use release_core::cron::LastRun;
use release_core::exit_code;
use release_core::host::Files;

pub(crate) use list::{Facts, facts_of, list};
pub(crate) use run::run;

use crate::error::Error;
use crate::output::Screen;
use crate::site::Site;

/// Shows what the runs of an entry printed.
pub(crate) fn log(site: &Site, screen: &Screen, name: &str) -> Result<u8, Error> {
    let log = site.host.read(&site.layout.cron_log(name))?.ok_or_else(|| Error::Usage {
        what: format!("the entry `{name}` has not run yet"),
        help: "`release cron` shows the entries".to_owned(),
    })?;
    screen.say(String::from_utf8_lossy(&log).trim_end());
    Ok(exit_code::DONE)
}

/// What is known of an entry's last run. What cannot be read must not keep the next from beginning.
fn last_run(site: &Site, name: &str) -> Option<LastRun> {
    let json = site.host.read(&site.layout.cron_last_run(name)).ok().flatten()?;
    serde_json::from_slice(&json).ok()
}
