//! Gives the release its Python environment, built once for equal requirements.

mod files;

use std::path::{Path, PathBuf};

use release_core::cache_key::CacheKey;
use release_core::command::Command;
use release_core::requirements;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::cache;
use crate::interpreter::{self, Interpreter, Tool};
use crate::place::{in_release, relative};

/// Builds the Python environment, or finds it in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Venv;

const KIND: &str = "venv";
const NOTHING: &str = "there is no requirements.txt";

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
        let Some(wanted) = Wanted::find(cx)? else { return Ok(Look::Nothing(NOTHING.to_owned())) };
        let entry = wanted.entry(cx);
        Ok(match cache::is_complete(cx, &entry)? {
            true => Look::Cached(format!("{} is built", entry.display())),
            false => Look::Needed(format!("no environment has these packages and {}", wanted.about())),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some(wanted) = Wanted::find(cx)? else { return Ok(Outcome::Skipped(NOTHING.to_owned())) };
        let entry = wanted.entry(cx);
        let cached = cache::is_complete(cx, &entry)?;
        if !cached {
            build(cx, &wanted, &entry)?;
        }
        cache::mark_used(cx, &entry)?;
        let link = cx.run.layout.venv(cx.run.release());
        let target = relative(&in_release(cx, "."), &entry);
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
    /// The files to install from, in order.
    files: Vec<String>,
    /// Those and what they include, each with its contents.
    texts: Vec<(String, Vec<u8>)>,
    interpreter: Interpreter,
    tool: Tool,
}

impl Wanted {
    fn find(cx: &Context<'_>) -> Result<Option<Self>, StepError> {
        let Some(files) = files::wanted(cx)? else { return Ok(None) };
        let texts = files::with_includes(cx, &files)?;
        let interpreter = interpreter::find(cx)?;
        let tool = interpreter::tool(cx, &interpreter)?;
        Ok(Some(Self { files, texts, interpreter, tool }))
    }

    fn entry(&self, cx: &Context<'_>) -> PathBuf {
        let about = &self.interpreter.about;
        let mut key = CacheKey::new(KIND, 1)
            .with("executable", &about.executable)
            .with("build", &about.build)
            .with("platform", &about.platform)
            .with("installer", self.tool.name())
            // Its scripts hold the path: in a root that was moved they would not start.
            .with("root", cx.run.layout.root().as_os_str().as_encoded_bytes());
        // In this order they are installed, whatever they include.
        key = self.files.iter().fold(key, |key, file| key.with("install", file));
        for (name, text) in &self.texts {
            key = key.with(name, text);
            // What is installed from the release's own directory is of no use to another one.
            if requirements::is_local(&String::from_utf8_lossy(text)) {
                key = key.with("release", cx.run.release().as_str());
            }
        }
        cx.run.layout.cached(KIND, &key.finish())
    }

    fn about(&self) -> String {
        format!("python {}, {}", self.interpreter.about.version, self.tool.name())
    }
}

/// Builds the environment where it stays: its scripts hold its path.
fn build(cx: &Context<'_>, wanted: &Wanted, entry: &Path) -> Result<(), StepError> {
    cache::begin(cx, entry)?;
    for command in commands(cx.run, wanted, entry) {
        cx.run(&command).map_err(|error| explain(error, &wanted.tool))?;
    }
    Ok(cache::complete(cx, entry)?)
}

/// Makes the environment and installs into it, bytecode included: the first request should not wait for it.
fn commands(run: &Run, wanted: &Wanted, entry: &Path) -> [Command; 2] {
    let directory = run.layout.release(run.release());
    let entry_text = entry.display().to_string();
    let files = wanted.files.iter().flat_map(|file| ["-r".to_owned(), file.clone()]);
    let command = |program: &Path| Command::new(program, &directory);
    match &wanted.tool {
        Tool::Pip(_) => [
            command(&wanted.interpreter.program).args(["-m", "venv", &entry_text]),
            command(&entry.join("bin/python"))
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--no-input",
                    "--disable-pip-version-check",
                    "--progress-bar",
                    "off",
                ])
                .args(files),
        ],
        Tool::Uv(uv, _) => [
            command(uv).args(["venv", "--python", &wanted.interpreter.about.executable, &entry_text]),
            command(uv)
                .args(["pip", "install", "--compile-bytecode", "--python"])
                .args([entry.join("bin/python").display().to_string()])
                .args(files),
        ],
    }
}

fn explain(error: StepError, tool: &Tool) -> StepError {
    let StepError::Command { command, exit, output, help: None } = error else { return error };
    let says = |words: &[&str]| output.iter().any(|line| words.iter().any(|word| line.contains(word)));
    let help = if says(&["No matching distribution", "no version of", "No solution found"]) {
        "a package or version cannot be found for this Python: look at the pins, and at `python: {version: …}`"
    } else if says(&[
        "Temporary failure in name resolution",
        "ConnectionError",
        "Could not connect",
        "timed out",
    ]) {
        "the package index cannot be reached from this server; try again, or look at its proxy settings"
    } else if says(&["error: command", "gcc", "fatal error:", "pg_config"]) {
        "a package was to be compiled: install what it needs (`apt install build-essential python3-dev …`)"
    } else if matches!(tool, Tool::Pip(_)) {
        "try it by hand: `python3 -m venv /tmp/try && /tmp/try/bin/pip install -r …`"
    } else {
        "try it by hand: `uv venv /tmp/try && uv pip install --python /tmp/try/bin/python -r …`"
    };
    StepError::Command { command, exit, output, help: Some(help.to_owned()) }
}

#[cfg(test)]
mod tests;
