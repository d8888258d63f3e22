//! What installs the packages: found on the server, or brought along.

use std::path::PathBuf;

use release_core::command::Command;
use release_core::config::Installer;
use release_core::python_version::minor;
use release_core::step::{Context, StepError};

use super::project::Source;
use crate::interpreter::{About, Interpreter};
use crate::toolbox::{self, Package};

/// What installs the packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// The pip that the interpreter brings, of this version.
    Pip(String),
    /// uv: where it is, and what `uv --version` says.
    Uv(PathBuf, String),
    /// One that is brought along.
    Brought(Package<'static>),
}

pub(super) const UV: Package<'static> = Package { name: "uv", version: "0.13.8", program: "uv" };
pub(super) const POETRY: Package<'static> = Package { name: "poetry", version: "2.5.1", program: "poetry" };
pub(super) const PIPENV: Package<'static> =
    Package { name: "pipenv", version: "2026.10.3", program: "pipenv" };

impl Tool {
    /// The tool for what the project shows.
    pub(super) fn find(cx: &Context<'_>, source: &Source, python: &Interpreter) -> Result<Self, StepError> {
        match (source, cx.run.config.python.installer) {
            (Source::Poetry, _) => brought(python, POETRY),
            (Source::Pipenv, _) => brought(python, PIPENV),
            (Source::Uv, _) | (_, Installer::Uv) | (Source::PyLock, Installer::Auto) => {
                installed_uv(cx)?.map_or_else(|| brought(python, UV), Ok)
            }
            (_, Installer::Auto) => installed_uv(cx)?.map_or_else(|| pip(python).map(Self::Pip), Ok),
            _ => pip(python).map(Self::Pip),
        }
    }

    /// What people and the cache key know of it.
    pub(super) fn name(&self) -> String {
        match self {
            Tool::Pip(version) => format!("pip {version}"),
            Tool::Uv(_, version) => version.clone(),
            Tool::Brought(package) => format!("{} {}", package.name, package.version),
        }
    }

    /// Whether it takes uv's arguments.
    pub(super) fn is_uv(&self) -> bool {
        matches!(self, Tool::Uv(..)) || *self == Tool::Brought(UV)
    }

    /// Its program, brought along now if need be; pip's is the environment's own.
    pub(super) fn program(&self, cx: &Context<'_>, python: &Interpreter) -> Result<PathBuf, StepError> {
        match self {
            Tool::Pip(_) => Ok(python.program.clone()),
            Tool::Uv(path, _) => Ok(path.clone()),
            Tool::Brought(package) => toolbox::from_pypi(cx, python, package),
        }
    }
}

fn installed_uv(cx: &Context<'_>) -> Result<Option<Tool>, StepError> {
    let Some(uv) = cx.host.find_program("uv") else { return Ok(None) };
    let asked = Command::new(&uv, cx.run.layout.root()).args(["--version"]);
    let version = cx.output(&asked)?.pop().unwrap_or_default();
    Ok(Some(Tool::Uv(uv, version)))
}

fn brought(python: &Interpreter, package: Package<'static>) -> Result<Tool, StepError> {
    pip(python)?;
    let version = &python.about.version;
    let is_old =
        minor(version).strip_prefix("3.").and_then(|minor| minor.parse().ok()).is_some_and(|n: u32| n < 10);
    if is_old && package != UV {
        return Err(StepError::Refused {
            what: format!(
                "{} {} runs on Python 3.10 and later, and this is {version}",
                package.name, package.version
            ),
            help: "say `python: {version: \"3.11\"}`, or export a requirements.txt".to_owned(),
        });
    }
    Ok(Tool::Brought(package))
}

/// The pip of the environments that this interpreter makes.
fn pip(python: &Interpreter) -> Result<String, StepError> {
    let About { pip, version, executable, .. } = &python.about;
    pip.clone().ok_or_else(|| StepError::Refused {
        what: format!("{executable} has no ensurepip, and can make no virtual environment"),
        help: format!("install it: `apt install python{}-venv`", minor(version)),
    })
}
