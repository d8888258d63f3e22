//! `release restart`: new processes for the active release, by its release.yml as it is now.

use std::time::{Duration, Instant};

use release_core::config::Config;
use release_core::event::{Event, Observer};
use release_core::run::Action;
use release_steps::preflight;

use crate::error::Error;
use crate::output::Screen;
use crate::recovery::recover;
use crate::road::{self, Target};
use crate::site::Site;

/// Restarts the active release. `names` are the services that are meant.
pub(crate) fn run(
    mut site: Site,
    screen: &Screen,
    names: &[String],
    wait: Option<Duration>,
) -> Result<u8, Error> {
    let started = Instant::now();
    let lock = road::lock(&site, screen, "restart", None, wait)?;
    recover(&mut site, screen)?;
    let record = site.active_record()?;
    let (config, left) = record.config.restarted(site.config(&site.layout, &record.revision)?);
    check_names(&config, names)?;
    if !left.is_empty() {
        let text = format!(
            "changed in release.yml, but only `release deploy --force` follows it: {}",
            left.join(", ")
        );
        screen.observe(&Event::Warning { text });
    }
    let problems = preflight::service_problems(&site.host, &site.layout, &config);
    if !problems.is_empty() {
        return Err(Error::Preflight(problems));
    }
    if !names.is_empty() && config.services.len() > names.len() {
        let all: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
        screen.say(&format!("all services of a release are replaced together: {}", all.join(", ")));
    }
    let state = site.state()?;
    let generation = state.next_generation(&record.release);
    let target = Target { action: Action::Restart, generation, revision: record.revision, config };
    let run = road::run(&site, site.layout.clone(), &state, target)?;
    road::carry_out(&mut site, &lock, screen, &run, started)
}

fn check_names(config: &Config, names: &[String]) -> Result<(), Error> {
    let known: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let what = format!("there is no service `{name}`");
            Err(Error::Usage { what, help: format!("the services are: {}", known.join(", ")) })
        }
    }
}
