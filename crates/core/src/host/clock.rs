//! Time.

use std::time::Duration;

use jiff::Timestamp;

use super::HostResult;

/// Time.
pub trait Clock {
    /// Now, for people and names.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment, for measuring.
    fn elapsed(&self) -> Duration;
    /// Waits; an error when the run is interrupted meanwhile.
    fn pause(&self, duration: Duration) -> HostResult<()>;
    /// From now on interruptions are ignored: what runs must come to its end.
    fn ignore_interruptions(&self);
}
