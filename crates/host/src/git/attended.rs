//! Runs a git that may take long: it can be interrupted, and what it tells is heard meanwhile.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use release_core::host::HostResult;
use rustix::process::{Pid, Signal, kill_process_group};

use super::program::{not_done, not_started};
use crate::interruption::Interruption;

const POLL: Duration = Duration::from_millis(50);
/// How many of its last lines tell why it failed.
const LAST: usize = 20;

/// Runs `command` to its end with `input`; each line that it tells goes to `heard`. Interrupted, it ends with all
/// that it started.
pub(super) fn run(
    mut command: Command,
    input: &[u8],
    interruption: &Interruption,
    heard: &mut dyn FnMut(&str),
) -> HostResult<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|source| not_started(&command, source))?;
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let told = BufReader::new(child.stderr.take().expect("it is a pipe"));
    let (tell, lines) = mpsc::channel();
    let mut last = Vec::new();
    let result = thread::scope(|scope| {
        // One that reads no more has failed, and says so itself.
        scope.spawn(move || stdin.write_all(input));
        scope.spawn(move || told.split(b'\n').map_while(Result::ok).try_for_each(|line| tell.send(line)));
        loop {
            match lines.recv_timeout(POLL) {
                Ok(line) => {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    heard(&line);
                    last.push(line);
                    last.drain(..last.len().saturating_sub(LAST));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if let Err(error) = interruption.check() {
                end(&child);
                return Err(error);
            }
        }
    });
    let status = child.wait().map_err(|source| not_started(&command, source))?;
    result?;
    if status.success() { Ok(()) } else { Err(not_done(&command, status, last.join("\n").as_bytes())) }
}

/// Ends it with what it started: git-lfs would go on alone.
fn end(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}
