//! systemd, the machine's or the user's own: a template unit a service, an instance a generation.
//!
//! A usual deploy changes no unit file, and so needs no `daemon-reload`. What runs is enabled, so that
//! a reboot brings it back; nothing of other units is touched.

mod check;
mod end;
mod files;
mod state;
mod systemctl;
mod timer;
mod timers;
mod turn;
mod unit;

use std::path::PathBuf;

use release_core::config::{Manager, Scope};
use release_core::host::{Before, HostError, HostResult};
use release_core::service::{Program, ProgramState, Running};

use crate::UnixHost;
use crate::accounts::INHERITED;
use crate::placed::{Placed, end_in_turn};
use crate::services::ProcessManager;
use release_core::host::Account;
use state::UnitState;
use systemctl::{Systemctl, is_booted, user_runtime};
use turn::Turns;
use unit::{Unit, Unwritable};

/// One of the machine's systemds, for the programs of one root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Systemd<'a> {
    host: &'a UnixHost,
    scope: Scope,
}

/// What a unit holds besides its program.
#[derive(Clone, Debug)]
struct Setting {
    scope: Scope,
    root: PathBuf,
    /// The directory of the links that enable units.
    links: PathBuf,
    user: String,
    environment: Vec<(String, String)>,
    turns: Turns,
}

impl Setting {
    fn of(systemd: &Systemd<'_>, account: &Account) -> Self {
        let inherited =
            INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
        Self {
            scope: systemd.scope,
            root: systemd.host.layout.root().to_owned(),
            links: systemd.links(account),
            user: account.name.clone(),
            environment: inherited.collect(),
            turns: Turns::of(systemd.host.layout.root()),
        }
    }

    fn is_system(&self) -> bool {
        self.scope == Scope::System
    }
}

impl<'a> Systemd<'a> {
    /// The systemd of `scope`, which is not left open.
    pub(crate) fn new(host: &'a UnixHost, scope: Scope) -> Self {
        Self { host, scope }
    }

    fn systemctl(&self) -> Systemctl<'a> {
        Systemctl { host: self.host, scope: self.scope }
    }

    fn placed(&self) -> HostResult<Vec<Placed>> {
        self.host.placed(&Manager::Systemd(self.scope))
    }

    fn chosen(&self, programs: &[String]) -> HostResult<Vec<Placed>> {
        let mut placed = self.placed()?;
        placed.retain(|placed| programs.contains(&placed.program));
        placed.sort_by_key(|placed| programs.iter().position(|program| *program == placed.program));
        Ok(placed)
    }

    /// Those of `units` that have failed.
    fn failed(&self, units: &[String]) -> HostResult<Vec<String>> {
        let states = self.systemctl().states(units)?;
        let has_failed = |(_, state): &(String, UnitState)| state.running == Running::Failed;
        Ok(states.into_iter().filter(has_failed).map(|(unit, _)| unit).collect())
    }

    /// Where there is no systemd, none of its units can run.
    fn runs(&self) -> bool {
        let user = || PathBuf::from(user_runtime(rustix::process::geteuid().as_raw())).join("systemd");
        match self.scope {
            Scope::User => user().is_dir(),
            Scope::System | Scope::Auto => is_booted(),
        }
    }
}

impl ProcessManager for Systemd<'_> {
    fn check(&self) -> HostResult<()> {
        self.find_problem()
    }

    fn start(&self, programs: &[Program]) -> HostResult<()> {
        let account = self.host.account()?;
        let setting = Setting::of(self, &account);
        let states = self.states()?;
        let runs = |program: &&Program| {
            states.iter().any(|state| state.name == program.name && state.state.is_alive())
        };
        let (_, idle): (Vec<&Program>, Vec<&Program>) = programs.iter().partition(runs);
        let known: Vec<String> = idle.iter().map(|program| program.name.clone()).collect();
        // It may have been described in another way.
        let known = self.chosen(&known)?;
        self.disable(&known)?;
        self.systemctl().reset(&self.failed(&names(&known))?)?;
        let units: Result<Vec<Unit>, Unwritable> =
            idle.iter().map(|program| Unit::of(program, &setting)).collect();
        let units = units.map_err(unwritable)?;
        self.write_units(&units, &setting.turns, &account)?;
        for (program, unit) in idle.iter().zip(&units) {
            self.place(program, unit, &account)?;
        }
        self.systemctl().start(&units.into_iter().map(|unit| unit.name).collect::<Vec<_>>())
    }

    fn begin_stop(&self, programs: &[String]) -> HostResult<()> {
        let chosen = self.chosen(programs)?;
        self.disable(&chosen)?;
        self.ask_to_end(&chosen)
    }

    fn signal(&self, placed: &Placed, _: &ProgramState, signal: &str) -> HostResult<()> {
        self.systemctl().signal(&placed.name, signal)
    }

    fn stop(&self, programs: &[String]) -> HostResult<()> {
        let chosen = self.chosen(programs)?;
        self.disable(&chosen)?;
        self.end(&chosen)?;
        self.forget(&chosen)
    }

    fn states(&self) -> HostResult<Vec<ProgramState>> {
        if !self.runs() {
            return Ok(Vec::new());
        }
        let placed = self.placed()?;
        let mut states = self.systemctl().states(&names(&placed))?;
        let known = placed.into_iter().map(|placed| {
            let unknown = UnitState { running: Running::Stopped, pid: None, ended: None };
            let UnitState { running, pid, ended } = states.remove(&placed.name).unwrap_or(unknown);
            ProgramState { name: placed.program, state: running, pid, ended }
        });
        Ok(known.collect())
    }

    fn stop_all(&self, before: Before<'_>) -> HostResult<()> {
        end_in_turn(self.placed()?, before, |placed| self.end(placed))
    }
}

/// What a boot, or the start of the user's systemd, brings up.
fn target(scope: Scope) -> &'static str {
    if scope == Scope::User { "default.target" } else { "multi-user.target" }
}

fn names(placed: &[Placed]) -> Vec<String> {
    placed.iter().map(|placed| placed.name.clone()).collect()
}

fn unwritable(error: Unwritable) -> HostError {
    HostError::Services {
        what: "cannot be told what to run".to_owned(),
        help: Some("use other names, without line breaks or blanks at their ends".to_owned()),
        source: Some(error.into()),
    }
}
