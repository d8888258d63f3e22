//! Puts in order what a killed run left: every command that takes the lock begins with it.

use release_core::config::Config;
use release_core::exit_code;
use release_core::host::{Processes, Services};
use release_core::journal::{End, Entry, Journal};
use release_core::pipeline::ACTIVATE;
use release_core::release_record::{self, ReleaseRecord};
use release_core::state::{Interrupted, State};
use release_core::step::Step;
use release_host::JournalFile;
use release_steps::activate::leads_to;
use release_steps::record::Record;

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
    if interrupted.steps.iter().all(|(step, _)| step == Record.id()) {
        // There is nothing to take back but the beginning itself.
        let note = Some("interrupted before the first step".to_owned());
        let journal = JournalFile::open(&site.layout)?;
        journal.append(&interrupted.run, Entry::End { outcome: End::Undone, note })?;
        return Ok(exit_code::DONE);
    }
    let config = config(site, screen, interrupted)?;
    if !config.services.is_empty() {
        // After a power failure nothing runs: what is gone back to must serve again too.
        site.host.ensure_manager()?;
    }
    // A restart leaves `current` where it is: it is the sockets that change.
    let begun = interrupted.mark(ACTIVATE).is_some();
    let active = begun && leads_to(&site.host, &site.layout, &interrupted.generation, &config)?;
    let env_file = site.readable_env_file(&config);
    let target = Target {
        action: interrupted.action,
        generation: interrupted.generation.clone(),
        revision: interrupted.revision.clone(),
        config,
    };
    let mut run = road::draft(site, site.layout.clone(), state, target, &env_file)?;
    run.id = interrupted.run.clone();
    run.previous = interrupted.previous.clone();
    run.stand_in = interrupted.stand_in.clone();
    road::resume(site, screen, &run, state, active)
}

/// As it was recorded; where that is lost, as the repository has it.
fn config(site: &Site, screen: &Screen, interrupted: &Interrupted) -> Result<Config, Error> {
    let release = &interrupted.generation.release;
    match ReleaseRecord::of_generation(&site.host, &site.layout, &interrupted.generation) {
        Ok(Some(record)) => return Ok(record.config),
        Ok(None) => screen.say(&format!("  the record of {release} is gone")),
        Err(error) => screen.say(&format!("  {error}")),
    }
    let revision = interrupted.revision.clone();
    let config = site.config(&site.layout, &revision)?;
    let (version, created_at) = (release_record::VERSION, release.created_at());
    let record = ReleaseRecord { version, release: release.clone(), revision, config, created_at };
    record.write(&site.host, &site.layout)?;
    screen.say("  wrote it again, from the repository");
    Ok(record.config)
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
