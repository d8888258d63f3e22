//! Finds the Python interpreter and the installer, and what they are.

use std::path::PathBuf;

use release_core::command::Command;
use release_core::config::Installer;
use release_core::step::{Context, StepError};
use serde::Deserialize;

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

/// What installs the requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The pip that the interpreter brings, of this version.
    Pip(String),
    /// uv: where it is, and what `uv --version` says.
    Uv(PathBuf, String),
}

impl Tool {
    /// What the cache key holds of it.
    pub(crate) fn name(&self) -> String {
        match self {
            Tool::Pip(version) => format!("pip {version}"),
            Tool::Uv(_, version) => version.clone(),
        }
    }
}

const ABOUT: &str = "\
import json, os, platform, sys, sysconfig
try:
    import ensurepip
    pip = ensurepip.version()
except ImportError:
    pip = None
print(json.dumps({
    'executable': os.path.realpath(sys.executable),
    'version': platform.python_version(),
    'build': sys.version,
    'platform': sysconfig.get_platform(),
    'pip': pip,
}))";

/// The interpreter that `python.version` asks for.
pub(crate) fn find(cx: &Context<'_>) -> Result<Interpreter, StepError> {
    let wanted = cx.run.config.python.version.as_deref();
    let name = program_name(wanted);
    let program = cx.host.find_program(&name).ok_or_else(|| missing(cx, &name))?;
    let probe = Command::new(&program, cx.run.layout.root()).args(["-I", "-c", ABOUT]);
    let about: About = ask(cx, &probe, &name)?;
    if let Some(wanted) = wanted
        && !is_of(&about.version, wanted)
    {
        return Err(StepError::Refused {
            what: format!("python {wanted} is wanted, and {} is {}", program.display(), about.version),
            help: format!("install it, or write `python: {{version: \"{}\"}}`", minor(&about.version)),
        });
    }
    Ok(Interpreter { program, about })
}

/// Runs a probe without telling what it prints.
fn ask(cx: &Context<'_>, probe: &Command, name: &str) -> Result<About, StepError> {
    let mut lines = Vec::new();
    let exit = cx.host.run(probe, &mut |line| lines.push(line.to_owned()))?;
    let about = lines.last().and_then(|line| serde_json::from_str(line).ok());
    about.filter(|_| exit.success()).ok_or_else(|| StepError::Command {
        command: format!("{name} -I -c …"),
        exit,
        output: release_core::step::tail(&lines),
        help: Some(format!("see whether it works: `{name} --version`")),
    })
}

/// `python3.11` for `3.11` and `3.11.4`.
pub(crate) fn program_name(version: Option<&str>) -> String {
    version.map_or_else(|| "python3".to_owned(), |version| format!("python{}", minor(version)))
}

fn minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn is_of(version: &str, wanted: &str) -> bool {
    version.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn missing(cx: &Context<'_>, name: &str) -> StepError {
    let known = std::iter::once("python3".to_owned()).chain((9..=14).map(|minor| format!("python3.{minor}")));
    let found: Vec<String> = known.filter(|name| cx.host.find_program(name).is_some()).collect();
    let instead = if found.is_empty() { String::new() } else { format!(", only {}", found.join(", ")) };
    StepError::Refused {
        what: format!("there is no {name} on this server{instead}"),
        help: format!("install it: `apt install {name} {name}-venv`, or change `python: {{version: …}}`"),
    }
}

/// What installs the requirements with this interpreter.
pub(crate) fn tool(cx: &Context<'_>, interpreter: &Interpreter) -> Result<Tool, StepError> {
    let uv = cx.host.find_program("uv");
    match (cx.run.config.python.installer, uv) {
        (Installer::Auto | Installer::Uv, Some(uv)) => {
            let asked = Command::new(&uv, cx.run.layout.root()).args(["--version"]);
            let version = cx.output(&asked)?.pop().unwrap_or_default();
            Ok(Tool::Uv(uv, version))
        }
        (Installer::Uv, None) => Err(StepError::Refused {
            what: "there is no uv on this server".to_owned(),
            help: "install it: `pipx install uv`, or write `python: {installer: pip}`".to_owned(),
        }),
        (Installer::Auto | Installer::Pip, _) => pip(interpreter),
    }
}

fn pip(interpreter: &Interpreter) -> Result<Tool, StepError> {
    let About { pip, version, executable, .. } = &interpreter.about;
    pip.clone().map(Tool::Pip).ok_or_else(|| StepError::Refused {
        what: format!("{executable} has no ensurepip, and can make no virtual environment"),
        help: format!("install it: `apt install python{}-venv`", minor(version)),
    })
}
