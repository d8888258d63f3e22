//! What keeps services running.

use super::HostResult;
use crate::config::Manager;
use crate::service::{Program, ProgramState};

/// What is to happen before programs are asked to end.
pub type Before<'a> = &'a dyn Fn(&[String]) -> HostResult<()>;

/// Process managers that users trust: a private supervisord, systemd, the server's supervisord.
///
/// Each program names the one that is to run it. Where programs are named alone, it is the one that
/// was told to run them, whatever the configuration says by now.
pub trait Services {
    /// Why this manager cannot run anything for this user; fine when it can.
    fn check_manager(&self, manager: &Manager) -> HostResult<()>;
    /// Starts a manager of ours that should run and does not, with all programs that are to start
    /// by themselves.
    fn ensure_manager(&self) -> HostResult<()>;
    /// Adds programs and starts them, and the manager first if it is ours and does not run; those
    /// that already run are left alone.
    fn start(&self, programs: &[Program]) -> HostResult<()>;
    /// Asks programs to end, one after the other, without waiting for it; they are not started again. Fine when unknown.
    fn begin_stop(&self, programs: &[String]) -> HostResult<()>;
    /// Sends the programs that are ending what is due of their further signals, whoever asked them to
    /// end: who waits for anything calls it again and again.
    fn climb(&self) -> HostResult<()>;
    /// Stops programs, each with its own signals and patience, and forgets them; fine when unknown.
    fn stop(&self, programs: &[String]) -> HostResult<()>;
    /// Every program that a manager knows for us; none of one that does not run.
    fn states(&self) -> HostResult<Vec<ProgramState>>;
    /// Every program that is written down, whether its manager runs or not.
    fn known_programs(&self) -> HostResult<Vec<String>>;
    /// Stops every program, what starts last first, and the manager if it is ours; the programs stay known for its next start.
    /// Those that are next to end are told to `before`.
    fn stop_manager(&self, before: Before<'_>) -> HostResult<()>;
}
