//! Writes files, by as many threads as there are cores.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use release_core::event::Progress;
use release_core::host::HostResult;

use super::blobs::Blobs;
use super::cannot;
use super::like::Like;
use super::list::{Entry, List};
use super::mapped::mapped;
use super::places::Places;
use super::record::Stamp;
use crate::files::failed;
use crate::git::program::Program;
use crate::git::{Pace, open};
use crate::interruption::Interruption;

/// How many files a thread takes at once.
const CHUNK: usize = 50;
const POLL: Duration = Duration::from_millis(50);
/// How much of the packs may be mapped at once. libgit2 gives it back only when nobody has a repository open.
const MAPPED: u64 = 16 << 20;

/// Where to write, and who is told.
pub(super) struct Writer<'a> {
    pub program: Program<'a>,
    pub into: &'a Path,
    pub like: Option<&'a Like>,
    pub interruption: &'a Interruption,
    pub progress: &'a dyn Fn(Progress),
}

impl Writer<'_> {
    /// Writes what is missing of `list`, whose directories are there, and notes in `stamps` how its files are now.
    /// `others` are there besides.
    pub(super) fn write(&self, list: &List, stamps: &mut [Option<Stamp>], others: usize) -> HostResult<()> {
        let missing: Vec<usize> = (0..list.len()).filter(|number| stamps[*number].is_none()).collect();
        let chunks: Vec<&[usize]> = missing.chunks(CHUNK).collect();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (program, into, like) = (self.program, self.into, self.like);
        let most = mapped() + MAPPED;
        let hand = Hand { program, into, like, list, chunks: &chunks, next: &next, stop: &stop, most };
        let mut tally =
            Tally { stamps, done: others + list.len() - missing.len(), total: others + list.len() };
        while next.load(Ordering::Relaxed) < chunks.len() {
            self.round(&hand, &mut tally)?;
        }
        Ok(())
    }

    /// All hands work until nothing is left, or too much is mapped.
    fn round(&self, hand: &Hand<'_>, tally: &mut Tally<'_>) -> HostResult<()> {
        let (told, signs) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..cores().min(hand.chunks.len()) {
                let told = told.clone();
                scope.spawn(move || hand.work(&told));
            }
            drop(told);
            let result = self.listen(&signs, hand.chunks, tally);
            hand.stop.store(result.is_err(), Ordering::Relaxed);
            result
        })
    }

    fn listen(&self, signs: &Receiver<Sign>, chunks: &[&[usize]], tally: &mut Tally<'_>) -> HostResult<()> {
        let mut pace = Pace(None);
        loop {
            match signs.recv_timeout(POLL) {
                Ok(sign) => {
                    let (chunk, stamps) = sign?;
                    tally.add(chunks[chunk], stamps);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.interruption.check()?;
            if tally.done == tally.total || pace.due() {
                let (done, total) = (tally.done as u64, tally.total as u64);
                (self.progress)(Progress { done, total, unit: "files" });
            }
        }
    }
}

/// What is done so far.
struct Tally<'a> {
    stamps: &'a mut [Option<Stamp>],
    done: usize,
    total: usize,
}

impl Tally<'_> {
    fn add(&mut self, chunk: &[usize], stamps: Vec<Stamp>) {
        self.done += chunk.len();
        for (number, stamp) in chunk.iter().zip(stamps) {
            self.stamps[*number] = Some(stamp);
        }
    }
}

/// A chunk that is written, and how its files are now.
type Sign = HostResult<(usize, Vec<Stamp>)>;

fn cores() -> usize {
    thread::available_parallelism().map_or(2, usize::from).min(8)
}

/// What each of the threads does.
struct Hand<'a> {
    program: Program<'a>,
    into: &'a Path,
    like: Option<&'a Like>,
    list: &'a List,
    chunks: &'a [&'a [usize]],
    next: &'a AtomicUsize,
    stop: &'a AtomicBool,
    most: u64,
}

impl<'a> Hand<'a> {
    fn work(&self, told: &Sender<Sign>) {
        if let Err(error) = self.try_work(told) {
            // Once nobody listens, another has failed before.
            let _ = told.send(Err(error));
        }
    }

    fn try_work(&self, told: &Sender<Sign>) -> HostResult<()> {
        let repository = open(self.program.repository)?;
        let blobs = Blobs::of(&repository, self.program, self.stop);
        let mut blobs = blobs.map_err(cannot("read", self.program.repository))?;
        let mut places = Places::in_tree(self.into);
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunks.get(number) else { return Ok(()) };
            let stamps = chunk.iter().map(|entry| self.entry(&mut blobs, &mut places, *entry));
            // Nobody listens once we are to stop.
            let _ = told.send(Ok((number, stamps.collect::<HostResult<_>>()?)));
            if mapped() > self.most {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes the entry with this number: a clone of the same file in a tree like this one, if that can be.
    fn entry(&self, blobs: &mut Blobs<'_>, places: &mut Places<'a>, number: usize) -> HostResult<Stamp> {
        let entry = self.list.entry(number);
        let clone = self.like.map_or(Ok(None), |like| like.clone_to(number, entry, places));
        let written = clone.and_then(|clone| clone.map_or_else(|| self.put(blobs, places, entry), Ok));
        written.map_err(|source| failed("write", &self.into.join(entry.path))(source))
    }

    fn put(&self, blobs: &mut Blobs<'_>, places: &mut Places<'a>, entry: Entry<'a>) -> io::Result<Stamp> {
        let Some(bits) = entry.mode.bits() else {
            places.link(entry.path, &blobs.target(entry.id)?)?;
            return Ok(Stamp::of(&fs::symlink_metadata(self.into.join(entry.path))?));
        };
        let mut file = places.file(entry.path, bits)?;
        blobs.copy(entry.id, &mut file)?;
        Ok(Stamp::of(&file.metadata()?))
    }
}
