//! `release log`: what the runs of a release told.

use jiff::Timestamp;
use release_core::exit_code;
use release_core::host::Files;
use release_core::journal::{End, Entry, Mark, Record};
use release_core::release::ReleaseId;
use release_core::revision::Revision;
use release_core::run::{Action, RunId};
use serde::Serialize;

use crate::error::Error;
use crate::output::Screen;
use crate::site::Site;

#[derive(Serialize)]
struct Runs {
    runs: Vec<RunFacts>,
}

/// One run, as the journal has it.
#[derive(Serialize)]
struct RunFacts {
    run: RunId,
    action: Action,
    release: ReleaseId,
    revision: Revision,
    by: String,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    outcome: Option<End>,
    reason: Option<String>,
    steps: Vec<StepFacts>,
}

#[derive(Serialize)]
struct StepFacts {
    step: String,
    mark: Mark,
    at: Timestamp,
    note: Option<String>,
}

/// Shows the log of `release`, or of the last run.
pub(crate) fn run(
    site: &Site,
    screen: &Screen,
    release: Option<ReleaseId>,
    step: Option<String>,
) -> Result<u8, Error> {
    let runs = Runs { runs: runs(&site.records()?, release.as_ref()) };
    if screen.is_json() {
        screen.facts(&runs, String::new);
        return Ok(exit_code::DONE);
    }
    let last = runs.runs.last().map(|run| run.release.clone());
    let release = release.or(last).ok_or_else(|| none("nothing was deployed here yet".to_owned()))?;
    let path = match &step {
        Some(step) => site.layout.step_log(&release, step),
        None => site.layout.run_log(&release),
    };
    let log = match site.host.read(&path)? {
        Some(log) => log,
        None => return Err(absent(site, &release, step.as_deref())?),
    };
    screen.say(String::from_utf8_lossy(&log).trim_end());
    Ok(exit_code::DONE)
}

fn runs(records: &[Record], release: Option<&ReleaseId>) -> Vec<RunFacts> {
    let mut runs: Vec<RunFacts> = Vec::new();
    for record in records {
        match &record.entry {
            Entry::Begin { action, generation, revision, by, .. } => runs.push(RunFacts {
                run: record.run.clone(),
                action: *action,
                release: generation.release.clone(),
                revision: revision.clone(),
                by: by.clone(),
                started_at: record.at,
                ended_at: None,
                outcome: None,
                reason: None,
                steps: Vec::new(),
            }),
            Entry::Step { step, mark, note } => {
                if let Some(run) = runs.last_mut() {
                    run.steps.push(StepFacts {
                        step: step.clone(),
                        mark: *mark,
                        at: record.at,
                        note: note.clone(),
                    });
                }
            }
            Entry::End { outcome, note } => {
                if let Some(run) = runs.last_mut() {
                    (run.ended_at, run.outcome, run.reason) = (Some(record.at), Some(*outcome), note.clone());
                }
            }
        }
    }
    runs.retain(|run| release.is_none_or(|release| run.release == *release));
    runs
}

/// Why there is no such log.
fn absent(site: &Site, release: &ReleaseId, step: Option<&str>) -> Result<Error, Error> {
    let run = site.layout.run_log(release);
    let (Some(step), Some(directory), true) = (step, run.parent(), site.host.kind(&run)?.is_some()) else {
        return Ok(none(format!("there is no log of {release}")));
    };
    let logs = site.host.list(directory)?.into_iter().filter(|path| *path != run);
    let printed: Vec<String> =
        logs.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    Ok(Error::Usage {
        what: format!("the step `{step}` printed nothing for {release}"),
        help: format!("these did: {}", printed.join(", ")),
    })
}

fn none(what: String) -> Error {
    Error::Usage {
        what,
        help: "`release list` shows the releases; logs go when a release is pruned".to_owned(),
    }
}
