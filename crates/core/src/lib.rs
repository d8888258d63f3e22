//! The words and the rules of `release`: what a release, a plan and a journal are.
//!
//! Nothing here touches the machine: no file, no process, no clock, no print (`clippy.toml`
//! refuses them). Whatever the rules need to know they ask of a [`host::Host`].
//!
//! In reading order:

pub mod revision;
pub mod release;
pub mod layout;
pub mod config;
pub mod env_file;
pub mod environment;
pub mod command;
pub mod redact;
pub mod plain_text;
pub mod traceback;
pub mod proof;
pub mod host;
pub mod server;
pub mod service;
pub mod draining;
pub mod worker;
pub mod port;
pub mod cron;
pub mod run;
pub mod release_record;
pub mod cache_key;
pub mod assets;
pub mod requirements;
pub mod python_version;
pub mod pyproject;
pub mod node_version;
pub mod step;
pub mod plan;
pub mod pipeline;
pub mod journal;
pub mod state;
pub mod event;
pub mod exit_code;
