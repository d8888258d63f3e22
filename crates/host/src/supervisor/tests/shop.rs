//! A root with a supervisord that ends with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use release_core::config::{Log, Manager};
use release_core::host::Services;
use release_core::layout::Layout;
use release_core::service::{Program, ProgramState};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::super::PrivateSupervisord;
use crate::UnixHost;

/// Where one supervisord is installed for all tests, and stays from one run to the next.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
        let layout = Layout::new(target.join("test-tools"));
        fs::create_dir_all(layout.cached("tool", "")).unwrap();
        let lock = File::create(layout.root().join("lock")).unwrap();
        lock.lock().unwrap();
        UnixHost::new(layout.clone()).unwrap().supervisord().unwrap();
        layout.cached("tool", "")
    })
}

pub(super) struct Shop {
    _root: TempDir,
    pub(super) layout: Layout,
    pub(super) host: UnixHost,
}

impl Shop {
    pub(super) fn new() -> Self {
        Self::below("shop")
    }

    pub(super) fn below(name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().join(name));
        fs::create_dir_all(layout.cache()).unwrap();
        std::os::unix::fs::symlink(tools(), layout.cache().join("tool")).unwrap();
        Self { _root: root, host: UnixHost::new(layout.clone()).unwrap(), layout }
    }

    pub(super) fn private(&self) -> PrivateSupervisord<'_> {
        PrivateSupervisord(&self.host)
    }

    pub(super) fn program(&self, name: &str, command: &[&str]) -> Program {
        Program {
            name: name.to_owned(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            directory: self.layout.root().to_owned(),
            stop_signal: "TERM".to_owned(),
            stop_wait: Duration::from_secs(5),
            climb: Vec::new(),
            log: self.layout.service_log(name),
            rotation: Log::default(),
            order: 1,
            restart: true,
            notifies: false,
            manager: Manager::Supervisord,
        }
    }

    pub(super) fn sleeper(&self, name: &str) -> Program {
        self.program(name, &["sleep", "1000"])
    }

    pub(super) fn start(&self, programs: &[Program]) {
        self.host.start(programs).unwrap();
    }

    pub(super) fn stop(&self, program: &str) {
        self.host.stop(&[program.to_owned()]).unwrap();
    }

    pub(super) fn state(&self, program: &str) -> Option<ProgramState> {
        self.host.states().unwrap().into_iter().find(|state| state.name == program)
    }

    pub(super) fn pid(&self, program: &str) -> u32 {
        self.state(program).and_then(|state| state.pid).unwrap()
    }

    pub(super) fn manager_pid(&self) -> u32 {
        fs::read_to_string(self.layout.supervisor_pid()).unwrap().trim().parse().unwrap()
    }

    pub(super) fn kill_manager(&self) -> u32 {
        let pid = self.manager_pid();
        kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
        until("supervisord is dead", || !is_alive(pid));
        pid
    }

    pub(super) fn log(&self, program: &str) -> String {
        fs::read_to_string(self.layout.service_log(program)).unwrap_or_default()
    }

    pub(super) fn conf(&self, program: &str) -> PathBuf {
        self.layout.supervisor_programs().join(format!("{program}.conf"))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let stopped = self.host.stop_manager(&|_| Ok(()));
        assert!(stopped.is_ok() || std::thread::panicking(), "{stopped:?}");
    }
}

pub(super) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(super) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
