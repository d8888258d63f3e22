//! A look at the app's repository as it is now, that leaves our mirror alone.

use std::fs;
use std::io;
use std::path::Path;

use release_core::host::{Files, Git, HostResult};

use crate::UnixHost;
use crate::files::failed;

impl UnixHost {
    /// Fetches `url` into the new mirror `place`. What our own `mirror` has already is borrowed
    /// from there and not fetched again; `place` must not outlive it.
    pub fn fetch_beside(&self, place: &Path, mirror: &Path, url: &str) -> HostResult<()> {
        if self.kind(&mirror.join("HEAD"))?.is_some() {
            borrow(place, mirror).map_err(failed("prepare", place))?;
        }
        self.fetch(place, url, &|_| {})
    }
}

/// Takes over the refs, so that the other side knows what need not be sent, and names the
/// mirror's objects as an alternate.
fn borrow(place: &Path, mirror: &Path) -> io::Result<()> {
    for part in ["info", "pack"] {
        // Without the latter libgit2 writes what it fetches to the working directory.
        fs::create_dir_all(place.join("objects").join(part))?;
    }
    let objects = format!("{}\n", mirror.join("objects").display());
    fs::write(place.join("objects/info/alternates"), objects)?;
    for file in ["HEAD", "packed-refs"] {
        if mirror.join(file).exists() {
            fs::copy(mirror.join(file), place.join(file))?;
        }
    }
    copy_refs(&mirror.join("refs"), &place.join("refs"))
}

fn copy_refs(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_refs(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
