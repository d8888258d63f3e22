//! What runs by the clock: a crontab, and the timers of systemd.

use super::HostResult;
use crate::cron::Timer;

/// The crontab of the user who deploys.
pub trait Crontab {
    /// All of it, byte for byte; nothing when there is none.
    fn crontab(&self) -> HostResult<Vec<u8>>;
    /// Makes it what `change` makes of it. No other `release` changes it meanwhile; it is not
    /// written when nothing changes.
    fn change_crontab(&self, change: &dyn Fn(&[u8]) -> Vec<u8>) -> HostResult<()>;
    /// Whether anything reads crontabs here; `None` where this user may not see what runs.
    fn cron_runs(&self) -> HostResult<Option<bool>>;
}

/// The timers of systemd that start the entries of this root.
pub trait Timers {
    /// Those that are there, enabled and waiting, by name; none where there is no systemd.
    fn timers(&self) -> HostResult<Vec<Timer>>;
    /// Makes these the only ones. What an entry runs goes on when its timer goes. systemd reads its
    /// files again only if one has changed.
    fn set_timers(&self, timers: &[Timer]) -> HostResult<()>;
}
