//! The words and the rules of `release`: what a release, a plan and a journal are.
//!
//! Nothing here touches the machine: no file, no process, no clock, no print (`clippy.toml`
//! refuses them). Whatever the rules need to know they ask of a [`host::Host`].
//!
//! In reading order:

pub mod command;
pub mod config;
pub mod env_file;
pub mod environment;
pub mod event;
pub mod exit_code;
pub mod host;
pub mod journal;
pub mod layout;
pub mod pipeline;
pub mod plan;
pub mod redact;
pub mod release;
pub mod revision;
pub mod run;
pub mod service;
pub mod state;
pub mod step;
