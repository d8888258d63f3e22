//! The programs of supervisord: how each comes and goes.

use std::path::PathBuf;
use std::time::Duration;

use release_core::config::Manager;
use release_core::host::{Files, HostResult};
use release_core::service::{Program, ProgramState};
use rustix::process::{Pid, Signal, kill_process_group};

use super::rpc::{Rpc, RpcError, fault};
use super::state::Process;
use super::{conf, refused, unwritable};
use crate::UnixHost;
use crate::climb::KILL;
use crate::placed::Placed;

/// The patience of a program whose file somebody removed.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(600);
/// supervisord reads only what ends in `.conf`.
const WITHDRAWN: &str = "ending";

/// What becomes of a program that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Keep,
    Forget,
}

impl UnixHost {
    /// Writes the files of `programs`, or none if one cannot be written.
    pub(super) fn write_programs(&self, programs: &[Program]) -> HostResult<()> {
        let texts: Result<Vec<String>, _> = programs.iter().map(conf::program).collect();
        for (program, text) in programs.iter().zip(texts.map_err(unwritable)?) {
            if let Some(directory) = program.log.parent() {
                self.make_dir(directory)?;
            }
            self.write(&self.program_file(&program.name), text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Takes a program's file away, so that no supervisord starts it again.
    pub(super) fn withdraw(&self, program: &str) -> HostResult<()> {
        let (file, withdrawn) = (self.program_file(program), self.withdrawn_file(program));
        if self.kind(&file)?.is_some() { self.rename(&file, &withdrawn) } else { Ok(()) }
    }

    /// What is left to do when a withdrawn program has ended.
    pub(super) fn forget_withdrawn(&self, program: &str) -> HostResult<()> {
        self.remove(&self.withdrawn_file(program))
    }

    /// When nothing runs, nothing can be ending.
    pub(super) fn forget_all_withdrawn(&self) -> HostResult<()> {
        let files = self.list(&self.layout.supervisor_programs())?;
        let withdrawn = |file: &&PathBuf| file.extension().is_some_and(|extension| extension == WITHDRAWN);
        files.iter().filter(withdrawn).try_for_each(|file| self.remove(file))
    }

    /// How a program ends, as its file says, withdrawn or not; `None` when it has none.
    pub(crate) fn private_program(&self, program: &str) -> HostResult<Option<Placed>> {
        for file in [self.program_file(program), self.withdrawn_file(program)] {
            if let Some(text) = self.read(&file)? {
                return Ok(Some(placed(program, file, &String::from_utf8_lossy(&text))));
            }
        }
        Ok(None)
    }

    fn program_file(&self, program: &str) -> PathBuf {
        self.layout.supervisor_programs().join(format!("{program}.conf"))
    }

    /// Tells who goes on to end it how that is done.
    fn withdrawn_file(&self, program: &str) -> PathBuf {
        self.layout.supervisor_programs().join(format!("{program}.{WITHDRAWN}"))
    }
}

/// Makes supervisord take over and start programs whose files are written.
pub(super) async fn begin(rpc: &Rpc, programs: &[&Program]) -> HostResult<()> {
    rpc.reload().await.map_err(|error| refused("cannot read its files", error))?;
    for program in programs {
        let begun = async {
            tolerate(rpc.add(&program.name).await, &[fault::ALREADY_ADDED])?;
            if !program.restart {
                // It starts by itself; asked to start it now, supervisord could run it twice.
                return Ok(());
            }
            // So does this one, but only in a moment and without a word on what is wrong.
            tolerate(rpc.start(&program.name).await, &[fault::ALREADY_STARTED])
        };
        begun.await.map_err(|error| refused(format!("cannot start `{}`", program.name), error))?;
    }
    Ok(())
}

/// Asks programs to end, one after the other, and does not wait for it.
pub(super) fn begin_end(host: &UnixHost, rpc: &Rpc, placed: &[Placed]) -> HostResult<()> {
    let mut one_by_one = placed.iter().map(std::slice::from_ref);
    one_by_one.try_for_each(|one| host.unless_interrupted(end_once(host, rpc, one, Then::Keep)).map(drop))
}

/// Ends programs, all at once, and waits until they have; fine when there are none or no
/// supervisord runs.
pub(super) fn end(host: &UnixHost, rpc: &Rpc, placed: &[Placed], then: Then) -> HostResult<()> {
    host.wait_until_ended(placed, || host.unless_interrupted(end_once(host, rpc, placed, then)))
}

/// Sends a further signal to a program that is ending: KILL to its whole group, as supervisord would.
pub(super) async fn signal(rpc: &Rpc, name: &str, state: &ProgramState, signal: &str) -> HostResult<()> {
    if signal == KILL {
        if let Some(group) = state.pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            // Whether it worked shows when it is looked for again.
            let _ = kill_process_group(group, Signal::KILL);
        }
        return Ok(());
    }
    let sent = rpc.signal(name, signal).await;
    match tolerate(sent, &[fault::NOT_RUNNING, fault::BAD_NAME, fault::SHUTDOWN_STATE]) {
        Ok(()) | Err(RpcError::Absent(_)) => Ok(()),
        Err(error) => Err(refused(format!("cannot signal `{name}`"), error)),
    }
}

/// Goes once through `placed` and gives those that are still there. What has exited may be started
/// again before it is removed, and is asked again next time.
async fn end_once(host: &UnixHost, rpc: &Rpc, placed: &[Placed], then: Then) -> HostResult<Vec<String>> {
    let there = match rpc.processes().await {
        Ok(all) => all.into_iter().filter(|process| placed.iter().any(|placed| placed.name == process.name)),
        Err(error) => return left(Err(error), placed),
    };
    let there: Vec<Process> = there.collect();
    host.count(placed, |name| there.iter().find(|process| process.name == name).map(Process::running))?;
    left(ask(rpc, there, then).await, placed)
}

async fn ask(rpc: &Rpc, there: Vec<Process>, then: Then) -> Result<Vec<String>, RpcError> {
    let mut left = Vec::new();
    for process in there {
        if process.state.is_wanted() {
            tolerate(rpc.stop(&process.name).await, &[fault::NOT_RUNNING, fault::FAILED, fault::BAD_NAME])?;
        } else if process.state.is_at_rest() && (then == Then::Keep || remove(rpc, &process.name).await?) {
            continue;
        }
        left.push(process.name);
    }
    Ok(left)
}

/// Somebody may end supervisord, which ends everything; then it is absent.
fn left(asked: Result<Vec<String>, RpcError>, placed: &[Placed]) -> HostResult<Vec<String>> {
    match asked {
        Err(RpcError::Absent(_)) => Ok(Vec::new()),
        Err(error) if error.is(fault::SHUTDOWN_STATE) => {
            Ok(placed.iter().map(|placed| placed.name.clone()).collect())
        }
        asked => asked.map_err(|error| refused("cannot stop what it runs", error)),
    }
}

/// Whether supervisord does not know the program any more.
async fn remove(rpc: &Rpc, program: &str) -> Result<bool, RpcError> {
    match rpc.remove(program).await {
        Err(error) if error.is(fault::STILL_RUNNING) => Ok(false),
        other => tolerate(other, &[fault::BAD_NAME]).map(|()| true),
    }
}

fn tolerate(result: Result<(), RpcError>, faults: &[i32]) -> Result<(), RpcError> {
    match result {
        Err(error) if faults.iter().any(|fault| error.is(*fault)) => Ok(()),
        other => other,
    }
}

/// How a program ends whose file somebody removed.
pub(super) fn unknown(program: &str) -> Placed {
    placed(program, PathBuf::new(), "")
}

fn placed(program: &str, file: PathBuf, conf: &str) -> Placed {
    Placed {
        program: program.to_owned(),
        manager: Manager::Supervisord,
        name: program.to_owned(),
        file,
        order: conf::order(conf),
        stop_wait: conf::patience(conf).unwrap_or(UNKNOWN_PATIENCE),
        climb: conf::climb(conf),
    }
}
