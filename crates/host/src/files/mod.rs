//! Files, directories and links.

mod atomic;
mod tree;

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use release_core::event::Progress;
use release_core::host::{Files, HostError, HostResult, Kind, Space};
use rustix::fs::{Access, access, statvfs, syncfs};

use crate::UnixHost;

pub(crate) use atomic::sync_directory;
pub(crate) use tree::remove;

impl Files for UnixHost {
    fn read(&self, path: &Path) -> HostResult<Option<Vec<u8>>> {
        present(fs::read(path)).map_err(failed("read", path))
    }

    fn write(&self, path: &Path, contents: &[u8], mode: u32) -> HostResult<()> {
        self.make_dir(parent(path))?;
        atomic::write(path, contents, mode).map_err(failed("write", path))
    }

    fn make_file(&self, path: &Path, contents: &[u8], mode: u32) -> HostResult<()> {
        let made = File::create_new(path).and_then(|mut file| {
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(contents)
        });
        made.map_err(failed("make", path))
    }

    fn make_dir(&self, path: &Path) -> HostResult<()> {
        fs::create_dir_all(path).map_err(failed("make the directory", path))
    }

    fn kind(&self, path: &Path) -> HostResult<Option<Kind>> {
        let found = present(fs::symlink_metadata(path)).map_err(failed("look at", path))?;
        Ok(found.map(|metadata| kind_of(metadata.file_type())))
    }

    fn read_link(&self, path: &Path) -> HostResult<Option<PathBuf>> {
        match fs::read_link(path) {
            // That is what the system says of a thing that is no link.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(None),
            found => present(found).map_err(failed("read the link", path)),
        }
    }

    fn resolve(&self, path: &Path) -> HostResult<Option<PathBuf>> {
        present(fs::canonicalize(path)).map_err(failed("follow", path))
    }

    fn replace_link(&self, link: &Path, target: &Path) -> HostResult<()> {
        self.make_dir(parent(link))?;
        if self.kind(link)?.is_some_and(|kind| kind != Kind::Link) {
            let source = io::Error::new(ErrorKind::AlreadyExists, "it is no link; move it away first");
            return Err(failed("replace", link)(source));
        }
        atomic::replace_link(link, target).map_err(failed("replace the link", link))
    }

    fn list(&self, directory: &Path) -> HostResult<Vec<PathBuf>> {
        let Some(entries) = present(fs::read_dir(directory)).map_err(failed("list", directory))? else {
            return Ok(Vec::new());
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
        let mut paths = paths.map_err(failed("list", directory))?;
        paths.sort();
        Ok(paths)
    }

    fn rename(&self, from: &Path, to: &Path) -> HostResult<()> {
        self.make_dir(parent(to))?;
        fs::rename(from, to).map_err(failed("rename", from))?;
        for directory in [parent(from), parent(to)] {
            sync_directory(directory).map_err(failed("sync", directory))?;
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> HostResult<()> {
        present(tree::remove(path)).map(|_| ()).map_err(failed("remove", path))
    }

    fn copy_tree(&self, from: &Path, to: &Path, progress: &dyn Fn(Progress)) -> HostResult<()> {
        self.make_dir(parent(to))?;
        tree::Copy::new(from, progress, &self.interruption)?.tree(from, to)
    }

    fn link_file(&self, from: &Path, to: &Path) -> HostResult<()> {
        self.make_dir(parent(to))?;
        match fs::hard_link(from, to) {
            // Another file system, one without links, or too many of them.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::CrossesDevices | ErrorKind::TooManyLinks | ErrorKind::PermissionDenied
                ) =>
            {
                self.copy_tree(from, to, &|_| {})
            }
            linked => linked.map_err(failed("link", from)),
        }
    }

    fn sync(&self, path: &Path) -> HostResult<()> {
        File::open(path).and_then(|file| Ok(syncfs(&file)?)).map_err(failed("sync", path))
    }

    fn size(&self, path: &Path) -> HostResult<u64> {
        tree::Size::default().of(path).map_err(failed("measure", path))
    }

    fn space(&self, path: &Path) -> HostResult<Space> {
        let found = statvfs(existing(path)).map_err(io::Error::from).map_err(failed("measure", path))?;
        // btrfs and others make inodes as they need them, and say 0.
        let inodes = if found.f_files == 0 { u64::MAX } else { found.f_favail };
        Ok(Space { bytes: found.f_bavail.saturating_mul(found.f_frsize), inodes })
    }

    fn is_writable(&self, path: &Path) -> HostResult<bool> {
        let path = existing(path);
        match access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from) {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) =>
            {
                Ok(false)
            }
            Err(error) => Err(failed("look at", path)(error)),
        }
    }
}

/// Makes a [`HostError`] of what the system said.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HostError {
    let path = path.to_owned();
    move |source| HostError::Io { action, path, source }
}

/// The directory that `path` is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `None` where nothing is there, which is no error here.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

fn kind_of(file_type: fs::FileType) -> Kind {
    if file_type.is_symlink() {
        Kind::Link
    } else if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::File
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests;
