//! Writes files, by as many threads as there are cores.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use release_core::event::Progress;
use release_core::host::HostResult;

use super::blobs::Blobs;
use super::like::Like;
use super::list::{Entry, Mode};
use super::record::Stamp;
use crate::files::failed;
use crate::git::Pace;
use crate::git::program::Program;
use crate::interruption::Interruption;

/// How many files a thread takes at once.
const CHUNK: usize = 200;
const POLL: Duration = Duration::from_millis(50);

/// Where to write, and who is told.
pub(super) struct Writer<'a> {
    pub program: Program<'a>,
    pub into: &'a Path,
    pub like: Option<&'a Like>,
    pub interruption: &'a Interruption,
    pub progress: &'a dyn Fn(Progress),
}

impl Writer<'_> {
    /// Writes `entries`, whose directories are there, and says how they are now. `before` more
    /// are there already.
    pub(super) fn write(&self, entries: &[&Entry], before: usize) -> HostResult<Vec<Stamp>> {
        let chunks: Vec<&[&Entry]> = entries.chunks(CHUNK).collect();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (told, signs) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..cores().min(chunks.len()) {
                let (program, into, like) = (self.program, self.into, self.like);
                let hand = Hand { program, into, like, chunks: &chunks, next: &next, stop: &stop };
                let told = told.clone();
                scope.spawn(move || hand.work(&told));
            }
            drop(told);
            let result = self.listen(&signs, before, before + entries.len());
            stop.store(true, Ordering::Relaxed);
            result
        })
    }

    fn listen(&self, signs: &Receiver<Sign>, before: usize, total: usize) -> HostResult<Vec<Stamp>> {
        let mut pace = Pace(None);
        let mut done = before;
        let mut written = BTreeMap::new();
        loop {
            match signs.recv_timeout(POLL) {
                Ok(sign) => {
                    let (chunk, stamps) = sign?;
                    done += stamps.len();
                    written.insert(chunk, stamps);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(written.into_values().flatten().collect()),
            }
            self.interruption.check()?;
            if done == total || pace.due() {
                (self.progress)(Progress { done: done as u64, total: total as u64, unit: "files" });
            }
        }
    }
}

/// A chunk that is written, and how its files are now.
type Sign = HostResult<(usize, Vec<Stamp>)>;

fn cores() -> usize {
    thread::available_parallelism().map_or(2, usize::from).min(8)
}

/// One of the threads.
struct Hand<'a> {
    program: Program<'a>,
    into: &'a Path,
    like: Option<&'a Like>,
    chunks: &'a [&'a [&'a Entry]],
    next: &'a AtomicUsize,
    stop: &'a AtomicBool,
}

impl Hand<'_> {
    fn work(&self, told: &Sender<Sign>) {
        if let Err(error) = self.try_work(told) {
            // Once nobody listens, another has failed before.
            let _ = told.send(Err(error));
        }
    }

    fn try_work(&self, told: &Sender<Sign>) -> HostResult<()> {
        let mut blobs = Blobs::open(&self.program, self.stop)?;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunks.get(number) else { return Ok(()) };
            let stamps = self.chunk(&mut blobs, chunk)?;
            // Nobody listens once we are to stop.
            let _ = told.send(Ok((number, stamps)));
        }
    }

    fn chunk(&self, blobs: &mut Blobs<'_>, chunk: &[&Entry]) -> HostResult<Vec<Stamp>> {
        let clones = chunk.iter().map(|entry| self.clone(entry)).collect::<HostResult<Vec<_>>>()?;
        let missing = chunk.iter().zip(&clones).filter(|(_, clone)| clone.is_none());
        let asked = blobs.ask(missing.map(|(entry, _)| entry.id));
        asked.map_err(failed("ask git for the files of", self.into))?;
        let mut write = |(entry, clone): (&&Entry, Option<Stamp>)| {
            let path = self.into.join(&entry.path);
            clone.map_or_else(|| put(blobs, entry.mode, &path).map_err(failed("write", &path)), Ok)
        };
        chunk.iter().zip(clones).map(&mut write).collect()
    }

    /// The file from a tree that is like this one, if that can be.
    fn clone(&self, entry: &Entry) -> HostResult<Option<Stamp>> {
        let Some(like) = self.like else { return Ok(None) };
        let path = self.into.join(&entry.path);
        like.clone_to(entry, &path).map_err(failed("write", &path))
    }
}

/// Never through a link and never over a file: whatever is there already is an error.
fn put(blobs: &mut Blobs<'_>, mode: Mode, path: &Path) -> io::Result<Stamp> {
    let bits = match mode {
        Mode::Link => {
            symlink(OsStr::from_bytes(&blobs.target()?), path)?;
            return Ok(Stamp::of(&fs::symlink_metadata(path)?));
        }
        Mode::File => 0o666,
        Mode::Executable => 0o777,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(bits).open(path)?;
    blobs.copy(&mut file)?;
    Ok(Stamp::of(&file.metadata()?))
}
