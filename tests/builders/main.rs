//! Every builder with its real tool: a tiny project each, through the real `release deploy`.
//!
//! Those that take long run with `RELEASE_TEST_ALL=1`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "what was left out belongs into the output of a run")]

#[expect(dead_code, unused_imports, reason = "the other suite uses the rest")]
#[path = "../suite/support/mod.rs"]
mod support;

mod disk;
mod frontends;
mod javascript;
mod project;
mod python;
mod requirements;
mod server;
mod shared;
mod static_files;
