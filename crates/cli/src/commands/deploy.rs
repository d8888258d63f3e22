//! `release deploy`: builds a revision and makes it live.

use std::time::{Duration, Instant};

use release_core::event::{Event, Observer, Outcome, StepEnd};
use release_core::exit_code;
use release_core::host::{Clock, FindError, Git};
use release_core::release::{Generation, ReleaseId};
use release_core::revision::Revision;
use release_core::run::{Action, Run};
use release_core::state::State;

use release_host::without_password;

use crate::commands::start;
use crate::error::Error;
use crate::output::Screen;
use crate::recovery::recover;
use crate::road::{self, Target};
use crate::site::Site;

/// What was asked for.
pub(crate) struct Request {
    pub(crate) name: Option<String>,
    pub(crate) force: bool,
    pub(crate) no_cache: bool,
    pub(crate) wait: Option<Duration>,
    pub(crate) repository: Option<String>,
}

/// Deploys `request`.
pub(crate) fn run(mut site: Site, screen: &Screen, request: &Request) -> Result<u8, Error> {
    let started = Instant::now();
    let origin = site.origin()?;
    let lock = road::lock(&site, screen, "deploy", request.name.as_deref(), request.wait)?;
    recover(&mut site, screen)?;
    let repository = request.repository.as_ref().or(origin.repository.as_ref()).ok_or_else(no_repository)?;
    fetch(&site, screen, repository)?;
    let revision = find(&site, request.name.as_deref(), origin.branch.as_deref())?;
    let state = site.state()?;
    if let Some(live) = live(&site, &state, &revision)?.filter(|_| !request.force && !request.no_cache) {
        // After a reboot it is live by name only.
        if start::is_down(&site, &state, &live)? {
            screen.say(&format!("{live} is live, but not all of its processes run: starting them"));
            start::bring_up(&site, screen)?;
        } else {
            start::keep_entries(&site, screen)?;
        }
        tell_of_changes(&site, screen);
        finished(screen, Outcome::Unchanged, live, revision, started);
        return Ok(exit_code::DONE);
    }
    let config = site.config(&site.layout, &revision)?;
    let release = ReleaseId::new(site.host.now(), &revision, state.known().cloned());
    let generation = Generation { release, number: 1 };
    let target = Target { action: Action::Deploy, generation, revision, config };
    let problems = road::problems(&site, &site.layout, &state, &target)?;
    if !problems.is_empty() {
        finished(screen, Outcome::Failed, target.generation.release, target.revision, started);
        return Err(Error::Preflight(problems));
    }
    let run = road::run(&site, site.layout.clone(), &state, target)?;
    let run = Run { no_cache: request.no_cache, ..run };
    road::carry_out(&mut site, &lock, screen, &run, started)
}

/// Says what of release.yml what is live does not follow: its revision is the same, and so nothing is done.
fn tell_of_changes(site: &Site, screen: &Screen) {
    let Ok(record) = site.active_record() else { return };
    // One that cannot be read now stands in nobody's way.
    let Ok(now) = site.config(&site.layout, &record.revision) else { return };
    let (_, built) = record.config.restarted(now.clone());
    let changed = |keys: &[&str], cure| Event::Warning {
        text: format!("changed in release.yml, but only `{cure}` follows it: {}", keys.join(", ")),
    };
    if !built.is_empty() {
        screen.observe(&changed(&built, "release deploy --force"));
    }
    let running = record.config.changed_for_processes(&now);
    if !running.is_empty() {
        screen.observe(&changed(&running, "release restart"));
    }
}

/// Tells the end of a deploy that never began.
fn finished(screen: &Screen, outcome: Outcome, release: ReleaseId, revision: Revision, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    screen.observe(&Event::Finished { outcome, release, revision, seconds });
}

/// Brings the mirror up to date, and shows how that goes.
fn fetch(site: &Site, screen: &Screen, repository: &str) -> Result<(), Error> {
    let started = Instant::now();
    let step = || "fetch".to_owned();
    screen.observe(&Event::StepStarted {
        step: step(),
        describe: format!("fetch from {}", without_password(repository)),
    });
    let progress = |progress| screen.observe(&Event::Progress { step: step(), progress });
    let result = site.host.fetch(&site.layout.repo(), repository, &progress);
    let end = match &result {
        Ok(()) => StepEnd::Done(None),
        Err(error) => StepEnd::Failed(error.to_string()),
    };
    screen.observe(&Event::StepEnded { step: step(), end, seconds: started.elapsed().as_secs_f64() });
    Ok(result?)
}

/// The commit that `name` means; the configured branch when nothing is named.
pub(crate) fn find(site: &Site, name: Option<&str>, branch: Option<&str>) -> Result<Revision, FindError> {
    site.host.find(&site.layout.repo(), name.or(branch).unwrap_or("main"))
}

/// The active release, if it was built from `revision`.
fn live(site: &Site, state: &State, revision: &Revision) -> Result<Option<ReleaseId>, Error> {
    let live = site.current()?.filter(|current| state.revision(current) == Some(revision));
    // Somebody may have removed it below its processes.
    Ok(live.filter(|current| site.exists(current)))
}

pub(crate) fn no_repository() -> Error {
    Error::Usage {
        what: "no repository is named".to_owned(),
        help: "add `repository: /srv/git/shop.git` (or an ssh or https URL) to the root's release.yml"
            .to_owned(),
    }
}
