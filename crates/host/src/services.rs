//! Which process manager a word to the services goes to.

use std::collections::{BTreeMap, BTreeSet};

use release_core::config::Manager;
use release_core::host::{Before, HostResult, Services};
use release_core::service::{Program, ProgramState};

use crate::UnixHost;
use crate::placed::Placed;
use crate::supervisor::{PrivateSupervisord, Supervisord};
use crate::systemd::Systemd;

/// One process manager, for the programs of this root.
pub(crate) trait ProcessManager {
    /// Why this user cannot use it; fine when they can.
    fn check(&self) -> HostResult<()>;
    /// Adds programs and starts those that do not run.
    fn start(&self, programs: &[Program]) -> HostResult<()>;
    /// Asks programs to end, and sees that they do not come back.
    fn begin_stop(&self, programs: &[String]) -> HostResult<()>;
    /// Sends a further signal to a program that is ending.
    fn signal(&self, placed: &Placed, state: &ProgramState, signal: &str) -> HostResult<()>;
    /// Stops programs with their signals and patience, and forgets them.
    fn stop(&self, programs: &[String]) -> HostResult<()>;
    /// What it says of our programs; nothing when it does not run.
    fn states(&self) -> HostResult<Vec<ProgramState>>;
    /// Stops all of our programs, which stay known, and itself if it is ours. Those that are next to end
    /// are told to `before`.
    fn stop_all(&self, before: Before<'_>) -> HostResult<()>;
}

impl Services for UnixHost {
    fn check_manager(&self, manager: &Manager) -> HostResult<()> {
        self.manager(&resolved(manager)).check()
    }

    fn ensure_manager(&self) -> HostResult<()> {
        let private = PrivateSupervisord(self);
        if private.known()?.is_empty() { Ok(()) } else { private.ensure() }
    }

    fn start(&self, programs: &[Program]) -> HostResult<()> {
        let mut by_manager = BTreeMap::<Manager, Vec<Program>>::new();
        let known = self.known_elsewhere(programs)?;
        for program in programs.iter().filter(|program| !known.contains(&program.name)) {
            by_manager.entry(resolved(&program.manager)).or_default().push(program.clone());
        }
        by_manager.iter().try_for_each(|(manager, programs)| self.manager(manager).start(programs))
    }

    fn begin_stop(&self, programs: &[String]) -> HostResult<()> {
        let keepers = self.keepers(programs)?;
        keepers.iter().try_for_each(|(manager, programs)| self.manager(manager).begin_stop(programs))
    }

    fn climb(&self) -> HostResult<()> {
        self.send_what_is_due()
    }

    fn stop(&self, programs: &[String]) -> HostResult<()> {
        for (manager, programs) in self.keepers(programs)? {
            self.manager(&manager).stop(&programs)?;
        }
        self.forget_draining(programs)?;
        // After a change of the manager.
        if self.all_placed()?.is_empty() { Ok(()) } else { PrivateSupervisord(self).end_idle() }
    }

    fn states(&self) -> HostResult<Vec<ProgramState>> {
        let mut states = Vec::new();
        for manager in self.used_managers()? {
            states.extend(self.manager(&manager).states()?);
        }
        Ok(states)
    }

    fn known_programs(&self) -> HostResult<Vec<String>> {
        let mut known = PrivateSupervisord(self).known()?;
        known.extend(self.all_placed()?.into_iter().map(|placed| placed.program));
        Ok(known)
    }

    fn stop_manager(&self, before: Before<'_>) -> HostResult<()> {
        let used = self.used_managers()?;
        used.iter().try_for_each(|manager| self.manager(manager).stop_all(before))?;
        self.forget_draining(&self.draining()?)
    }
}

impl UnixHost {
    pub(crate) fn manager<'a>(&'a self, manager: &Manager) -> Box<dyn ProcessManager + 'a> {
        match manager {
            Manager::Supervisord => Box::new(PrivateSupervisord(self)),
            Manager::Systemd(scope) => Box::new(Systemd::new(self, *scope)),
            Manager::ServerSupervisord(server) => Box::new(Supervisord::new(self, server.clone())),
        }
    }

    /// Those of `programs` that another manager runs already, as before a change of the manager; what it
    /// only knows it forgets.
    fn known_elsewhere(&self, programs: &[Program]) -> HostResult<Vec<String>> {
        let mut running = Vec::new();
        let names: Vec<String> = programs.iter().map(|program| program.name.clone()).collect();
        let private = PrivateSupervisord(self).known()?;
        for (keeper, names) in self.keepers(&names)? {
            let is_moved = |name: &String| {
                let wants = |program: &Program| program.name == *name && resolved(&program.manager) != keeper;
                (keeper != Manager::Supervisord || private.contains(name)) && programs.iter().any(wants)
            };
            let moved: Vec<String> = names.into_iter().filter(is_moved).collect();
            if moved.is_empty() {
                continue;
            }
            let alive = self.manager(&keeper).states()?.into_iter().filter(|state| state.state.is_alive());
            let (stay, go): (Vec<String>, Vec<String>) = {
                let alive: Vec<String> = alive.map(|state| state.name).collect();
                moved.into_iter().partition(|name| alive.contains(name))
            };
            self.manager(&keeper).stop(&go)?;
            running.extend(stay);
        }
        Ok(running)
    }

    /// Every manager that may have something of ours.
    fn used_managers(&self) -> HostResult<BTreeSet<Manager>> {
        let mut used: BTreeSet<Manager> =
            self.all_placed()?.into_iter().map(|placed| placed.manager).collect();
        if PrivateSupervisord(self).is_used()? {
            used.insert(Manager::Supervisord);
        }
        Ok(used)
    }

    /// By manager: those of `programs` that it was told to run. Only the private one may know some
    /// that are not written down.
    fn keepers(&self, programs: &[String]) -> HostResult<BTreeMap<Manager, Vec<String>>> {
        let placed: BTreeMap<String, Manager> =
            self.all_placed()?.into_iter().map(|placed| (placed.program, placed.manager)).collect();
        let mut keepers = BTreeMap::<Manager, Vec<String>>::new();
        for program in programs {
            let manager = placed.get(program).cloned().unwrap_or_default();
            keepers.entry(manager).or_default().push(program.clone());
        }
        if !PrivateSupervisord(self).is_used()? {
            keepers.remove(&Manager::Supervisord);
        }
        Ok(keepers)
    }
}

fn resolved(manager: &Manager) -> Manager {
    manager.resolved(rustix::process::geteuid().is_root())
}
