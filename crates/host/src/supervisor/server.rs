//! The server's own supervisord: other programs run there too, and none of them is touched.
//!
//! Each program of ours is a group with a file of its own in the directory that it includes. It is told
//! of that group alone: never `update`, which would act on what others changed.

use std::path::PathBuf;

use release_core::config::{Manager, ServerSupervisord};
use release_core::host::{Account, Before, Files, HostError, HostResult};
use release_core::service::{Program, ProgramState};

use super::programs::{self, Then};
use super::rpc::{Rpc, RpcError};
use super::{conf, left_behind, refused, unwritable};
use crate::UnixHost;
use crate::label;
use crate::placed::{Placed, end_in_turn};
use crate::services::ProcessManager;

/// What the names of our files begin with.
const PREFIX: &str = "release-";
/// Its first version for Python 3.
const LEAST: u32 = 4;

/// The server's supervisord, for the programs of one root.
#[derive(Clone, Debug)]
pub(crate) struct Supervisord<'a> {
    host: &'a UnixHost,
    server: ServerSupervisord,
}

impl<'a> Supervisord<'a> {
    /// The one that `manager:` names.
    pub(crate) fn new(host: &'a UnixHost, server: ServerSupervisord) -> Self {
        Self { host, server }
    }

    fn rpc(&self) -> Rpc {
        Rpc { socket: PathBuf::from(&self.server.socket) }
    }

    fn placed(&self) -> HostResult<Vec<Placed>> {
        self.host.placed(&Manager::ServerSupervisord(self.server.clone()))
    }

    fn chosen(&self, programs: &[String]) -> HostResult<Vec<Placed>> {
        let mut placed = self.placed()?;
        placed.retain(|placed| programs.contains(&placed.program));
        placed.sort_by_key(|placed| programs.iter().position(|program| *program == placed.program));
        Ok(placed)
    }

    /// What it calls a program: no two roots share a name.
    fn group(&self, program: &str) -> String {
        let root = self.host.layout.root();
        format!("{}-{}-{program}", label::of_root(root), label::mark(&root.display().to_string()))
    }

    /// Writes down what it is to run, and the file that makes it do so.
    fn place(&self, program: &Program, account: &Account) -> HostResult<Program> {
        let named = Program { name: self.group(&program.name), ..program.clone() };
        let text = conf::program_of(&named, account).map_err(unwritable)?;
        let (directory, ending) = self.server.place();
        let file = PathBuf::from(directory).join(format!("{PREFIX}{}{ending}", named.name));
        let manager = Manager::ServerSupervisord(self.server.clone());
        if let Some(logs) = program.log.parent() {
            self.host.make_dir(logs)?;
        }
        self.host.write_placed(&Placed::new(program, manager, named.name.clone(), file.clone()))?;
        self.host.write(&file, text.as_bytes(), 0o644)?;
        Ok(named)
    }

    /// Its next start does not bring them back.
    fn withdraw(&self, placed: &[Placed]) -> HostResult<()> {
        placed.iter().try_for_each(|placed| self.host.remove(&placed.file))
    }

    fn end(&self, placed: &[Placed], then: Then) -> HostResult<()> {
        programs::end(self.host, &self.rpc(), placed, then)?;
        let ours: Vec<String> = placed.iter().map(|placed| placed.program.clone()).collect();
        let orphans = || left_behind::orphans(&self.host.layout, &ours);
        self.host.unless_interrupted(left_behind::end("what a service left behind", orphans))
    }

    /// What goes wrong here is mostly that it reads other files.
    fn with_include(&self, error: HostError) -> HostError {
        match error {
            HostError::Services { what, help: None, source } => HostError::Services {
                what,
                help: Some(format!(
                    "see that `files` of its `[include]` reads {}, and `manager: programs:` says so",
                    self.server.programs
                )),
                source,
            },
            other => other,
        }
    }
}

