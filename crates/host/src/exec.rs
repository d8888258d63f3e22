//! Becomes another program.

use std::io;
use std::os::unix::process::CommandExt;

use release_core::command::{Command, Secret};
use release_core::config::ProcessSettings;
use release_core::host::HostError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::process::inherit;
use crate::settings;

/// Replaces this process by `command`, with default signal handlers and what `settings` say;
/// comes back only if that fails.
pub fn become_program(command: &Command, settings: &ProcessSettings) -> HostError {
    if let Err(error) = settings::apply(settings) {
        return error;
    }
    let program = command.program.display().to_string();
    let failed = default_signals().err().unwrap_or_else(|| {
        let mut exec = std::process::Command::new(&command.program);
        inherit(&mut exec, command.inherit);
        exec.args(&command.args)
            .current_dir(&command.directory)
            .envs(command.env.iter().map(|(name, value)| (name, Secret::reveal(value))));
        exec.exec()
    });
    HostError::Spawn { program, source: failed }
}

/// Lets this process, and what it becomes, open as many files as it may, and says how many that are.
pub fn open_many_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // `None` is no limit; the kernel has one of its own all the same.
    let number = |limit: Option<u64>| limit.unwrap_or(1 << 20);
    match setrlimit(Resource::Nofile, most) {
        Ok(()) => number(limit.maximum),
        Err(_) => number(limit.current),
    }
}

/// A shell starts `command &` with SIGINT and SIGQUIT ignored, and programs inherit that: they
/// could not be stopped by those signals. A handler of ours is reset to the default by execve(2).
fn default_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    for kind in [SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup()] {
        // The handler stays when the stream of its signals is dropped.
        drop(signal(kind)?);
    }
    Ok(())
}
