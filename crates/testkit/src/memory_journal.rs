//! A journal in memory that can fail, and die.

use std::io;
use std::sync::Mutex;

use jiff::Timestamp;
use release_core::host::HostError;
use release_core::journal::{Entry, Journal, Mark, Record, VERSION};
use release_core::run::RunId;

use crate::fake_host::{Killed, lock};

/// Keeps records; appends are counted from 0.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    records: Mutex<Vec<Record>>,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    appends: usize,
    fails_at: Option<usize>,
    dies_after: Option<usize>,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Append number `n` is refused, as on a full disk.
    pub fn fail_at(&self, n: usize) {
        lock(&self.trouble).fails_at = Some(n);
    }

    /// The run is killed (unwinds with [`Killed`]) once record number `n` is written; nothing is
    /// written any more.
    pub fn die_after(&self, n: usize) {
        lock(&self.trouble).dies_after = Some(n);
    }

    /// Appends work again.
    pub fn heal(&self) {
        let mut trouble = lock(&self.trouble);
        (trouble.fails_at, trouble.dies_after) = (None, None);
    }

    /// All records.
    pub fn records(&self) -> Vec<Record> {
        lock(&self.records).clone()
    }

    /// Each step's marks, in order.
    pub fn marks(&self) -> Vec<(String, Mark)> {
        let mark = |record: Record| match record.entry {
            Entry::Step { step, mark, .. } => Some((step, mark)),
            Entry::Begin { .. } | Entry::End { .. } => None,
        };
        self.records().into_iter().filter_map(mark).collect()
    }
}

impl Journal for MemoryJournal {
    fn append(&self, run: &RunId, entry: Entry) -> Result<(), HostError> {
        let mut trouble = lock(&self.trouble);
        let n = trouble.appends;
        trouble.appends += 1;
        let (fails, dies_after) = (trouble.fails_at == Some(n), trouble.dies_after);
        if fails {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            return Err(HostError::Io { action: "append to", path: "journal.jsonl".into(), source });
        }
        if dies_after.is_none_or(|last| n <= last) {
            let record = Record { version: VERSION, at: Timestamp::UNIX_EPOCH, run: run.clone(), entry };
            lock(&self.records).push(record);
        }
        drop(trouble);
        match dies_after {
            Some(last) if n >= last => std::panic::resume_unwind(Box::new(Killed)),
            _ => Ok(()),
        }
    }
}