impl ProcessManager for Supervisord<'_> {
    fn check(&self) -> HostResult<()> {
        let version = self.host.unless_interrupted(async { Ok(self.rpc().version().await) })?;
        let version = version.map_err(|error| self.unusable(error))?;
        if version < LEAST {
            return Err(problem(
                &format!(
                    "at {} has version {version}, and {LEAST} is the first that will do",
                    self.server.socket
                ),
                "use another: `manager: supervisord`",
            ));
        }
        let (directory, _) = self.server.place();
        if self.host.resolve(directory.as_ref())?.is_none() {
            return Err(problem(
                &format!("should read {directory}, which does not exist"),
                "copy `manager: programs:` from `files` of its `[include]`",
            ));
        }
        if !self.host.is_writable(directory.as_ref())? {
            let name = self.host.account()?.name;
            return Err(problem(
                &format!("reads {directory}, and this user may not write there"),
                &format!("let them: `sudo chgrp {name} {directory} && sudo chmod g+w {directory}`"),
            ));
        }
        Ok(())
    }

    fn start(&self, programs: &[Program]) -> HostResult<()> {
        let account = self.host.account()?;
        let named: HostResult<Vec<Program>> =
            programs.iter().map(|program| self.place(program, &account)).collect();
        let (rpc, named) = (self.rpc(), named?);
        let known = self.host.unless_interrupted(async { Ok(rpc.processes().await) })?;
        let known = known.map_err(|error| self.unusable(error))?;
        let runs =
            |program: &&Program| known.iter().any(|known| known.name == program.name && known.state.is_up());
        let (_, idle): (Vec<&Program>, Vec<&Program>) = named.iter().partition(runs);
        let mut out_of_date = self.placed()?;
        out_of_date.retain(|placed| idle.iter().any(|program| program.name == placed.name));
        programs::end(self.host, &rpc, &out_of_date, Then::Forget)
            .and_then(|()| self.host.unless_interrupted(programs::begin(&rpc, &idle)))
            .map_err(|error| self.with_include(error))
    }

    fn begin_stop(&self, programs: &[String]) -> HostResult<()> {
        let chosen = self.chosen(programs)?;
        self.withdraw(&chosen)?;
        programs::begin_end(self.host, &self.rpc(), &chosen)
    }

    fn signal(&self, placed: &Placed, state: &ProgramState, signal: &str) -> HostResult<()> {
        self.host.runtime.block_on(programs::signal(&self.rpc(), &placed.name, state, signal))
    }

    fn stop(&self, programs: &[String]) -> HostResult<()> {
        let chosen = self.chosen(programs)?;
        self.withdraw(&chosen)?;
        self.end(&chosen, Then::Forget)?;
        chosen.iter().try_for_each(|placed| self.host.forget_placed(placed))
    }

    fn states(&self) -> HostResult<Vec<ProgramState>> {
        let processes = self.host.unless_interrupted(async {
            match self.rpc().processes().await {
                Err(RpcError::Absent(_)) => Ok(Vec::new()),
                other => other.map_err(|error| self.unusable(error)),
            }
        })?;
        let placed = self.placed()?;
        let ours = processes.into_iter().filter_map(|process| {
            let known = placed.iter().find(|placed| placed.name == process.name)?;
            Some(ProgramState { name: known.program.clone(), ..ProgramState::from(process) })
        });
        Ok(ours.collect())
    }

    fn stop_all(&self, before: Before<'_>) -> HostResult<()> {
        end_in_turn(self.placed()?, before, |placed| self.end(placed, Then::Keep))
    }
}

impl Supervisord<'_> {
    fn unusable(&self, error: RpcError) -> HostError {
        let socket = &self.server.socket;
        let help = match &error {
            RpcError::Absent(_) => {
                "start it, or correct `manager: supervisord:`: `systemctl start supervisor`".to_owned()
            }
            error if error.is_forbidden() => format!(
                "let this user in, by `[unix_http_server]` in its configuration: `chmod=0770` and `chown=root:GROUP` ({socket})"
            ),
            _ => "look at its log; a password in `[unix_http_server]` is not supported".to_owned(),
        };
        match refused(format!("at {socket} cannot be used"), error) {
            HostError::Services { what, source, .. } => {
                HostError::Services { what, help: Some(help), source }
            }
            other => other,
        }
    }
}

fn problem(what: &str, help: &str) -> HostError {
    HostError::Services { what: what.to_owned(), help: Some(help.to_owned()), source: None }
}
