//! `release rollback`: makes live again what served before.

use std::time::{Duration, Instant};

use release_core::host::Services;
use release_core::release::{Generation, ReleaseId};
use release_core::release_record::ReleaseRecord;
use release_core::run::Action;
use release_core::service::programs_of;
use release_core::state::State;

use crate::error::Error;
use crate::output::Screen;
use crate::recovery::recover;
use crate::road::{self, Target};
use crate::site::{Site, nothing_live};

/// Rolls back to `to`, or to what served before.
pub(crate) fn run(
    mut site: Site,
    screen: &Screen,
    to: Option<ReleaseId>,
    wait: Option<Duration>,
) -> Result<u8, Error> {
    let started = Instant::now();
    let lock = road::lock(&site, screen, "rollback", to.as_ref().map(ReleaseId::as_str), wait)?;
    recover(&mut site, screen)?;
    let state = site.state()?;
    let target = target(&site, &state, to)?;
    let run = road::run(&site, site.layout.clone(), &state, target)?;
    road::carry_out(&mut site, &lock, screen, &run, started)
}

fn target(site: &Site, state: &State, to: Option<ReleaseId>) -> Result<Target, Error> {
    let current = site.current()?.ok_or_else(nothing_live)?;
    let release = match to {
        Some(release) => named(site, state, &current, release)?,
        None => state
            .previous(&current, |release| site.exists(release))
            .map(|activation| activation.generation.release.clone())
            .ok_or_else(|| nothing_before(&current))?,
    };
    let record = ReleaseRecord::read(&site.host, &site.layout, &release)?.ok_or_else(|| Error::Failed {
        what: format!("nothing is known of {release}: its record is missing"),
        help: "choose another one of `release list`".to_owned(),
    })?;
    Ok(Target {
        action: Action::Rollback,
        generation: generation(site, state, &release)?,
        revision: record.revision,
        config: record.config,
    })
}

fn named(site: &Site, state: &State, current: &ReleaseId, release: ReleaseId) -> Result<ReleaseId, Error> {
    if release == *current {
        return Err(usage(format!("{release} is live already"), "choose another one of `release list`"));
    }
    if !site.exists(&release) || state.activation(&release).is_none() {
        let what = format!("{release} cannot be made live: it is not on the disk, or never was live");
        return Err(usage(what, "choose one of `release list`, or deploy its revision again"));
    }
    Ok(release)
}

/// The generation that still runs (a warm one), or else the next boot of the release.
fn generation(site: &Site, state: &State, release: &ReleaseId) -> Result<Generation, Error> {
    let last = state.activation(release).map(|activation| activation.generation.clone());
    let states = site.host.states()?;
    let warm =
        last.filter(|generation| programs_of(&states, generation).any(|program| program.state.is_alive()));
    Ok(warm.unwrap_or_else(|| state.next_generation(release)))
}

fn nothing_before(current: &ReleaseId) -> Error {
    let what = format!("no good release served before {current}");
    usage(what, "name one of `release list` by `--to`, or deploy an older revision")
}

fn usage(what: String, help: &str) -> Error {
    Error::Usage { what, help: help.to_owned() }
}
