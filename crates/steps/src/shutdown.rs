//! What it takes to end programs so that queue workers among them lose no task.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use release_core::host::{Host, HostResult};
use release_core::layout::Layout;
use release_core::step::Context;

use crate::quiesce::quiesce;

/// For a start or two of the app: nobody waits longer for an end because a broker does not answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Told what a worker's end may cost, and what was printed about it.
pub type Tell<'a> = Box<dyn Fn(&str, &[String]) + 'a>;

/// How programs are ended.
pub struct Shutdown<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) layout: &'a Layout,
    /// How the process manager calls `release`.
    pub(crate) door: &'a [String],
    pub(crate) tell: Tell<'a>,
    /// How long workers may still be spoken to.
    patience: Cell<Duration>,
}

impl fmt::Debug for Shutdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl<'a> Shutdown<'a> {
    /// Through `door`, as the process manager calls `release`.
    pub fn new(host: &'a dyn Host, layout: &'a Layout, door: &'a [String], tell: Tell<'a>) -> Self {
        Self { host, layout, door, tell, patience: Cell::new(PATIENCE) }
    }

    /// As a step ends programs.
    pub fn of(cx: &Context<'a>) -> Self {
        let cx = *cx;
        let tell = move |what: &str, printed: &[String]| {
            printed.iter().map(String::as_str).chain([what]).for_each(|line| drop(cx.line(line)));
        };
        Self::new(cx.host, &cx.run.layout, &cx.run.door, Box::new(tell))
    }

    /// Stops programs, and forgets them.
    pub fn stop(&self, programs: &[String]) -> HostResult<()> {
        quiesce(self, programs)?;
        self.host.stop(programs)
    }

    /// Asks programs to end, without waiting for it. Gives the names of those that surely take no more tasks.
    pub(crate) fn begin_stop(&self, programs: &[String]) -> HostResult<Vec<String>> {
        let quiet = quiesce(self, programs)?;
        self.host.begin_stop(programs)?;
        Ok(quiet)
    }

    /// Stops all that runs, and the manager if it is ours: all of it stays known.
    pub fn stop_all(&self) -> HostResult<()> {
        self.host.stop_manager(&|programs| quiesce(self, programs).map(drop))
    }

    /// Where all depends on what the workers answer.
    pub(crate) fn patient(self, patience: Duration) -> Self {
        Self { patience: Cell::new(patience), ..self }
    }

    /// Gives what is left of the patience to `ask`.
    pub(crate) fn within<T>(&self, ask: impl FnOnce(Duration) -> T) -> T {
        let before = self.host.elapsed();
        let answer = ask(self.patience.get());
        self.patience.set(self.patience.get().saturating_sub(self.host.elapsed() - before));
        answer
    }
}
