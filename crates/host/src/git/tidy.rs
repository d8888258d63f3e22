//! A mirror gets a pack with each fetch, and looking things up takes longer with each.

use std::path::Path;
use std::time::Duration;

use release_core::command::{Command, Exit};
use release_core::host::{HostError, HostResult, Processes};

use super::because;
use crate::UnixHost;

/// It is housekeeping: no deploy waits for longer.
const LIMIT: Duration = Duration::from_secs(600);

/// See `Git::tidy`.
pub(super) fn tidy(host: &UnixHost, mirror: &Path) -> HostResult<()> {
    let mut printed = String::new();
    let exit = host.run(&command(mirror), &mut |line| printed = line.to_owned())?;
    if exit.success() { Ok(()) } else { Err(not_tidied(mirror, exit, printed)) }
}

/// Not in the background: whatever it started would outlive the run.
fn command(mirror: &Path) -> Command {
    let words = ["--git-dir", ".", "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet"];
    Command::new("git", mirror).args(words).var("LC_ALL", "C").limit(LIMIT)
}

fn not_tidied(mirror: &Path, exit: Exit, printed: String) -> HostError {
    let why = if printed.is_empty() { exit.to_string() } else { printed };
    let help = format!("see what it says: `git -C {} gc`", mirror.display());
    because(format!("cannot tidy up the mirror {}", mirror.display()), Some(help), why)
}
