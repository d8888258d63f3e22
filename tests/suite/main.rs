//! `release` from outside: the real binary, real nginx, gunicorn, supervisord, git, pip and npm.
//!
//! Each test has a root of its own below `/tmp` and leaves no process, socket or file behind.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the numbers of a run belong into its output")]

mod support;

mod ahead;
mod assets;
mod broken;
mod cli;
mod concurrent;
mod config;
mod deploy;
mod directory;
mod hook;
mod interrupted;
mod large;
mod lfs;
mod proxy;
mod restart;
mod rollback;
mod uninterrupted;
