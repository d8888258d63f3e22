//! Runs one command to its end, and its whole process group with it when it must stop early.

use std::ffi::OsString;
use std::future::Future;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use release_core::command::{Command, Exit, Inherit, Share};
use release_core::host::{Account, HostError, HostResult};
use release_core::run::RunId;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::UnixHost;
use crate::files::failed;
use crate::lines::Lines;

/// How long a group may take to end after TERM before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long we read on after the command itself has ended: something it left behind may keep the pipe.
const REST_OF_OUTPUT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

impl UnixHost {
    /// See `Processes::run`.
    pub(crate) async fn run_to_end(&self, command: &Command, line: &mut dyn FnMut(&str)) -> HostResult<Exit> {
        self.interruption.check()?;
        let (mut child, output) = spawn(command, self.run.as_ref())?;
        let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let mut end = pin!(follow(&mut child, output, line));
        let stopped = tokio::select! {
            status = &mut end => {
                group.let_go();
                return status.map(exit).map_err(|source| spawn_error(command, source));
            }
            () = sleep(command.limit) => {
                HostError::TimedOut { what: format!("`{command}`"), limit: command.limit }
            }
            error = self.interruption.interrupted() => error,
        };
        group.end(end).await;
        Err(stopped)
    }
}

/// Starts the command in a process group of its own, with one pipe for all that it prints: so
/// its errors stand where they belong among its other lines.
fn spawn(command: &Command, run: Option<&RunId>) -> HostResult<(Child, Receiver)> {
    // The system would say "not found" of the program.
    std::fs::metadata(&command.directory).map_err(failed("enter the directory", &command.directory))?;
    let start = || {
        let (reader, writer) = io::pipe()?;
        let mut prepared = prepare(command, run);
        prepared.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
        Ok((prepared.spawn()?, receiver(reader)?))
    };
    start().map_err(|source| spawn_error(command, source))
}

pub(crate) fn prepare(command: &Command, run: Option<&RunId>) -> tokio::process::Command {
    let mut words = within(&command.share);
    words.extend(command.user.iter().flat_map(become_user));
    words.push(command.program.clone().into_os_string());
    let mut prepared = tokio::process::Command::new(&words[0]);
    prepared.args(&words[1..]).args(&command.args).current_dir(&command.directory);
    inherit(prepared.as_std_mut(), command.inherit);
    prepared.envs(command.env.iter().map(|(name, value)| (name, value.reveal())));
    if let Some(run) = run {
        prepared.env(RunId::VARIABLE, &run.0);
    }
    prepared
}

/// Takes away what the command is not to see of our environment.
pub(crate) fn inherit(prepared: &mut std::process::Command, inherit: Inherit) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| !inherit.takes(&name.to_string_lossy())) {
        prepared.env_remove(name);
    }
}

/// The programs that hold a command to its share, and become it.
fn within(share: &Share) -> Vec<OsString> {
    let mut words = Vec::new();
    if let Some(nice) = share.nice {
        words.extend(["nice".to_owned(), "-n".to_owned(), nice.to_string()]);
    }
    if let Some(memory) = share.memory {
        words.extend(["prlimit".to_owned(), format!("--data={memory}"), "--".to_owned()]);
    }
    words.into_iter().map(OsString::from).collect()
}

/// The program that becomes somebody else, and then the command.
fn become_user(user: &Account) -> Vec<OsString> {
    let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
    let words = ["setpriv", "--reuid", &uid, "--regid", &gid, "--init-groups", "--"];
    words.map(OsString::from).into()
}

fn receiver(reader: PipeReader) -> io::Result<Receiver> {
    Receiver::from_owned_fd(OwnedFd::from(reader))
}

fn spawn_error(command: &Command, source: io::Error) -> HostError {
    HostError::Spawn { program: command.program.display().to_string(), source }
}

fn exit(status: ExitStatus) -> Exit {
    status
        .code()
        .map(Exit::Code)
        .or(status.signal().map(Exit::Signal))
        .expect("it has ended, by itself or by a signal")
}

/// Reads lines until the command has ended and nobody can print any more.
async fn follow(
    child: &mut Child,
    mut output: Receiver,
    line: &mut dyn FnMut(&str),
) -> io::Result<ExitStatus> {
    let mut lines = Lines::default();
    let mut buffer = vec![0; 16 * 1024];
    let mut ended: Option<(ExitStatus, Instant)> = None;
    let mut open = true;
    while open || ended.is_none() {
        let rest = ended.map(|(_, at)| at + REST_OF_OUTPUT);
        tokio::select! {
            count = output.read(&mut buffer), if open => match count? {
                0 => open = false,
                count => lines.push(&buffer[..count], line),
            },
            status = child.wait(), if ended.is_none() => ended = Some((status?, Instant::now())),
            () = until(rest), if rest.is_some() => open = false,
        }
    }
    lines.finish(line);
    Ok(ended.expect("the loop ends no sooner").0)
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// A process group that must not outlive its run: dropped without a word, it is killed.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    /// The command ended by itself; what it left running on purpose may go on.
    fn let_go(mut self) {
        self.0 = None;
    }

    /// Asks the group to end, and kills what has not after [`PATIENCE`]. Reads its output
    /// meanwhile, for a full pipe could keep it from ending.
    async fn end(self, output: impl Future) {
        self.signal(Signal::TERM);
        let gone = async {
            output.await;
            while self.is_alive() {
                sleep(POLL).await;
            }
        };
        if timeout(PATIENCE, gone).await.is_ok() {
            self.let_go();
        }
    }

    fn is_alive(&self) -> bool {
        self.0.is_some_and(|group| test_kill_process_group(group).is_ok())
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may have ended just now.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
