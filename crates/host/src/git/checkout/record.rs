//! How the files of a checkout were when it ended. Whatever is still so was never touched since.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use git2::Oid;

use super::list::Mode;

/// The beginning of the format.
const FORMAT: &str = "release tree 1";
const END: &[u8] = b"end\0";
/// Shorter than any tick of a file system's clock.
const TICK: Duration = Duration::from_millis(1);

/// What changes whenever a file does. The time of change (ctime) cannot be set: it is the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    mode: u32,
    changed: i64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            changed: changed(metadata),
        }
    }

    /// Whether it is what `mode` says.
    pub(super) fn fits(self, mode: Mode) -> bool {
        let executable = self.mode & 0o100 != 0;
        match mode {
            Mode::Link => self.mode & 0o170_000 == 0o120_000,
            Mode::File => self.mode & 0o170_000 == 0o100_000 && !executable,
            Mode::Executable => self.mode & 0o170_000 == 0o100_000 && executable,
        }
    }
}

fn changed(metadata: &Metadata) -> i64 {
    metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec())
}

/// One line of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A directory, with its mode.
    Directory(u32),
    /// A file or a link, with its blob.
    File(Oid, Stamp),
}

/// Gives each line of the record at `path`, and says whether they may be believed: not if it is
/// not whole, nor if others would now be written differently, by another user or under another umask.
pub(super) fn read(path: &Path, line: &mut dyn FnMut(&Path, Known)) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => BufReader::new(file?),
    };
    let mut head = Vec::new();
    file.read_until(0, &mut head)?;
    if head != format!("{}\0", head_line()?).as_bytes() {
        return Ok(false);
    }
    lines(&mut file, line)
}

fn lines(file: &mut impl BufRead, told: &mut dyn FnMut(&Path, Known)) -> io::Result<bool> {
    let mut line = Vec::new();
    loop {
        line.clear();
        file.read_until(0, &mut line)?;
        if line == END {
            return Ok(true);
        }
        let Some((path, known)) = line.strip_suffix(b"\0").and_then(parse) else { return Ok(false) };
        told(path, known);
    }
}

fn parse(line: &[u8]) -> Option<(&Path, Known)> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut next = || fields.next().and_then(|field| std::str::from_utf8(field).ok());
    let known = match next()? {
        "directory" => Known::Directory(next()?.parse().ok()?),
        id => {
            let (inode, size) = (next()?.parse().ok()?, next()?.parse().ok()?);
            let (mode, changed) = (next()?.parse().ok()?, next()?.parse().ok()?);
            Known::File(Oid::from_str(id).ok()?, Stamp { inode, size, mode, changed })
        }
    };
    // What is left, and spaces are part of it.
    let count = if matches!(known, Known::Directory(_)) { 2 } else { 5 };
    let path = line.splitn(count + 1, |byte| *byte == b' ').nth(count)?;
    Some((Path::new(OsStr::from_bytes(path)), known))
}

/// Writes a record, once the clock has moved on: a change from now on has another time.
pub(super) fn write<'a>(path: &Path, known: impl Iterator<Item = (&'a Path, Known)>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write!(file, "{}\0", head_line()?)?;
    let mut latest = i64::MIN;
    for (path, known) in known {
        match known {
            Known::Directory(mode) => write!(file, "directory {mode} ")?,
            Known::File(id, stamp) => {
                latest = latest.max(stamp.changed);
                write!(file, "{id} {} {} {} {} ", stamp.inode, stamp.size, stamp.mode, stamp.changed)?;
            }
        }
        file.write_all(path.as_os_str().as_bytes())?;
        file.write_all(b"\0")?;
    }
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    while changed(&file.metadata()?) <= latest {
        thread::sleep(TICK);
        // To the length that it has: only its time changes.
        file.set_len(file.metadata()?.len())?;
    }
    file.write_all(END)
}

fn head_line() -> io::Result<String> {
    let mut status = String::new();
    File::open("/proc/self/status")?.read_to_string(&mut status)?;
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap_or_default().trim();
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Ok(format!("{FORMAT} {user} {group} {umask}"))
}
