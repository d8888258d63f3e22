//! This machine: the only crate that touches files, processes, git, sockets and the clock.
//!
//! [`UnixHost`] is `release_core::host::Host` for real. Waiting happens on a tokio runtime inside;
//! callers see plain blocking calls.

mod account;
mod climb;
mod clock;
mod exec;
mod files;
mod git;
mod http;
mod interruption;
mod journal_file;
mod label;
mod lines;
mod lock;
mod log;
mod process;
mod placed;
mod processes;
mod services;
mod supervisor;
mod systemd;
#[cfg(test)]
mod testing;
mod unix_socket;
mod uwsgi;

use std::io;

use release_core::layout::Layout;
use release_core::run::RunId;
use tokio::runtime::Runtime;

pub use exec::{become_program, open_many_files};
pub use git::without_password;
pub use interruption::Interruption;
pub use journal_file::JournalFile;
pub use lock::{Holder, Lock, LockError};
pub use log::append_line;
pub use processes::children;

/// This machine, for one app's root.
#[derive(Debug)]
pub struct UnixHost {
    layout: Layout,
    runtime: Runtime,
    interruption: Interruption,
    started: std::time::Instant,
    /// Names the run in the environment of every child.
    run: Option<RunId>,
}

impl UnixHost {
    /// This machine, for the app at `layout`.
    pub fn new(layout: Layout) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let interruption = Interruption::listen(&runtime)?;
        Ok(Self { layout, runtime, interruption, started: std::time::Instant::now(), run: None })
    }

    /// From now on every child carries the name of `run` in its environment.
    pub fn begin(&mut self, run: RunId) {
        self.run = Some(run);
    }
}
