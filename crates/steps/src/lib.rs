//! What a Django release is: the steps of a deploy, a rollback and a restart. Read [`recipe`] first.
//!
//! Steps reach the machine through `release_core::host::Host` alone (`clippy.toml` refuses the rest).

pub mod recipe;

pub mod preflight;

pub mod record;
pub mod configure;
pub mod checkout;
pub mod link_shared;
pub mod venv;
pub mod frontend;
pub mod collect_static;
pub mod keep_assets;
pub mod boot_ahead;
pub mod check_app;
pub mod migrate;
pub mod boot;
pub mod health_check;
pub mod prove;
pub mod cron;
pub mod ports;
pub mod hand_over;
pub mod activate;
pub mod reload;
pub mod verify;
pub mod drain;
pub mod prune;

pub mod cache;
pub mod retire;
pub mod shutdown;

pub mod generate;

mod answer;
mod django;
mod interpreter;
mod killed;
mod place;
mod programs;
mod quiesce;
mod restored;
mod toolbox;
mod watch;
