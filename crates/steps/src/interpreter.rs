//! Finds the Python interpreter, and what it is.

use std::path::PathBuf;

use release_core::command::Command;
use release_core::pyproject::{Pyproject, pipfile_python};
use release_core::python_version::{WantedPython, all_programs};
use release_core::step::{Context, StepError};
use serde::Deserialize;

use crate::place::tracked;

/// A Python interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// As `PATH` finds it.
    pub(crate) program: PathBuf,
    /// What it says of itself.
    pub(crate) about: About,
}

/// What an interpreter says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct About {
    /// Its real path: the program may be a shim.
    pub(crate) executable: String,
    /// `3.11.7`.
    pub(crate) version: String,
    /// The version with its build, since two builds need not fit the same wheels.
    pub(crate) build: String,
    /// `linux-x86_64`.
    pub(crate) platform: String,
    /// The pip that a new environment gets; `None` where the system has none to give.
    pub(crate) pip: Option<String>,
}

const ABOUT: &str = include_str!("interpreter.py");

/// The interpreter that release.yml or the project asks for.
pub(crate) fn find(cx: &Context<'_>) -> Result<Interpreter, StepError> {
    let wanted = wanted(cx)?;
    let mut broken = None;
    for name in wanted.programs() {
        match probe(cx, &name) {
            Ok(Some(found)) if wanted.accepts(&found.about.version) => return Ok(found),
            Ok(_) => {}
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    let found = installed(cx);
    // One that is there and does not start is what people should hear of.
    match broken.filter(|_| found.is_empty()) {
        Some(error) => Err(error),
        None => Err(missing(&wanted, &found)),
    }
}

/// What is asked for: the one who runs the server has the first word.
fn wanted(cx: &Context<'_>) -> Result<WantedPython, StepError> {
    if let Some(version) = &cx.run.config.python.version {
        return Ok(WantedPython::version(version));
    }
    if let Some(text) = tracked(cx, ".python-version")?
        && let Some(wanted) = WantedPython::of_version_file(&String::from_utf8_lossy(&text))
    {
        return Ok(wanted);
    }
    let project = tracked(cx, "pyproject.toml")?.and_then(|text| Pyproject::parse(&text)?.python());
    if let Some(wanted) = project {
        return Ok(wanted);
    }
    let pipfile = tracked(cx, "Pipfile.lock")?.and_then(|lock| pipfile_python(&lock));
    Ok(pipfile.unwrap_or_else(WantedPython::any))
}

/// Asks a program what it is, without telling what it prints. `None` if it is not installed.
fn probe(cx: &Context<'_>, name: &str) -> Result<Option<Interpreter>, StepError> {
    let Some(program) = cx.host.find_program(name) else { return Ok(None) };
    let command = Command::new(&program, cx.run.layout.root()).args(["-I", "-S", "-c", ABOUT]);
    let (exit, lines) = cx.host.inquire(&command)?;
    let about = lines.last().and_then(|line| serde_json::from_str(line).ok()).filter(|_| exit.success());
    match about {
        Some(about) => Ok(Some(Interpreter { program, about })),
        None => Err(StepError::Command {
            command: format!("{name} -I -S -c …"),
            exit,
            output: release_core::step::tail(&lines),
            help: Some(format!("see whether it works: `{name} --version`")),
        }),
    }
}

/// Every interpreter that starts: `python3 (3.11.7)`.
fn installed(cx: &Context<'_>) -> Vec<String> {
    let names = std::iter::once("python3".to_owned()).chain(all_programs());
    let found = names.filter_map(|name| Some((probe(cx, &name).ok()??.about.version, name)));
    found.map(|(version, name)| format!("{name} ({version})")).collect()
}

fn missing(wanted: &WantedPython, found: &[String]) -> StepError {
    let found = if found.is_empty() { "no python3".to_owned() } else { found.join(", ") };
    let package = wanted.package();
    StepError::Refused {
        what: format!("{wanted} is wanted, and this server has only {found}"),
        help: format!(
            "install it: `apt install {package} {package}-venv`, or say `python: {{version: \"…\"}}`"
        ),
    }
}
