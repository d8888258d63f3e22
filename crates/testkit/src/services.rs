//! The fake machine's process manager.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use release_core::config;
use release_core::host::{Before, Clock, HostResult, Services};
use release_core::service::{Program, ProgramState, Running};

use crate::fake_host::{FakeHost, lock};

type OnStart = Arc<dyn Fn(&FakeHost, &Program) -> Running + Send + Sync>;

#[derive(Default)]
pub(crate) struct Manager {
    runs: bool,
    programs: BTreeMap<String, (Program, ProgramState)>,
    on_start: Option<OnStart>,
    last_pid: u32,
    climbed: Vec<Duration>,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states: Vec<_> = self.programs.values().map(|(_, state)| state).collect();
        f.debug_struct("Manager").field("runs", &self.runs).field("states", &states).finish_non_exhaustive()
    }
}

impl FakeHost {
    /// Says in which state a program is once started, and can change the machine; without it
    /// every program runs.
    pub fn on_start(&self, start: impl Fn(&FakeHost, &Program) -> Running + Send + Sync + 'static) {
        lock(&self.manager).on_start = Some(Arc::new(start));
    }

    /// Puts a known program into another state, as if by itself.
    pub fn set_state(&self, name: &str, running: Running) {
        let mut manager = lock(&self.manager);
        let (_, state) = manager.programs.get_mut(name).expect("the program is known");
        state.state = running;
        state.pid = state.pid.filter(|_| running.is_alive());
    }

    /// A program fails, as the manager says for this reason.
    pub fn fail_program(&self, name: &str, how: &str) {
        self.set_state(name, Running::Failed);
        let mut manager = lock(&self.manager);
        let (_, state) = manager.programs.get_mut(name).expect("the program is known");
        state.ended = Some(how.to_owned());
    }

    /// The programs that the manager knows, as they were given to it.
    pub fn programs(&self) -> Vec<Program> {
        lock(&self.manager).programs.values().map(|(program, _)| program.clone()).collect()
    }

    /// Whether the manager runs.
    pub fn manager_runs(&self) -> bool {
        lock(&self.manager).runs
    }

    /// When what is ending got its further signals, had they been due.
    pub fn climbed(&self) -> Vec<Duration> {
        lock(&self.manager).climbed.clone()
    }

    fn start_program(&self, program: &Program) {
        let on_start = lock(&self.manager).on_start.clone();
        let running = on_start.map_or(Running::Running, |start| start(self, program));
        let mut manager = lock(&self.manager);
        manager.last_pid += 1;
        let pid = running.is_alive().then_some(1000 + manager.last_pid);
        let state = ProgramState { name: program.name.clone(), state: running, pid, ended: None };
        manager.programs.insert(program.name.clone(), (program.clone(), state));
    }
}

impl Services for FakeHost {
    fn check_manager(&self, manager: &config::Manager) -> HostResult<()> {
        self.ask("check_manager", manager.to_string().as_ref())
    }

    fn ensure_manager(&self) -> HostResult<()> {
        self.act("ensure_manager", "")?;
        if !std::mem::replace(&mut lock(&self.manager).runs, true) {
            self.programs().iter().for_each(|program| self.start_program(program));
        }
        Ok(())
    }

    fn start(&self, programs: &[Program]) -> HostResult<()> {
        self.ensure_manager()?;
        for program in programs {
            self.act("start", &program.name)?;
            let known = lock(&self.manager).programs.get(&program.name).map(|(_, state)| state.state);
            if !known.is_some_and(Running::is_alive) {
                self.start_program(program);
            }
        }
        Ok(())
    }

    fn begin_stop(&self, programs: &[String]) -> HostResult<()> {
        for name in programs {
            self.act("begin_stop", name)?;
            if let Some((_, state)) = lock(&self.manager).programs.get_mut(name)
                && state.state.is_alive()
            {
                state.state = Running::Stopped;
                state.pid = None;
            }
        }
        Ok(())
    }

    fn climb(&self) -> HostResult<()> {
        lock(&self.manager).climbed.push(self.elapsed());
        Ok(())
    }

    fn stop(&self, programs: &[String]) -> HostResult<()> {
        for name in programs {
            self.act("stop", name)?;
            lock(&self.manager).programs.remove(name);
        }
        Ok(())
    }

    fn states(&self) -> HostResult<Vec<ProgramState>> {
        self.ask("states", "".as_ref())?;
        let manager = lock(&self.manager);
        let states = manager.programs.values().map(|(_, state)| state.clone());
        Ok(if manager.runs { states.collect() } else { Vec::new() })
    }

    fn known_programs(&self) -> HostResult<Vec<String>> {
        self.ask("known_programs", "".as_ref())?;
        Ok(lock(&self.manager).programs.keys().cloned().collect())
    }

    fn stop_manager(&self, before: Before<'_>) -> HostResult<()> {
        self.act("stop_manager", "")?;
        let mut latest_first = self.programs();
        latest_first.sort_by_key(|program| std::cmp::Reverse(program.order));
        for program in latest_first {
            before(std::slice::from_ref(&program.name))?;
            self.set_state(&program.name, Running::Stopped);
        }
        lock(&self.manager).runs = false;
        Ok(())
    }
}
