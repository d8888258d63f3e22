//! The journal on the disk: one JSON line a record, each synced before its effect.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use release_core::host::{HostError, HostResult};
use release_core::journal::{Entry, Journal, Record, VERSION};
use release_core::layout::Layout;
use release_core::run::RunId;
use serde::de::IgnoredAny;

use crate::files::{failed, parent, sync_directory};

/// The journal of one root. Only the run that holds the lock appends to it.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    end: Mutex<End>,
}

#[derive(Debug)]
struct End {
    file: File,
    /// The file ends with a whole line, as far as we know.
    whole: bool,
}

impl JournalFile {
    /// Opens the journal; makes it if there is none.
    pub fn open(layout: &Layout) -> HostResult<Self> {
        let path = layout.journal();
        let file = open(layout).map_err(failed("open", &path))?;
        Ok(Self { path, end: Mutex::new(End { file, whole: false }) })
    }

    /// Every record, oldest first; none when there is no journal. What a power loss left of the
    /// last line was never acted upon, and is passed over.
    pub fn read(layout: &Layout) -> HostResult<Vec<Record>> {
        let path = layout.journal();
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            bytes => bytes.map_err(failed("read", &path))?,
        };
        parse(&bytes).map(|(records, _)| records).map_err(failed("read", &path))
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if !end.whole {
            self.cut_off_torn_line(&end.file)?;
        }
        end.whole = false;
        end.file.write_all(line)?;
        end.file.sync_data()?;
        end.whole = true;
        Ok(())
    }

    fn cut_off_torn_line(&self, file: &File) -> io::Result<()> {
        let bytes = fs::read(&self.path)?;
        let (_, whole) = parse(&bytes)?;
        if whole < bytes.len() { file.set_len(whole as u64) } else { Ok(()) }
    }
}

impl Journal for JournalFile {
    fn append(&self, run: &RunId, entry: Entry) -> Result<(), HostError> {
        let record = Record { version: VERSION, at: Timestamp::now(), run: run.clone(), entry };
        let line = serde_json::to_vec(&record).map_err(io::Error::from);
        let write = |mut line: Vec<u8>| {
            line.push(b'\n');
            self.write(&line)
        };
        line.and_then(write).map_err(failed("append to", &self.path))
    }
}

fn open(layout: &Layout) -> io::Result<File> {
    let path = layout.journal();
    let mut options = OpenOptions::new();
    options.append(true);
    match options.open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        file => return file,
    }
    fs::create_dir_all(layout.state())?;
    let file = options.create(true).open(&path)?;
    // The names must be on the disk before the first record can be.
    sync_directory(&layout.state())?;
    sync_directory(parent(&layout.state()))?;
    Ok(file)
}

/// The records in `bytes`, and the length of the whole lines that hold them.
fn parse(bytes: &[u8]) -> io::Result<(Vec<Record>, usize)> {
    let mut records = Vec::new();
    let mut whole = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_last = whole + line.len() == bytes.len();
        if is_last && is_torn(line) {
            break;
        }
        records.push(record(line).map_err(|what| broken(index + 1, &what))?);
        whole += line.len();
    }
    Ok((records, whole))
}

/// Whether a power loss may have made this of a record: what is whole JSON was written as it is.
fn is_torn(line: &[u8]) -> bool {
    !line.ends_with(b"\n") || serde_json::from_slice::<IgnoredAny>(line).is_err()
}

fn record(line: &[u8]) -> Result<Record, String> {
    let record: Record = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if record.version > VERSION {
        return Err(format!("it has format {}, of a newer `release`", record.version));
    }
    Ok(record)
}

fn broken(number: usize, what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("line {number} is no record that we know: {what}"))
}

#[cfg(test)]
mod tests;
