//! Builds the front ends, each once for equal sources.

mod build;
mod detect;

use release_core::config::Frontend;
use release_core::host::HostResult;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::cache;
use build::Bundle;

/// Builds the front ends, or finds their bundles in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Frontends;

const KIND: &str = "bundle";
const NOTHING: &str = "there is no package.json with a build script and a lock file";

impl Step for Frontends {
    fn id(&self) -> &'static str {
        "frontend"
    }

    fn describe(&self, _: &Run) -> String {
        "build the front end".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("forget the bundles; whole ones stay in the cache")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        let bundles = bundles(cx)?;
        let Some(first) = bundles.first() else { return Ok(Look::Nothing(NOTHING.to_owned())) };
        for bundle in &bundles {
            if !cache::is_complete(cx, &bundle.entry)? {
                return Ok(Look::Needed(format!("{} has not been built from these sources", bundle.name())));
            }
        }
        Ok(Look::Cached(format!("{} is built", first.entry.display())))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let bundles = bundles(cx)?;
        if bundles.is_empty() {
            return Ok(Outcome::Skipped(NOTHING.to_owned()));
        }
        let mut notes = Vec::new();
        for bundle in &bundles {
            notes.push(format!("{} {}", bundle.name(), bundle.provide(cx)?));
        }
        Ok(Outcome::DoneWith(notes.join("; ")))
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        Ok(cache::forget(cx, KIND)?)
    }
}

/// Whether the revision has a front end to build.
pub fn is_there(cx: &Context<'_>) -> HostResult<bool> {
    Ok(!frontends(cx)?.is_empty())
}

fn frontends(cx: &Context<'_>) -> HostResult<Vec<Frontend>> {
    cx.run.config.frontend.clone().map_or_else(|| detect::find(cx), Ok)
}

fn bundles(cx: &Context<'_>) -> Result<Vec<Bundle>, StepError> {
    frontends(cx)?.into_iter().map(|frontend| Bundle::new(cx, frontend)).collect()
}

#[cfg(test)]
mod tests;
