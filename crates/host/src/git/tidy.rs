//! A mirror gets a pack with each fetch, and looking things up takes longer with each; and what git-lfs fetched
//! stays there.

use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use release_core::command::{Command, Exit};
use release_core::host::{HostError, HostResult, Processes};

use super::because;
use crate::UnixHost;
use crate::files::failed;

/// It is housekeeping: no deploy waits for longer.
const LIMIT: Duration = Duration::from_secs(600);
/// The length of a SHA-256 in hexadecimal digits.
const DIGITS: usize = 64;

/// See `Git::tidy`.
pub(super) fn tidy(host: &UnixHost, mirror: &Path, needed_since: SystemTime) -> HostResult<()> {
    forget_large_files(mirror, needed_since).map_err(failed("remove old files of Git LFS from", mirror))?;
    let mut printed = String::new();
    let exit = host.run(&command(mirror), &mut |line| printed = line.to_owned())?;
    if exit.success() { Ok(()) } else { Err(not_tidied(mirror, exit, printed)) }
}

/// Where git-lfs keeps the file of this name; `None` if it is no name.
pub(super) fn large_file(repository: &Path, name: &str) -> Option<PathBuf> {
    let is_name = name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_name.then(|| store(repository).join(&name[..2]).join(&name[2..4]).join(name))
}

fn store(repository: &Path) -> PathBuf {
    repository.join("lfs/objects")
}

/// Removes those that were last needed before, from the mirrors of submodules too.
fn forget_large_files(mirror: &Path, needed_since: SystemTime) -> io::Result<()> {
    for first in entries(&store(mirror))? {
        for second in entries(&first.path())? {
            for file in entries(&second.path())? {
                let is_file = large_file(mirror, &file.file_name().to_string_lossy()) == Some(file.path());
                if is_file && file.metadata()?.modified()? < needed_since {
                    fs::remove_file(file.path())?;
                }
            }
        }
    }
    let modules = entries(&mirror.join("modules"))?;
    modules.iter().try_for_each(|module| forget_large_files(&module.path(), needed_since))
}

/// What is in a directory; nothing where there is none.
fn entries(directory: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        found => found?.collect(),
    }
}

/// Not in the background: whatever it started would outlive the run.
fn command(mirror: &Path) -> Command {
    let words = ["--git-dir", ".", "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet"];
    Command::new("git", mirror).args(words).var("LC_ALL", "C").limit(LIMIT)
}

fn not_tidied(mirror: &Path, exit: Exit, printed: String) -> HostError {
    let why = if printed.is_empty() { exit.to_string() } else { printed };
    let help = format!("see what it says: `git -C {} gc`", mirror.display());
    because(format!("cannot tidy up the mirror {}", mirror.display()), Some(help), why)
}
