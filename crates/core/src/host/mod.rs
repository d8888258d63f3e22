//! The one door to the machine: rules and steps reach files, processes, git and the clock only
//! through these traits. `release-host` is the real machine, `release-testkit` a fake one.

mod accounts;
mod clock;
mod error;
mod files;
mod git;
mod locks;
mod network;
mod processes;
mod services;
mod timetable;

pub use accounts::{Account, Accounts};
pub use clock::Clock;
pub use error::HostError;
pub use files::{Files, Kind, Space};
pub use git::{CheckedOut, FindError, Git, Written};
pub use locks::{Held, Holder, Locks};
pub use network::{Address, Network, Reply, SocketUse};
pub use processes::Processes;
pub use services::{Before, Services};
pub use timetable::{Crontab, Timers};

/// A short name for what every door answers.
pub type HostResult<T> = Result<T, HostError>;

/// Everything outside.
pub trait Host:
    Files + Processes + Accounts + Git + Network + Services + Crontab + Timers + Locks + Clock + Send + Sync
{
}

impl<
    T: Files + Processes + Accounts + Git + Network + Services + Crontab + Timers + Locks + Clock + Send + Sync,
> Host for T
{
}
