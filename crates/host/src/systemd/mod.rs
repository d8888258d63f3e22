//! systemd, the machine's or the user's own: a template unit a service, an instance a generation.
//!
//! A usual deploy changes no unit file, and so needs no `daemon-reload`. What runs is enabled, so that
//! a reboot brings it back; nothing of other units is touched.

mod check;
mod end;
mod files;
mod state;
mod systemctl;
mod unit;

use std::path::PathBuf;

use release_core::config::{Manager, Scope};
use release_core::host::{HostError, HostResult};
use release_core::service::{Program, ProgramState, Running};

use crate::UnixHost;
use crate::account::{Account, INHERITED};
use crate::placed::Placed;
use crate::services::ProcessManager;
use systemctl::{Systemctl, is_booted, user_runtime};
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
        Ok(placed)
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
        let units: Result<Vec<Unit>, Unwritable> =
            programs.iter().map(|program| Unit::of(program, &setting)).collect();
        let units = units.map_err(unwritable)?;
        self.write_units(&units, &account)?;
        let mut placed = Vec::new();
        for (program, unit) in programs.iter().zip(&units) {
            placed.push(self.place(program, unit, &account)?);
        }
        let names: Vec<String> = placed.into_iter().map(|placed| placed.name).collect();
        let states = self.systemctl().states(&names)?;
        let is = |name: &String, wanted: fn(Running) -> bool| {
            states.get(name).is_some_and(|state| wanted(state.running))
        };
        let (_, idle): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is(name, Running::is_alive));
        let failed: Vec<String> =
            idle.iter().filter(|name| is(name, |state| state == Running::Failed)).cloned().collect();
        self.systemctl().reset(&failed)?;
        self.systemctl().start(&idle)
    }

    fn begin_stop(&self, programs: &[String]) -> HostResult<()> {
        let chosen = self.chosen(programs)?;
        self.disable(&chosen)?;
        if self.runs() { self.systemctl().stop(&names(&chosen)) } else { Ok(()) }
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
            let state = states.remove(&placed.name);
            ProgramState {
                name: placed.program,
                state: state.as_ref().map_or(Running::Stopped, |state| state.running),
                pid: state.and_then(|state| state.pid),
            }
        });
        Ok(known.collect())
    }

    fn stop_all(&self) -> HostResult<()> {
        self.end(&self.placed()?)
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
