//! The private supervisord: a process manager that users trust, and that is ours alone.
//!
//! Its home holds all that it needs; `supervisorctl -c <home>/supervisord.conf` works as usual.

mod conf;
mod daemon;
mod install;
mod left_behind;
mod programs;
mod rpc;
mod server;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use release_core::host::{Before, Files, HostError, HostResult};
use release_core::service::{Program, ProgramState};

use crate::UnixHost;
use crate::placed::{Placed, end_in_turn};
use crate::services::ProcessManager;
use programs::Then;
use rpc::{Rpc, RpcError, fault};
pub(crate) use server::Supervisord;

/// The private supervisord of a root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrivateSupervisord<'a>(pub(crate) &'a UnixHost);

impl ProcessManager for PrivateSupervisord<'_> {
    /// It can be installed wherever there is Python, and the environment's builder asks for that.
    fn check(&self) -> HostResult<()> {
        Ok(())
    }

    fn start(&self, programs: &[Program]) -> HostResult<()> {
        // Before it starts: what an older file says of them, as in a root that was moved, could keep it from starting.
        self.0.write_programs(programs)?;
        let launches = !self.0.manager_runs()?;
        self.ensure()?;
        let rpc = self.0.rpc();
        let known = self.0.unless_interrupted(async { Ok(rpc.processes().await) })?;
        let known = known.map_err(|error| refused("does not say what it runs", error))?;
        let runs = |program: &&Program| {
            // A new manager has started all of them, and what is to run once may be done.
            let began = launches && !program.restart;
            began || known.iter().any(|known| known.name == program.name && known.state.is_up())
        };
        let (_, idle): (Vec<&Program>, Vec<&Program>) = programs.iter().partition(runs);
        let names: Vec<String> = idle.iter().map(|program| program.name.clone()).collect();
        // What supervisord knows of them may be out of date.
        programs::end(self.0, &rpc, &self.described(&names)?, Then::Forget)?;
        let begun = self.0.unless_interrupted(programs::begin(&rpc, &idle));
        begun.map_err(|error| self.0.with_moved(error))
    }

    fn begin_stop(&self, programs: &[String]) -> HostResult<()> {
        self.0.withdraw_all(programs)?;
        programs::begin_end(self.0, &self.0.rpc(), &self.described(programs)?)
    }

    fn signal(&self, placed: &Placed, state: &ProgramState, signal: &str) -> HostResult<()> {
        // What is written down as sent is sent, also when the run is interrupted.
        self.0.runtime.block_on(programs::signal(&self.0.rpc(), &placed.name, state, signal))
    }

    fn stop(&self, programs: &[String]) -> HostResult<()> {
        self.0.withdraw_all(programs)?;
        programs::end(self.0, &self.0.rpc(), &self.described(programs)?, Then::Forget)?;
        self.0.unless_interrupted(left_behind::end("what a service left behind", || {
            left_behind::orphans(&self.0.layout, programs)
        }))?;
        programs.iter().try_for_each(|program| self.0.forget_withdrawn(program))
    }

    fn states(&self) -> HostResult<Vec<ProgramState>> {
        self.0.unless_interrupted(async {
            match self.0.rpc().processes().await {
                Ok(processes) => Ok(processes.into_iter().map(ProgramState::from).collect()),
                Err(RpcError::Absent(_)) => Ok(Vec::new()),
                Err(error) => Err(refused("does not say what it runs", error)),
            }
        })
    }

    fn stop_all(&self, before: Before<'_>) -> HostResult<()> {
        let (rpc, patience) = (self.0.rpc(), self.longest_patience()?);
        let known = self.described(&self.known()?)?;
        end_in_turn(known, before, |placed| programs::end(self.0, &rpc, placed, Then::Keep))?;
        self.0.unless_interrupted(async {
            match rpc.shut_down().await {
                // It may be gone before its answer is.
                Ok(()) | Err(RpcError::Absent(_) | RpcError::Unreadable { .. }) => {}
                Err(error) if error.is(fault::SHUTDOWN_STATE) => {}
                Err(error) => return Err(refused("cannot end itself", error)),
            }
            self.0.wait_until_gone(patience + SHUTDOWN).await
        })?;
        self.0.end_left_behind_programs()
    }
}

