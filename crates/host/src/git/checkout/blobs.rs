//! Contents of blobs, one after the other, from `git cat-file`: it streams what is large, and its
//! memory is not ours.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use git2::Oid;
use release_core::host::HostResult;

use crate::git::program::{Program, not_started};

/// How much is read and written at once.
const PIECE: usize = 256 * 1024;
/// The longest target of a link.
const LONGEST_LINK: u64 = 4096;

/// A running `git cat-file --batch`; ended when it is dropped.
#[derive(Debug)]
pub(super) struct Blobs<'a> {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    piece: Vec<u8>,
    /// A file of a gigabyte is given up half way too.
    stop: &'a AtomicBool,
}

impl<'a> Blobs<'a> {
    pub(super) fn open(program: &Program<'_>, stop: &'a AtomicBool) -> HostResult<Self> {
        let mut command = program.git(&["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|source| not_started(&command, source))?;
        let questions = child.stdin.take().expect("it is a pipe");
        let answers = child.stdout.take().expect("it is a pipe");
        Ok(Self {
            child,
            questions,
            answers: BufReader::with_capacity(64 * 1024, answers),
            piece: vec![0; PIECE],
            stop,
        })
    }

    /// Asks for blobs, which must then be read in this order. At most a thousand at once: more may
    /// not fit into a pipe that git does not read while it waits for us.
    pub(super) fn ask(&mut self, ids: impl Iterator<Item = Oid>) -> io::Result<()> {
        let questions: String = ids.map(|id| format!("{id}\n")).collect();
        self.questions.write_all(questions.as_bytes())
    }

    /// Writes the next blob.
    pub(super) fn copy(&mut self, to: &mut impl Write) -> io::Result<()> {
        let mut left = self.size()?;
        while left > 0 {
            self.go_on()?;
            let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let piece = &mut self.piece[..count];
            self.answers.read_exact(piece)?;
            to.write_all(piece)?;
            left -= count as u64;
        }
        self.answers.read_exact(&mut [0])
    }

    /// The next blob, where it is the target of a link.
    pub(super) fn target(&mut self) -> io::Result<Vec<u8>> {
        let size = self.size()?;
        if size > LONGEST_LINK {
            return Err(io::Error::other("the target of this link is too long"));
        }
        let mut target = Vec::new();
        (&mut self.answers).take(size).read_to_end(&mut target)?;
        self.answers.read_exact(&mut [0])?;
        Ok(target)
    }

    fn go_on(&self) -> io::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            Err(io::Error::other("the checkout is to stop"))
        } else {
            Ok(())
        }
    }

    fn size(&mut self) -> io::Result<u64> {
        self.go_on()?;
        let mut head = Vec::new();
        (&mut self.answers).take(256).read_until(b'\n', &mut head)?;
        let head = String::from_utf8_lossy(&head);
        let mut words = head.split_whitespace().skip(1);
        match (words.next(), words.next().and_then(|size| size.parse().ok())) {
            (Some("blob"), Some(size)) => Ok(size),
            (None, _) => Err(io::Error::other("`git cat-file` ended before its time")),
            _ => Err(io::Error::other(format!("git has no such file: {}", head.trim()))),
        }
    }
}

impl Drop for Blobs<'_> {
    fn drop(&mut self) {
        // It has nothing to finish, and may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
