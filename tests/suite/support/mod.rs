//! What the tests stand on.

mod cli;
mod http;
mod journal;
mod load;
pub(crate) mod nginx;
pub(crate) mod processes;
mod repository;
mod sandbox;
pub(crate) mod timeline;
mod wait;

pub(crate) use cli::{Finished, Running, start};
pub(crate) use http::{Client, Reply};
pub(crate) use journal::Journal;
pub(crate) use load::{Load, Pace};
pub(crate) use repository::{Repository, git};
pub(crate) use sandbox::{QUICK, Sandbox};
pub(crate) use wait::wait_until;

/// How often something is tried: `usual`, or what the variable `name` says.
pub(crate) fn times(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
