//! What a Django release is: the steps of a deploy and of a rollback. Read [`recipe`] first.
//!
//! Steps reach the machine through `release_core::host::Host` alone (`clippy.toml` refuses the rest).

pub mod recipe;

pub mod cache;
pub mod check_app;
pub mod checkout;
pub mod collect_static;
pub mod frontend;
pub mod link_shared;
pub mod migrate;
pub mod record;
pub mod venv;

mod django;
mod interpreter;
mod place;
