//! What is known of a program that was asked to end and still finishes what it has.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::host::{Files, HostResult};
use crate::layout::Layout;
use crate::service::Climb;

/// Kept in a file of its own for each program: whoever comes next goes on where the run stopped that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// When it was asked to end.
    pub since: Timestamp,
    /// When it is killed at the latest; `None` where that is not known.
    pub until: Option<Timestamp>,
    /// How many further signals it was sent.
    #[serde(default)]
    pub sent: usize,
    /// When it was sent the last of these.
    #[serde(default)]
    pub last: Option<Timestamp>,
}

impl Draining {
    /// Asked at `now`, with `patience` until it is killed.
    pub fn new(now: Timestamp, patience: Duration) -> Self {
        Self { since: now, until: now.checked_add(patience).ok(), sent: 0, last: None }
    }

    /// The next of its further signals, if it is due: each has its time from when the one before was sent.
    pub fn due<'a>(&self, climb: &'a Climb, now: Timestamp) -> Option<&'a str> {
        let (at, signal) = climb.get(self.sent)?;
        let before = self.sent.checked_sub(1).map_or(Duration::ZERO, |before| climb[before].0);
        let waited = Duration::try_from(now.duration_since(self.last.unwrap_or(self.since))).ok()?;
        (waited >= at.saturating_sub(before)).then_some(signal)
    }

    /// Sent its next signal at `now`.
    pub fn climbed(self, now: Timestamp) -> Self {
        Self { sent: self.sent + 1, last: Some(now), ..self }
    }

    /// What is known of `program`; `None` when nothing is, or nothing that can be read.
    pub fn read(files: &(impl Files + ?Sized), layout: &Layout, program: &str) -> HostResult<Option<Self>> {
        let json = files.read(&layout.draining(program))?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Writes it where [`Draining::read`] finds it.
    pub fn write(&self, files: &impl Files, layout: &Layout, program: &str) -> HostResult<()> {
        let json = serde_json::to_vec(self).expect("it has text keys only");
        files.write(&layout.draining(program), &json, 0o644)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_169_700 + second).unwrap()
    }

    fn climb() -> Climb {
        [(10, "INT"), (12, "HUP"), (15, "KILL")]
            .map(|(at, signal)| (Duration::from_secs(at), signal.to_owned()))
            .into()
    }

    #[test]
    fn each_signal_has_its_time_from_when_the_one_before_was_sent() {
        let (climb, asked) = (climb(), Draining::new(at(0), Duration::from_secs(45)));
        assert_eq!((asked.due(&climb, at(9)), asked.due(&climb, at(10))), (None, Some("INT")));
        // Nobody was there to send it in time.
        let late = asked.climbed(at(14));
        assert_eq!((late.due(&climb, at(15)), late.due(&climb, at(16))), (None, Some("HUP")));
        let last = late.climbed(at(16));
        assert_eq!((last.due(&climb, at(18)), last.due(&climb, at(19))), (None, Some("KILL")));
        assert_eq!(last.climbed(at(19)).due(&climb, at(99)), None, "each is sent once");
        assert_eq!((last.since, last.until), (at(0), Some(at(45))));
    }

    #[test]
    fn a_clock_that_was_set_back_sends_nothing_early() {
        assert_eq!(Draining::new(at(0), Duration::ZERO).due(&climb(), at(-100)), None);
    }

    #[test]
    fn one_signal_has_no_next() {
        assert_eq!(Draining::new(at(0), Duration::ZERO).due(&Climb::new(), at(1000)), None);
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read() {
        let old = r#"{"since":"2026-11-20T10:15:00Z","until":"2026-11-20T10:25:00Z"}"#;
        let read: Draining = serde_json::from_str(old).unwrap();
        assert_eq!(read, Draining::new(at(0), Duration::from_secs(600)));
    }
}
