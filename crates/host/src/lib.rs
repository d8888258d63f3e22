//! This machine: the only crate that touches files, processes, git, sockets and the clock.
//!
//! [`UnixHost`] is `release_core::host::Host` for real. Waiting happens on a tokio runtime inside;
//! callers see plain blocking calls.

mod accounts;
mod climb;
mod clock;
mod crontab;
mod entry_lock;
mod exec;
mod files;
mod git;
mod http;
mod interruption;
mod journal_file;
mod label;
mod lines;
mod lock;
mod locks;
mod log;
mod process;
mod placed;
mod processes;
mod services;
mod settings;
mod supervisor;
mod systemd;
#[cfg(test)]
mod testing;
mod unix_socket;
mod uwsgi;

use std::io;
use std::sync::Mutex;

use release_core::command::Command;
use release_core::layout::Layout;
use release_core::run::RunId;
use tokio::runtime::Runtime;

pub use entry_lock::EntryLock;
pub use exec::{become_program, open_many_files};
pub use git::without_password;
pub use interruption::Interruption;
pub use journal_file::JournalFile;
pub use lock::{Holder, Lock, LockError};
pub use log::append_line;

/// This machine, for one app's root.
#[derive(Debug)]
pub struct UnixHost {
    layout: Layout,
    runtime: Runtime,
    interruption: Interruption,
    started: std::time::Instant,
    /// Names the run in the environment of every child.
    run: Option<RunId>,
    /// What programs told of themselves.
    known: Mutex<Vec<(Command, Vec<String>)>>,
}

impl UnixHost {
    /// This machine, for the app at `layout`.
    pub fn new(layout: Layout) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let interruption = Interruption::listen(&runtime)?;
        let started = std::time::Instant::now();
        Ok(Self { layout, runtime, interruption, started, run: None, known: Mutex::default() })
    }

    /// From now on every child carries the name of `run` in its environment.
    pub fn begin(&mut self, run: RunId) {
        self.run = Some(run);
    }
}
