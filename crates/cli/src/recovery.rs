//! Puts in order what a killed run left: every command that takes the lock begins with it.

use release_core::exit_code;
use release_core::host::{Processes, Services};
use release_core::journal::{End, Entry, Journal};
use release_core::release_record::ReleaseRecord;
use release_core::state::{Interrupted, State};
use release_host::JournalFile;

use crate::error::Error;
use crate::output::Screen;
use crate::road::{self, Target};
use crate::site::Site;

/// Finishes or takes back an interrupted run. True if there was one.
pub(crate) fn recover(site: &mut Site, screen: &Screen) -> Result<bool, Error> {
    let state = site.state()?;
    let Some(interrupted) = state.interrupted.clone() else { return Ok(false) };
    let step = interrupted.step().unwrap_or("begin");
    screen
        .say(&format!("recovering: the run to {} was interrupted at {step}", interrupted.generation.release));
    let orphans = site.host.end_left_behind(&interrupted.run)?;
    if orphans > 0 {
        screen.say(&format!("  ended {orphans} processes that it left behind"));
    }
    match go_on(site, screen, &state, &interrupted)? {
        exit_code::DONE => Ok(true),
        exit_code::STUCK => Err(stuck(site)),
        // Going forward failed after all and the run was taken back: that too is in order now.
        _ => Ok(true),
    }
}

fn go_on(site: &mut Site, screen: &Screen, state: &State, interrupted: &Interrupted) -> Result<u8, Error> {
    let release = &interrupted.generation.release;
    let Some(record) = ReleaseRecord::read(&site.host, &site.layout, release)? else {
        // Killed before the first step: there is nothing to take back but the beginning itself.
        let note = Some("interrupted before the first step".to_owned());
        let journal = JournalFile::open(&site.layout)?;
        journal.append(&interrupted.run, Entry::End { outcome: End::Undone, note })?;
        return Ok(exit_code::DONE);
    };
    if !record.config.services.is_empty() {
        // After a power failure nothing runs: what is gone back to must serve again too.
        site.host.ensure_manager()?;
    }
    let active = site.current()?.as_ref() == Some(release);
    let target = Target {
        action: interrupted.action,
        generation: interrupted.generation.clone(),
        revision: interrupted.revision.clone(),
        config: record.config,
    };
    let mut run = road::run(site, site.layout.clone(), state, target)?;
    run.id = interrupted.run.clone();
    run.previous = interrupted.previous.clone();
    run.stand_in = interrupted.stand_in.clone();
    road::resume(site, screen, &run, state, active)
}

fn stuck(site: &Site) -> Error {
    Error::Stuck {
        what: "the interrupted run could not be put in order".to_owned(),
        help: format!(
            "mend what is said above, then `release recover --root {}`",
            site.layout.root().display()
        ),
    }
}
