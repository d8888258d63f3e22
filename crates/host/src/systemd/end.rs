//! How units end: each with its own signals and patience.

use release_core::host::HostResult;

use super::{Systemd, names};
use crate::placed::Placed;

impl Systemd<'_> {
    /// Asks programs to end, all at once, and does not wait for it.
    pub(super) fn ask_to_end(&self, placed: &[Placed]) -> HostResult<()> {
        if placed.is_empty() || !self.runs() {
            return Ok(());
        }
        let (units, systemctl) = (names(placed), self.systemctl());
        let states = systemctl.states(&units)?;
        self.host.count(placed, |unit| states.get(unit).map(|state| state.running))?;
        systemctl.stop(&units)
    }

    /// Ends programs, all at once, and waits until they have.
    pub(super) fn end(&self, placed: &[Placed]) -> HostResult<()> {
        self.ask_to_end(placed)?;
        if placed.is_empty() || !self.runs() {
            return Ok(());
        }
        let units = names(placed);
        self.host.wait_until_ended(placed, || self.not_ended(&units))?;
        self.systemctl().reset(&self.failed(&units)?)
    }

    fn not_ended(&self, units: &[String]) -> HostResult<Vec<String>> {
        let states = self.systemctl().states(units)?;
        let left = states.into_iter().filter(|(_, state)| state.running.is_there());
        Ok(left.map(|(unit, _)| unit).collect())
    }
}
