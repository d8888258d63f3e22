//! What a Django release is: the steps of a deploy and of a rollback. Read [`recipe`] first.
//!
//! Steps reach the machine through `release_core::host::Host` alone (`clippy.toml` refuses the rest).

pub mod recipe;

pub mod preflight;

pub mod cache;
pub mod checkout;
pub mod frontend;
pub mod link_shared;
pub mod record;
pub mod venv;

mod interpreter;
mod place;

pub mod activate;
pub mod boot;
pub mod drain;
pub mod health_check;
pub mod prune;
pub mod retire;
pub mod verify;

mod answer;
mod restored;
mod watch;
