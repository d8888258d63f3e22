//! Fakes of core's traits, for tests: a machine in memory that can be told to fail, to be
//! interrupted and to die, and a journal beside it.
//!
//! [`Scene`] puts them together: a fake machine, the facts of a run, and somebody who listens.

mod accounts;
mod crontab;
mod fake_host;
mod files;
mod git;
mod locks;
mod memory_journal;
mod network;
mod processes;
mod recorder;
mod sample;
mod scene;
mod services;
mod tree;

pub use fake_host::{FakeHost, Killed};
pub use git::Commit;
pub use memory_journal::MemoryJournal;
pub use processes::Answer;
pub use recorder::Recorder;
pub use sample::{REVISION, a_config, a_run};
pub use scene::Scene;
pub use tree::Node;
