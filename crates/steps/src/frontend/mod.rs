//! Builds the front ends, each once for equal sources.

mod build;
mod detect;
mod key;
mod manager;
mod node;
mod packages;
mod prebuilt;

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
        let (mut needed, mut notes) = (false, Vec::new());
        for frontend in frontends(cx)? {
            let name = name(&frontend).to_owned();
            let (is_needed, why) = look(cx, frontend)?;
            needed |= is_needed;
            notes.push(format!("{name}: {why}"));
        }
        Ok(match (needed, notes.is_empty()) {
            (_, true) => Look::Nothing(NOTHING.to_owned()),
            (true, _) => Look::Needed(notes.join("; ")),
            (false, _) => Look::Cached(notes.join("; ")),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let mut notes = Vec::new();
        for frontend in frontends(cx)? {
            let name = name(&frontend).to_owned();
            notes.push(format!("{name} {}", provide(cx, frontend)?));
        }
        Ok(match notes.is_empty() {
            true => Outcome::Skipped(NOTHING.to_owned()),
            false => Outcome::DoneWith(notes.join("; ")),
        })
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cache::forget(cx, packages::KIND)?;
        Ok(cache::forget(cx, KIND)?)
    }
}

/// Whether a front end has to be built or fetched, and what people are told of it.
fn look(cx: &Context<'_>, frontend: Frontend) -> Result<(bool, String), StepError> {
    if let Some(prebuilt) = &frontend.prebuilt {
        prebuilt::problem(cx, prebuilt)?;
        return Ok((true, format!("taken from {prebuilt}")));
    }
    let bundle = Bundle::new(cx, frontend)?;
    Ok(match bundle.build.find(cx)? {
        Some(entry) => (false, cache::since(cx, &entry)?),
        None => (true, bundle.why_needed(cx)?),
    })
}

/// What would keep the front ends from being built, as far as reads alone can tell.
pub(crate) fn problems(cx: &Context<'_>) -> Vec<StepError> {
    match frontends(cx) {
        Ok(frontends) => frontends.into_iter().filter_map(|frontend| problem(cx, frontend).err()).collect(),
        Err(error) => vec![error.into()],
    }
}

fn problem(cx: &Context<'_>, frontend: Frontend) -> Result<(), StepError> {
    match &frontend.prebuilt {
        Some(prebuilt) => prebuilt::problem(cx, prebuilt),
        None => Bundle::new(cx, frontend)?.check_programs(cx),
    }
}

fn provide(cx: &Context<'_>, frontend: Frontend) -> Result<&'static str, StepError> {
    if let Some(prebuilt) = &frontend.prebuilt {
        let directory = build::directory(cx, &frontend)?;
        prebuilt::provide(cx, &frontend, prebuilt, &directory)?;
        return Ok("prebuilt");
    }
    Bundle::new(cx, frontend)?.provide(cx)
}

fn frontends(cx: &Context<'_>) -> HostResult<Vec<Frontend>> {
    cx.run.config.frontend.clone().map_or_else(|| detect::find(cx), Ok)
}

/// As people know it.
fn name(frontend: &Frontend) -> &str {
    if frontend.directory == "." { "the front end" } else { &frontend.directory }
}

#[cfg(test)]
mod tests;
