//! Contents of blobs: libgit2 reads the small ones in our own threads, which takes less than half of what
//! pipes from `git cat-file` take; git streams the large ones.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use git2::{ObjectType, Odb, OdbObject, Oid, Repository};

use super::stream::Stream;
use crate::git::program::Program;

/// The most that is held in memory at once.
const LARGE: usize = 512 * 1024;
/// The longest target of a link.
const LONGEST_LINK: usize = 4096;

/// The blobs of a repository, for one thread.
pub(super) struct Blobs<'a> {
    objects: Odb<'a>,
    program: Program<'a>,
    stream: Option<Stream>,
    /// A file of a gigabyte is given up half way too.
    stop: &'a AtomicBool,
}

impl<'a> Blobs<'a> {
    /// Those of `repository`, which is that of `program`.
    pub(super) fn of(
        repository: &'a Repository,
        program: Program<'a>,
        stop: &'a AtomicBool,
    ) -> Result<Self, git2::Error> {
        Ok(Self { objects: repository.odb()?, program, stream: None, stop })
    }

    /// Writes the blob.
    pub(super) fn copy(&mut self, id: Oid, to: &mut impl Write) -> io::Result<()> {
        if self.size(id)? <= LARGE {
            return to.write_all(self.read(id)?.data());
        }
        let mut stream = self.stream.take().map_or_else(|| Stream::open(&self.program), Ok)?;
        stream.copy(id, to, self.stop)?;
        // Only one that is whole is asked again.
        self.stream = Some(stream);
        Ok(())
    }

    /// The blob, where it is the target of a link.
    pub(super) fn target(&mut self, id: Oid) -> io::Result<Vec<u8>> {
        if self.size(id)? > LONGEST_LINK {
            return Err(io::Error::other("the target of this link is too long"));
        }
        Ok(self.read(id)?.data().to_owned())
    }

    fn size(&self, id: Oid) -> io::Result<usize> {
        match self.objects.read_header(id).map_err(|error| unreadable(id, &error))? {
            (size, ObjectType::Blob) => Ok(size),
            (_, kind) => Err(io::Error::other(format!("git has no such file: {id} is a {kind}"))),
        }
    }

    fn read(&self, id: Oid) -> io::Result<OdbObject<'_>> {
        self.objects.read(id).map_err(|error| unreadable(id, &error))
    }
}

fn unreadable(id: Oid, error: &git2::Error) -> io::Error {
    io::Error::other(format!("git cannot read {id}: {}", error.message().trim()))
}
