//! The further signals of programs that do not end at the first.
//!
//! What was sent is written down for each program, so whoever waits for anything climbs for all of them,
//! and goes on where another run stopped.

use std::fs::File;
use std::time::{Duration, Instant};

use release_core::draining::Draining;
use release_core::host::{Clock, Files, HostError, HostResult, Services};
use release_core::service::{ProgramState, Running};
use rustix::fs::{FlockOperation, flock};

use crate::UnixHost;
use crate::files::failed;
use crate::placed::Placed;

/// What a manager needs to kill a program whose patience is over, and to notice that.
const MARGIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(40);

/// The last signal of a ladder: it is for all processes of a program, as when its manager kills it.
pub(crate) const KILL: &str = "KILL";

impl UnixHost {
    /// Begins the count of those of `placed` that are about to be asked to end, as they are `running` by their names,
    /// and of those that somebody else has asked.
    pub(crate) fn count(
        &self,
        placed: &[Placed],
        running: impl Fn(&str) -> Option<Running>,
    ) -> HostResult<()> {
        for Placed { program, name, stop_wait, .. } in placed {
            let begins = match running(name) {
                Some(state) if state.is_alive() => true,
                Some(Running::Stopping) => Draining::read(self, &self.layout, program)?.is_none(),
                _ => false,
            };
            if begins {
                Draining::new(self.now(), *stop_wait).write(self, &self.layout, program)?;
            }
        }
        Ok(())
    }

    /// Waits until `left` finds none of `placed` any more, climbing meanwhile.
    pub(crate) fn wait_until_ended(
        &self,
        placed: &[Placed],
        mut left: impl FnMut() -> HostResult<Vec<String>>,
    ) -> HostResult<()> {
        let limit = placed.iter().map(|placed| placed.stop_wait).max().unwrap_or_default() + MARGIN;
        let started = Instant::now();
        loop {
            let left = left()?;
            if left.is_empty() {
                return Ok(());
            }
            if started.elapsed() > limit {
                return Err(HostError::TimedOut { what: format!("stopping {}", left.join(", ")), limit });
            }
            self.climb()?;
            self.pause(PAUSE)?;
        }
    }

    /// Sends what is due to every program that is ending.
    pub(crate) fn send_what_is_due(&self) -> HostResult<()> {
        // Mostly there is nothing to do.
        if self.due()?.is_empty() {
            return Ok(());
        }
        let _gate = self.gate()?;
        // Another run may have sent it meanwhile.
        self.due()?.iter().try_for_each(|due| self.send(due))
    }

    /// Forgets that programs have been ending.
    pub(crate) fn forget_draining(&self, programs: &[String]) -> HostResult<()> {
        let known = self.draining()?;
        let ended: Vec<&String> = programs.iter().filter(|program| known.contains(program)).collect();
        if ended.is_empty() {
            return Ok(());
        }
        // Who climbs for them just now would write it again.
        let _gate = self.gate()?;
        ended.into_iter().try_for_each(|program| self.remove(&self.layout.draining(program)))
    }

    /// The programs that were asked to end.
    pub(crate) fn draining(&self) -> HostResult<Vec<String>> {
        let files = self.list(&self.layout.draining_programs())?;
        let written = files.iter().filter(|file| file.extension().is_some_and(|end| end == "json"));
        Ok(written.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect())
    }

    fn due(&self) -> HostResult<Vec<Due>> {
        let mut found = Vec::new();
        for program in self.draining()? {
            let Some(draining) = Draining::read(self, &self.layout, &program)? else { continue };
            let Some(placed) = self.placed_program(&program)? else { continue };
            if let Some(signal) = draining.due(&placed.climb, self.now()) {
                let signal = signal.to_owned();
                found.push(Due { placed, draining, signal });
            }
        }
        Ok(found)
    }

    fn send(&self, due: &Due) -> HostResult<()> {
        let Due { placed, draining, signal } = due;
        let manager = self.manager(&placed.manager);
        let states = manager.states()?;
        let ending = |state: &&ProgramState| state.name == placed.program && state.state == Running::Stopping;
        let Some(state) = states.iter().find(ending) else {
            // It has ended, or it is another process by now, which nobody has asked.
            return self.remove(&self.layout.draining(&placed.program));
        };
        // Before it is sent: a signal too few does less harm than one that comes twice.
        draining.climbed(self.now()).write(self, &self.layout, &placed.program)?;
        let sent = manager.signal(placed, state, signal);
        if sent.is_err() {
            draining.write(self, &self.layout, &placed.program)?;
        }
        sent
    }

    /// Two runs send no signal twice.
    fn gate(&self) -> HostResult<File> {
        let path = self.layout.draining_programs();
        let directory = File::open(&path).map_err(failed("open", &path))?;
        flock(&directory, FlockOperation::LockExclusive)
            .map_err(|error| failed("lock", &path)(error.into()))?;
        Ok(directory)
    }
}

/// A program's next signal.
#[derive(Debug)]
struct Due {
    placed: Placed,
    draining: Draining,
    signal: String,
}
