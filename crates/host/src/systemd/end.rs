//! How units end: each with its own signals and patience.

use std::time::{Duration, Instant};

use release_core::host::{Clock, HostError, HostResult};
use release_core::service::Running;

use super::{Systemd, names};
use crate::climb::Climbs;
use crate::placed::Placed;

/// What systemd needs to kill a unit whose patience is over, and to notice that.
const MARGIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(40);

impl Systemd<'_> {
    /// Ends programs, all at once, and waits until they have; what does not end gets its further
    /// signals when they are due.
    pub(super) fn end(&self, placed: &[Placed]) -> HostResult<()> {
        if placed.is_empty() || !self.runs() {
            return Ok(());
        }
        let (units, systemctl) = (names(placed), self.systemctl());
        let mut climbs = Climbs::default();
        placed.iter().for_each(|placed| climbs.add(&placed.name, placed.climb.clone()));
        let limit = placed.iter().map(|placed| placed.stop_wait).max().unwrap_or_default() + MARGIN;
        systemctl.stop(&units)?;
        let started = Instant::now();
        loop {
            let states = systemctl.states(&units)?;
            let is = |unit: &String, wanted: &[Running]| {
                states.get(unit).is_some_and(|state| wanted.contains(&state.running))
            };
            let alive = [Running::Starting, Running::Running, Running::Stopping];
            let left: Vec<String> = units.iter().filter(|unit| is(unit, &alive)).cloned().collect();
            if left.is_empty() {
                let failed: Vec<String> =
                    units.iter().filter(|unit| is(unit, &[Running::Failed])).cloned().collect();
                return systemctl.reset(&failed);
            }
            let elapsed = started.elapsed();
            if elapsed > limit {
                return Err(HostError::TimedOut { what: format!("stopping {}", left.join(", ")), limit });
            }
            for (unit, signal) in climbs.due(elapsed).into_iter().filter(|(unit, _)| left.contains(unit)) {
                systemctl.signal(&unit, &signal)?;
            }
            self.host.pause(PAUSE)?;
        }
    }
}
