//! Gives the release its Python environment, built once for equal ingredients.

mod commands;
mod files;
mod key;
mod project;
mod tool;

use std::path::{Path, PathBuf};

use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::cache::{self, Build, Provided};
use crate::interpreter::{self, Interpreter};
use crate::killed::explain_killed;
use crate::place::{in_release, relative};
use commands::commands;
use project::Source;
use tool::Tool;

/// Builds the Python environment, or finds it in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Venv;

const KIND: &str = "venv";
const NOTHING: &str = "there are no Python packages to install";

impl Step for Venv {
    fn id(&self) -> &'static str {
        "venv"
    }

    fn describe(&self, _: &Run) -> String {
        "install Python packages".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("forget the environment; a whole one stays in the cache")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        let Some((_, build)) = Wanted::find(cx)? else { return Ok(Look::Nothing(NOTHING.to_owned())) };
        Ok(match build.find(cx)? {
            Some(entry) => Look::Cached(cache::since(cx, &entry)?),
            None => Look::Needed(build.why_needed(cx)?),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some((wanted, build)) = Wanted::find(cx)? else {
            return Ok(Outcome::Skipped(NOTHING.to_owned()));
        };
        let Provided { entry, cached } = build.provide(cx, |entry| install(cx, &wanted, entry))?;
        let link = cx.run.layout.venv(cx.run.release());
        let target = target(cx, &entry);
        if cached && cx.host.read_link(&link)?.as_ref() == Some(&target) {
            return Ok(Outcome::Skipped("the environment is there".to_owned()));
        }
        cx.host.replace_link(&link, &target)?;
        Ok(Outcome::DoneWith(if cached { "from the cache".to_owned() } else { wanted.about() }))
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        Ok(cache::forget(cx, KIND)?)
    }
}

/// All that an environment is made of.
struct Wanted {
    source: Source,
    interpreter: Interpreter,
    tool: Tool,
}

impl Wanted {
    fn find(cx: &Context<'_>) -> Result<Option<(Self, Build)>, StepError> {
        let Some(source) = Source::find(cx)? else { return Ok(None) };
        let interpreter = interpreter::find(cx)?;
        let tool = Tool::find(cx, &source, &interpreter)?;
        let wanted = Self { source, interpreter, tool };
        let key = key::key(cx, &wanted)?;
        Ok(Some((wanted, Build { kind: KIND, of: String::new(), key })))
    }

    fn about(&self) -> String {
        format!("python {}, {}", self.interpreter.about.version, self.tool.name())
    }
}

/// What would keep the environment from being built, as far as reads alone can tell.
pub(crate) fn problem(cx: &Context<'_>) -> Option<StepError> {
    Wanted::find(cx).err()
}

/// What the release's link holds: a root can move, and what lies elsewhere does not move with it.
fn target(cx: &Context<'_>, entry: &Path) -> PathBuf {
    match entry.starts_with(cx.run.layout.root()) {
        true => relative(&in_release(cx, "."), entry),
        false => entry.to_owned(),
    }
}

/// Builds the environment where it stays: its scripts hold its path.
fn install(cx: &Context<'_>, wanted: &Wanted, entry: &Path) -> Result<(), StepError> {
    let program =
        wanted.tool.program(cx, &wanted.interpreter).map_err(|error| explain(cx, error, &wanted.tool))?;
    for command in commands(cx.run, wanted, entry, &program) {
        cx.run(&command.share(cx.run.config.build.share()))
            .map_err(|error| explain(cx, error, &wanted.tool))?;
    }
    Ok(())
}

fn explain(cx: &Context<'_>, error: StepError, tool: &Tool) -> StepError {
    explain_killed(cx.run, error, |error| explain_output(error, tool))
}

fn explain_output(error: StepError, tool: &Tool) -> StepError {
    let StepError::Command { command, exit, output, help: None } = error else { return error };
    let says = |words: &[&str]| output.iter().any(|line| words.iter().any(|word| line.contains(word)));
    let help = if says(&["No matching distribution", "no version of", "No solution found"]) {
        "a package or version cannot be found for this Python: look at the pins, and at `python: {version: …}`"
    } else if says(&[
        "changed significantly since poetry.lock",
        "lockfile needs to be updated",
        "is out of date",
    ]) {
        "the lock file does not fit the project: lock again on your machine and commit it"
    } else if says(&[
        "Temporary failure in name resolution",
        "ConnectionError",
        "Could not connect",
        "timed out",
    ]) {
        "the package index cannot be reached from this server; try again, or look at its proxy settings"
    } else if says(&["error: command", "gcc", "fatal error:", "pg_config"]) {
        "a package was to be compiled: install what it needs (`apt install build-essential python3-dev …`)"
    } else {
        match tool {
            Tool::Pip(_) => "try it by hand: `python3 -m venv /tmp/try && /tmp/try/bin/pip install -r …`",
            Tool::Uv(..) => {
                "try it by hand: `uv venv /tmp/try && uv pip install --python /tmp/try/bin/python -r …`"
            }
            Tool::Brought(_) => "try it on another machine; what it printed is in `release log --step venv`",
        }
    };
    StepError::Command { command, exit, output, help: Some(help.to_owned()) }
}

#[cfg(test)]
mod tests;
