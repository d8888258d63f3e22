//! A large blob, from `git cat-file`: it streams, and its memory is not ours.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use git2::Oid;

use crate::git::program::Program;

/// How much is read and written at once.
const PIECE: usize = 256 * 1024;

/// A running `git cat-file --batch`; ended when it is dropped.
#[derive(Debug)]
pub(super) struct Stream {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    piece: Vec<u8>,
}

impl Stream {
    pub(super) fn open(program: &Program<'_>) -> io::Result<Self> {
        let mut command = program.git(&["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let questions = child.stdin.take().expect("it is a pipe");
        let answers = BufReader::new(child.stdout.take().expect("it is a pipe"));
        Ok(Self { child, questions, answers, piece: vec![0; PIECE] })
    }

    /// Writes a blob; gives up half way once `stop` says so.
    pub(super) fn copy(&mut self, id: Oid, to: &mut impl Write, stop: &AtomicBool) -> io::Result<()> {
        writeln!(self.questions, "{id}")?;
        let mut left = self.size()?;
        while left > 0 {
            if stop.load(Ordering::Relaxed) {
                return Err(io::Error::other("the checkout is to stop"));
            }
            let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let piece = &mut self.piece[..count];
            self.answers.read_exact(piece)?;
            to.write_all(piece)?;
            left -= count as u64;
        }
        self.answers.read_exact(&mut [0])
    }

    fn size(&mut self) -> io::Result<u64> {
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

impl Drop for Stream {
    fn drop(&mut self) {
        // It has nothing to finish, and may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