/// How long supervisord takes to end when nothing runs any more.
const SHUTDOWN: Duration = Duration::from_secs(10);

impl PrivateSupervisord<'_> {
    /// Whether this root ever had one.
    pub(crate) fn is_used(&self) -> HostResult<bool> {
        Ok(self.0.kind(&self.0.layout.supervisor_programs())?.is_some())
    }

    /// The programs that have a file, those that are ending too.
    pub(crate) fn known(&self) -> HostResult<Vec<String>> {
        let files = self.0.list(&self.0.layout.supervisor_programs())?;
        let names = files.iter().filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()));
        let mut names: Vec<String> = names.collect();
        names.dedup();
        Ok(names)
    }

    /// How each of `programs` ends.
    fn described(&self, programs: &[String]) -> HostResult<Vec<Placed>> {
        let described = |program: &String| {
            let known = self.0.private_program(program)?;
            Ok(known.unwrap_or_else(|| programs::unknown(program)))
        };
        programs.iter().map(described).collect()
    }

    /// How long it takes at most until everything that there is has ended.
    fn longest_patience(&self) -> HostResult<Duration> {
        let known = self.described(&self.known()?)?;
        Ok(known.iter().map(|placed| placed.stop_wait).max().unwrap_or_default())
    }

    /// Starts it if it does not run.
    pub(crate) fn ensure(&self) -> HostResult<()> {
        if self.0.manager_runs()? {
            return Ok(());
        }
        let supervisord = self.0.supervisord()?;
        self.0.prepare_home()?;
        self.0.end_left_behind_programs()?;
        self.0.launch(&supervisord)
    }

    /// Ends it when it has nothing to run any more.
    pub(crate) fn end_idle(&self) -> HostResult<()> {
        if self.known()?.is_empty() && self.0.manager_runs()? { self.stop_all(&|_| Ok(())) } else { Ok(()) }
    }
}

impl UnixHost {
    /// Takes the programs' files away.
    fn withdraw_all(&self, programs: &[String]) -> HostResult<()> {
        programs.iter().try_for_each(|program| self.withdraw(program))?;
        if !self.manager_runs()? && self.has_left_something_behind()? {
            // What was to be stopped is still running, and nobody but a new supervisord can tell it from the rest.
            PrivateSupervisord(self).ensure()?;
        }
        Ok(())
    }

    fn rpc(&self) -> Rpc {
        Rpc { socket: self.layout.supervisor_socket() }
    }

    /// Whether it answers; one that is ending is waited for.
    fn manager_runs(&self) -> HostResult<bool> {
        let patience = PrivateSupervisord(self).longest_patience()?;
        self.unless_interrupted(async {
            match self.rpc().ping().await {
                Ok(()) => Ok(true),
                Err(RpcError::Absent(_)) => Ok(false),
                Err(error) if error.is(fault::SHUTDOWN_STATE) => {
                    self.wait_until_gone(patience + SHUTDOWN).await.map(|()| false)
                }
                Err(error) => Err(refused("is in trouble", error)),
            }
        })
    }
}

impl UnixHost {
    /// A supervisord goes on in a root that was moved, but looks for its files where they were.
    fn with_moved(&self, error: HostError) -> HostError {
        match error {
            HostError::Services { what, help: None, source } => HostError::Services {
                what,
                help: Some(format!(
                    "look at the files in {}; if this root was moved or copied: `release stop`, then `release start`",
                    self.layout.supervisor_programs().display()
                )),
                source,
            },
            other => other,
        }
    }
}

fn refused(what: impl Into<String>, error: RpcError) -> HostError {
    let help = error.is_forbidden().then(|| "run it as the user who deploys".to_owned());
    HostError::Services { what: what.into(), help, source: Some(error.into()) }
}

fn unwritable(error: conf::Unwritable) -> HostError {
    HostError::Services {
        what: "cannot be told what to run".to_owned(),
        help: Some("use other names, without `;`, `#` or line breaks".to_owned()),
        source: Some(error.into()),
    }
}
