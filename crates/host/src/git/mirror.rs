//! The bare mirror: every branch and tag of the app's repository, as it is there.

use std::fs;
use std::io;
use std::path::Path;

use git2::{Repository, RepositoryInitOptions};
use release_core::host::HostResult;

use super::address::without_password;
use super::failed;
use crate::files;

/// Opens the mirror of `url`, ready to be fetched into; makes it, or what is missing of one whose
/// making was cut short.
pub(super) fn ready(mirror: &Path, url: &str) -> HostResult<()> {
    fs::create_dir_all(mirror).map_err(files::failed("make the directory", mirror))?;
    remove_leftovers(mirror).map_err(files::failed("tidy up", mirror))?;
    let made = open_or_init(mirror).and_then(|repository| remember(&repository, url));
    made.map_err(|error| failed(format!("cannot make the mirror {}", mirror.display()), error))
}

fn open_or_init(mirror: &Path) -> Result<Repository, git2::Error> {
    Repository::open_bare(mirror).or_else(|_| {
        let mut options = RepositoryInitOptions::new();
        Repository::init_opts(mirror, options.bare(true).external_template(false))
    })
}

/// Relative addresses of submodules start here, and git-lfs asks here for its files. Passwords
/// come from the credential helper then: none is stored.
fn remember(repository: &Repository, url: &str) -> Result<(), git2::Error> {
    let url = without_password(url);
    let mut config = repository.config()?;
    if config.get_string("remote.origin.url").ok().as_deref() != Some(&url) {
        config.set_str("remote.origin.url", &url)?;
    }
    Ok(())
}

/// Removes what a killed fetch leaves: its lock files would refuse every later one. Only the run
/// that holds our lock comes here, so nobody else is at work in the mirror.
fn remove_leftovers(mirror: &Path) -> io::Result<()> {
    let is_lock = |name: &str| name.ends_with(".lock");
    remove_files(mirror, false, &is_lock)?;
    remove_files(&mirror.join("refs"), true, &is_lock)?;
    remove_files(&mirror.join("objects/pack"), false, &|name| name.starts_with("tmp_"))
}

fn remove_files(directory: &Path, deep: bool, unwanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if deep {
                remove_files(&entry.path(), deep, unwanted)?;
            }
        } else if unwanted(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
