//! What a Django release is: the steps of a deploy and of a rollback. Read [`recipe`] first.
//!
//! Steps reach the machine through `release_core::host::Host` alone (`clippy.toml` refuses the rest).

pub mod recipe;

pub mod activate;
pub mod boot;
pub mod drain;
pub mod health_check;
pub mod prune;
pub mod verify;

pub mod preflight;

mod answer;
mod restored;
pub mod retire;
mod watch;
