//! The files that one process uses, in real paths, as `/proc/<pid>` tells.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use release_core::proof::ProcessFiles;

use super::of;

/// What the process executes, where it works, what it has mapped and what it has open; `None` if it
/// is gone.
pub(super) fn process(pid: u32) -> Option<ProcessFiles> {
    match files(pid) {
        Ok(files) => Some(ProcessFiles { pid, files: Some(files) }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Some(ProcessFiles { pid, files: None })
        }
        // It has ended meanwhile.
        Err(_) => None,
    }
}

/// Like [`process`]; of what may not be read, nothing.
pub(super) fn readable(pid: u32) -> Vec<PathBuf> {
    files(pid).unwrap_or_default()
}

/// Where the process works, and what it has open, as far as that may be read.
pub(super) fn opened(pid: u32) -> Vec<PathBuf> {
    let cwd = link(&of(pid, "cwd")).into_iter();
    cwd.chain(open_files(pid).unwrap_or_default()).collect()
}

fn files(pid: u32) -> io::Result<Vec<PathBuf>> {
    let mut files = vec![link(&of(pid, "exe"))?, link(&of(pid, "cwd"))?];
    let maps = fs::read(of(pid, "maps"))?;
    files.extend(mapped_files(&maps).map(Path::to_path_buf));
    files.extend(open_files(pid)?);
    Ok(files)
}

fn open_files(pid: u32) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(of(pid, "fd"))?;
    // One that was closed meanwhile is not used any more.
    Ok(entries
        .flatten()
        .filter_map(|entry| link(&entry.path()).ok())
        .filter(|path| path.is_absolute())
        .collect())
}

fn link(path: &Path) -> io::Result<PathBuf> {
    fs::read_link(path).map(|path| undeleted(&path).to_path_buf())
}

/// The files in `/proc/<pid>/maps`, each once: one mapping follows the other.
fn mapped_files(maps: &[u8]) -> impl Iterator<Item = &Path> {
    let mut last = None;
    let files = maps.split(|byte| *byte == b'\n').filter_map(mapped_file);
    files.filter(move |file| last.replace(*file) != Some(*file))
}

/// The file of one line: what follows five fields, and may hold spaces.
fn mapped_file(line: &[u8]) -> Option<&Path> {
    let start = line.iter().position(|byte| *byte == b'/')?;
    Some(undeleted(Path::new(OsStr::from_bytes(&line[start..]))))
}

/// `path` as it was before it was deleted, which the kernel says behind it.
fn undeleted(path: &Path) -> &Path {
    let bytes = path.as_os_str().as_bytes();
    Path::new(OsStr::from_bytes(bytes.strip_suffix(b" (deleted)").unwrap_or(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_files_are_read_from_the_kernels_table() {
        let maps = "7f0-7f1 rw-p 00000000 00:00 0\n55d-55e r-xp 0000 fe:00 1234    /srv/a b/x.so\n\
                    55e-55f rw-p 0000 fe:00 1234    /srv/a b/x.so\n60d-60e r-xp 0 0:0 1  /srv/y.so (deleted)\n\
                    610-611 rw-p 0 0:0 0    [heap]\n";
        let files: Vec<_> = mapped_files(maps.as_bytes()).collect();
        assert_eq!(files, [Path::new("/srv/a b/x.so"), Path::new("/srv/y.so")]);
    }
}
