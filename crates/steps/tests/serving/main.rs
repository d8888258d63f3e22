//! The steps that serve: from the boot of a generation to the end of the one before it.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod activate;
mod boot;
mod cron;
mod drain;
mod hand_over;
mod health_check;
mod killed;
mod ports;
mod preflight;
mod prove;
mod proxy;
mod prune;
mod reload;
mod shutdown;
mod stage;
mod starters;
mod verify;
