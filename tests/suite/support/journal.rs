//! Follows the journal of a root while a run goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Running;

/// The journal, from one moment on.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    begin: usize,
}

impl Journal {
    /// What is written after now.
    pub(crate) fn from_now(root: &Path) -> Self {
        let path = root.join(".release/journal.jsonl");
        let begin = fs::read(&path).map_or(0, |text| text.len());
        Self { path, begin }
    }

    /// The whole records that were written since.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = fs::read(&self.path).unwrap_or_default();
        let new = text.get(self.begin..).unwrap_or_default();
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = new[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// Waits until `step` has begun, or `run` is over. True if it has begun.
    pub(crate) fn wait_for_step(&self, step: &str, run: &mut Running) -> bool {
        self.wait(run, |records| records.iter().any(|record| record["step"] == step))
    }

    /// Waits until there are `count` records, or `run` is over. True if there are.
    pub(crate) fn wait_for_records(&self, count: usize, run: &mut Running) -> bool {
        self.wait(run, |records| records.len() >= count)
    }

    fn wait(&self, run: &mut Running, is_so: impl Fn(&[Value]) -> bool) -> bool {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if is_so(&self.records()) {
                return true;
            }
            if run.is_over() {
                return is_so(&self.records());
            }
            assert!(
                Instant::now() < deadline,
                "the run does not get there:\n{}{}",
                run.output(),
                run.errors()
            );
            // Short, for who wants to act right after a record.
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
