//! Starts web servers while the app is checked: to load it costs as much as to check it.
//!
//! Only where nothing that they read at their start should change any more: migrations and packages
//! are those of the release that serves, and its static files are put in place from the cache. The
//! check tells whether that was right; else they are ended, and started in their turn.

use std::path::{Path, PathBuf};

use release_core::config::{Django, Handover};
use release_core::host::HostResult;
use release_core::release::Generation;
use release_core::release_record::ReleaseRecord;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::boot::{Boot, launch_first};
use crate::collect_static::{CollectStatic, Collection};
use crate::django::{NO_DJANGO, Start};

/// Starts the web servers of the new generation before the app is checked.
#[derive(Clone, Debug, Default)]
pub struct BootAhead(pub(crate) Start);

/// What it is to start with, or why it is not to start yet.
type Chance = Result<Option<Collection>, &'static str>;

impl Step for BootAhead {
    fn id(&self) -> &'static str {
        "boot-ahead"
    }

    fn describe(&self, _: &Run) -> String {
        "start web servers while the app is checked".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        Boot.undo_policy()
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(match possible(cx) {
            Err(why) => Look::Nothing(why.to_owned()),
            Ok(_) => Look::Pending("if only code changed".to_owned()),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let placed = match chance(cx)? {
            Err(why) => return Ok(Outcome::Skipped(why.to_owned())),
            Ok(collection) => collection,
        };
        if let Some(collection) = &placed
            && !collection.take(cx)?
        {
            return Ok(Outcome::Skipped(NOT_CACHED.to_owned()));
        }
        self.0.is_preceded(placed);
        launch_first(cx)?;
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        Boot.undo(cx)
    }
}

const NOT_CACHED: &str = "its static files are not in the cache";

/// Whether there may be a chance at all: what serves, and the Django app that is to follow.
fn possible<'a>(cx: &Context<'a>) -> Result<(&'a Generation, &'a Django), &'static str> {
    let django = cx.run.config.django.as_ref().ok_or(NO_DJANGO)?;
    let previous = cx.run.previous.as_ref().ok_or("nothing serves yet")?;
    if cx.run.no_cache {
        return Err("everything is to be built anew");
    }
    match cx.run.config.services.first() {
        Some(first) if first.handover == Handover::Socket => Ok((previous, django)),
        _ => Err("no web server comes first"),
    }
}

fn chance(cx: &Context<'_>) -> HostResult<Chance> {
    let (previous, django) = match possible(cx) {
        Ok(possible) => possible,
        Err(why) => return Ok(Err(why)),
    };
    let layout = &cx.run.layout;
    let packages = |release| cx.host.read_link(&layout.venv(release));
    if packages(&previous.release)? != packages(cx.run.release())? {
        return Ok(Err("the packages changed"));
    }
    let Some(changes) = changes(cx, previous) else { return Ok(Err("it is not known what changed")) };
    let is_below = |directory: &str| changes.iter().any(|path| path.iter().any(|part| part == directory));
    if django.migrate && is_below("migrations") {
        return Ok(Err("there may be migrations"));
    }
    if !CollectStatic::is_wanted(django) {
        return Ok(Ok(None));
    }
    if is_below("static") || !changes.iter().all(|path| is_code(path)) {
        return Ok(Err("static files may have changed"));
    }
    Ok(Collection::of_release(cx, &previous.release)?.map(Some).ok_or(NOT_CACHED))
}

/// The paths that differ from the commit of `previous`; `None` if that cannot be read.
fn changes(cx: &Context<'_>, previous: &Generation) -> Option<Vec<PathBuf>> {
    let layout = &cx.run.layout;
    let record = ReleaseRecord::of_generation(cx.host, layout, previous).ok().flatten()?;
    cx.host.changes(&layout.repo(), &record.revision, &cx.run.revision).ok()
}

/// Whether it is no static file, and nothing that a bundle is made of, by its name.
fn is_code(path: &Path) -> bool {
    const CODE: [&str; 9] = ["py", "html", "htm", "jinja", "j2", "po", "mo", "md", "rst"];
    path.extension().is_some_and(|extension| CODE.iter().any(|code| extension == *code))
}

/// Ends what was started too early, as the check of the app has shown.
pub(crate) fn confirm(cx: &Context<'_>, start: &Start, django: &Django) -> Result<(), StepError> {
    match start.was_too_early(django.migrate) {
        None => Ok(()),
        Some(why) => {
            cx.line(&format!("the web servers are started once more, later on: {why}"));
            Boot.undo(cx)
        }
    }
}

#[cfg(test)]
mod tests;
