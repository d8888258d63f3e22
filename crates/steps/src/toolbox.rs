//! Tools that a project needs and the server has not: brought along below `cache/tool`, once.

use std::path::{Path, PathBuf};

use release_core::command::Command;
use release_core::host::HostResult;
use release_core::python_version::minor;
use release_core::step::{Context, StepError};

use crate::cache;
use crate::interpreter::Interpreter;

/// A tool and its version, as a registry knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Package<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// What it is called by.
    pub(crate) program: &'a str,
}

/// The program of a Python tool, in an environment of its own.
pub(crate) fn from_pypi(
    cx: &Context<'_>,
    python: &Interpreter,
    package: &Package<'_>,
) -> Result<PathBuf, StepError> {
    let name = format!("{}-{}-py{}", package.name, package.version, minor(&python.about.version));
    let place = cx.run.layout.cached("tool", &name);
    let program = place.join("bin").join(package.program);
    provide(cx, &place, &program, pypi_commands(python, package, &place))
}

/// The program of a JavaScript tool.
pub(crate) fn from_npm(cx: &Context<'_>, npm: &Path, package: &Package<'_>) -> Result<PathBuf, StepError> {
    let name = format!("{}-{}", package.name.replace(['@', '/'], ""), package.version);
    let place = cx.run.layout.cached("tool", &name);
    let program = place.join("node_modules/.bin").join(package.program);
    provide(cx, &place, &program, vec![npm_command(npm, package, &place)])
}

fn provide(
    cx: &Context<'_>,
    place: &Path,
    program: &Path,
    commands: Vec<Command>,
) -> Result<PathBuf, StepError> {
    if !is_there(cx, place, program)? {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let _lock = cache::build_lock(cx, "tool", &name)?;
        if is_there(cx, place, program)? {
            return Ok(program.to_owned());
        }
        cx.host.remove(place)?;
        cx.host.make_dir(place)?;
        for command in commands {
            cx.run(&command)?;
        }
        cache::complete(cx, place, place.as_os_str().as_encoded_bytes())?;
    }
    Ok(program.to_owned())
}

/// Scripts hold their path and lead to their interpreter: where either is another one by now,
/// they would not start.
fn is_there(cx: &Context<'_>, place: &Path, program: &Path) -> HostResult<bool> {
    let python = place.join("bin/python");
    let starts = cx.host.kind(&python)?.is_none() || cx.host.resolve(&python)?.is_some();
    let is_whole = cache::stamp_text(cx, place)?.as_deref() == Some(place.as_os_str().as_encoded_bytes());
    Ok(is_whole && starts && cx.host.resolve(program)?.is_some())
}

fn pypi_commands(python: &Interpreter, package: &Package<'_>, place: &Path) -> Vec<Command> {
    let venv =
        Command::new(&python.about.executable, "/").args(["-m", "venv"]).args([place.display().to_string()]);
    let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let install = Command::new(place.join("bin/python"), "/").args(pip);
    vec![venv, install.args([format!("{}=={}", package.name, package.version)])]
}

fn npm_command(npm: &Path, package: &Package<'_>, place: &Path) -> Command {
    let command =
        Command::new(npm, place).args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"]);
    command.args([place.display().to_string(), format!("{}@{}", package.name, package.version)])
}
