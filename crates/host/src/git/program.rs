//! The `git` program, for what libgit2 does not do: streaming, attributes, filters.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use release_core::host::{HostError, HostResult};
use release_core::run::RunId;

use super::because;

/// What no configuration of this user or this machine may change in a release, nor in the memory that
/// a large file takes: git maps a gigabyte of a pack at once unless it is told not to.
const PLAIN: [&str; 6] = [
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.eol=lf",
    "core.bigFileThreshold=8m",
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=128m",
];

/// Calls git on one repository, as a child of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program<'a> {
    /// The git directory.
    pub repository: &'a Path,
    /// Every child of a run carries its name.
    pub run: Option<&'a RunId>,
}

impl Program<'_> {
    /// `git <args>` on the repository, untouched by the environment of a hook.
    pub(super) fn git(&self, args: &[&str]) -> Command {
        let mut command = self.prepare("git");
        command.arg("--git-dir").arg(self.repository);
        for setting in PLAIN {
            command.args(["-c", setting]);
        }
        command.args(args);
        command
    }

    /// Another program, in the same environment.
    pub(super) fn prepare(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_"))
        {
            command.env_remove(name);
        }
        command.envs([("GIT_ATTR_NOSYSTEM", "1"), ("GIT_NO_REPLACE_OBJECTS", "1"), ("LC_ALL", "C")]);
        // A server that asks for a password must not hang a deploy.
        command.env("GIT_TERMINAL_PROMPT", "0");
        if let Some(run) = self.run {
            command.env(RunId::VARIABLE, &run.0);
        }
        command
    }
}

/// Runs a command to its end with `input`; its failure is an error that tells what it printed.
pub(super) fn run(mut command: Command, input: &[u8]) -> HostResult<Vec<u8>> {
    let output = feed(&mut command, input).map_err(|source| not_started(&command, source))?;
    if output.status.success() { Ok(output.stdout) } else { Err(not_done(&command, &output)) }
}

fn feed(command: &mut Command, input: &[u8]) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().expect("it is a pipe");
    std::thread::scope(|scope| {
        // One that reads no more has failed, and says so itself.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output()
    })
}

/// A program that could not be started.
pub(super) fn not_started(command: &Command, source: io::Error) -> HostError {
    let program = command.get_program().to_string_lossy().into_owned();
    if source.kind() == ErrorKind::NotFound {
        let help = format!("apt install {program}");
        return because(format!("cannot find `{program}`"), Some(help), source);
    }
    HostError::Spawn { program, source }
}

fn not_done(command: &Command, output: &Output) -> HostError {
    let words = command.get_args().skip(2).map(OsStr::to_string_lossy);
    let words: Vec<_> = words.filter(|word| word != "-c" && !word.contains('=')).collect();
    let program = command.get_program().to_string_lossy();
    let printed = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let why = if printed.is_empty() { output.status.to_string() } else { printed };
    because(format!("`{program} {}` failed", words.join(" ")), None, why)
}
