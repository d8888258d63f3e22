//! What a program says of its version, remembered as long as its file is the same: node takes 10 to 60 ms to
//! say that.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use release_core::command::Command;
use release_core::host::{Files, HostResult};
use serde::{Deserialize, Serialize};

use crate::UnixHost;

const ELF: &[u8] = b"\x7fELF";

/// A program, and what no change of it leaves as it is: the kernel alone sets the time of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    program: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Known {
    /// What `command` asks, if nothing but its file decides the answer: a script could ask another program, and
    /// so does a shim that goes by many names.
    pub(super) fn asked_by(command: &Command) -> Option<Self> {
        if command.args != ["--version"] {
            return None;
        }
        let program = fs::canonicalize(&command.program).ok()?;
        let mut file = File::open(&program).ok()?;
        let mut start = [0; ELF.len()];
        file.read_exact(&mut start).ok()?;
        let about = file.metadata().ok()?;
        let has_name = program.file_name() == command.program.file_name();
        let changed = (about.ctime(), about.ctime_nsec());
        let known = || Self { program, device: about.dev(), inode: about.ino(), size: about.size(), changed };
        (start == ELF && has_name).then(known)
    }
}

/// By program.
type Versions = BTreeMap<PathBuf, (Known, Vec<String>)>;

impl UnixHost {
    /// What it said, if it is still the same.
    pub(super) fn version(&self, asked: &Known) -> Option<Vec<String>> {
        let (known, lines) = self.versions().remove(&asked.program)?;
        (known == *asked).then_some(lines)
    }

    /// Remembers what it said, where there is a place for that.
    pub(super) fn remember_version(&self, known: Known, lines: &[String]) -> HostResult<()> {
        let path = self.layout.versions();
        if self.kind(path.parent().unwrap_or(Path::new("/")))?.is_none() {
            return Ok(());
        }
        let mut versions = self.versions();
        versions.insert(known.program.clone(), (known, lines.to_owned()));
        // A path that is no text stays unknown.
        serde_json::to_vec(&versions).map_or(Ok(()), |text| self.write(&path, &text, 0o644))
    }

    fn versions(&self) -> Versions {
        let text = self.read(&self.layout.versions()).ok().flatten().unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}
