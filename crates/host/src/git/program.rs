//! The `git` program, for what libgit2 does not do: streaming, attributes, filters.

use std::ffi::OsStr;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::thread;

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

/// Runs a command to its end with `input`, and gives what it printed; its failure is an error that tells that.
pub(super) fn run(command: Command, input: &[u8]) -> HostResult<Vec<u8>> {
    converse(
        command,
        |to| to.write_all(input),
        |mut from| {
            let mut printed = Vec::new();
            from.read_to_end(&mut printed).map(|_| printed)
        },
    )
}

/// Runs a command to its end while `write` gives it its input and `read` takes what it prints.
pub(super) fn converse<T>(
    mut command: Command,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    read: impl FnOnce(BufReader<ChildStdout>) -> io::Result<T>,
) -> HostResult<T> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| not_started(&command, source))?;
    let mut input = BufWriter::new(child.stdin.take().expect("it is a pipe"));
    let output = BufReader::new(child.stdout.take().expect("it is a pipe"));
    let mut errors = child.stderr.take().expect("it is a pipe");
    let (answer, status, complaint) = thread::scope(|scope| {
        // One that reads no more has failed, and says so itself.
        scope.spawn(move || write(&mut input).and_then(|()| input.flush()));
        let complaint = scope.spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).map(|_| text).unwrap_or_default()
        });
        let answer = read(output);
        (answer, child.wait(), complaint.join().unwrap_or_default())
    });
    match status.map_err(|source| not_started(&command, source))? {
        status if status.success() => answer.map_err(|source| not_started(&command, source)),
        status => Err(not_done(&command, status, &complaint)),
    }
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

/// A program that failed, and what it complained of.
pub(super) fn not_done(command: &Command, status: ExitStatus, complaint: &[u8]) -> HostError {
    let words = command.get_args().skip(2).map(OsStr::to_string_lossy);
    let words: Vec<_> = words.filter(|word| word != "-c" && !word.contains('=')).collect();
    let program = command.get_program().to_string_lossy();
    let printed = String::from_utf8_lossy(complaint).trim().to_owned();
    let why = if printed.is_empty() { status.to_string() } else { printed };
    because(format!("`{program} {}` failed", words.join(" ")), None, why)
}
