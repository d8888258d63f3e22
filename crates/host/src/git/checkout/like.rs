//! A tree that is like the one to be written: a file that nobody touched since its checkout can
//! share its blocks with ours, where the file system copies on write. A hard link could not: what
//! an app writes to one would change in both.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use release_core::host::CheckedOut;
use rustix::fs::{OFlags, ioctl_ficlone};

use super::list::{Entry, List};
use super::noted::Wanted;
use super::places::Places;
use super::record::Stamp;
use crate::files;

/// The tree, and how it was when it was checked out.
#[derive(Debug)]
pub(super) struct Like {
    tree: PathBuf,
    /// By the numbers of the list: files with the wanted contents.
    files: Vec<Option<Stamp>>,
    refused: AtomicBool,
    cloned: AtomicUsize,
}

impl Like {
    /// The tree as far as `list` wants the same, if there is a record of it, and blocks can be shared where it is.
    pub(super) fn read(tree: &CheckedOut, list: &List) -> Option<Self> {
        if !can_clone(&tree.record) {
            return None;
        }
        let noted = Wanted::of(list).noted(&tree.record).ok().flatten()?;
        let (refused, cloned) = (AtomicBool::new(false), AtomicUsize::new(0));
        Some(Self { tree: tree.tree.clone(), files: noted.as_it_was.entries, refused, cloned })
    }

    /// How many files were made that share blocks with it.
    pub(super) fn count(&self) -> usize {
        self.cloned.load(Ordering::Relaxed)
    }

    /// Makes a clone of the file with this number; `None`, and nothing is there, where that cannot be.
    pub(super) fn clone_to<'a>(
        &self,
        number: usize,
        entry: Entry<'a>,
        places: &mut Places<'a>,
    ) -> io::Result<Option<Stamp>> {
        let (Some(bits), Some(from)) = (entry.mode.bits(), self.same(number, entry)) else { return Ok(None) };
        let to = places.file(entry.path, bits)?;
        if ioctl_ficlone(&to, &from).is_err() {
            // It cannot here: who asks for the next file need not try.
            self.refused.store(true, Ordering::Relaxed);
            places.remove(entry.path)?;
            return Ok(None);
        }
        self.cloned.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Stamp::of(&to.metadata()?)))
    }

    /// The file with these contents, if it is as it was checked out.
    fn same(&self, number: usize, entry: Entry<'_>) -> Option<File> {
        if self.refused.load(Ordering::Relaxed) {
            return None;
        }
        let stamp = self.files[number]?;
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let path = self.tree.join(entry.path);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
        (Stamp::of(&file.metadata().ok()?) == stamp).then_some(file)
    }
}

/// Whether `file` could share its blocks with another one. Most file systems cannot, and then a
/// record of many thousand lines need not be read.
fn can_clone(file: &Path) -> bool {
    let source = File::open(file);
    let target = tempfile::tempfile_in(files::parent(file));
    source.and_then(|source| Ok(ioctl_ficlone(target?, source)?)).is_ok()
}
