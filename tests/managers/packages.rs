//! The Python packages of a fixture, where a container finds them too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::site::Site;

/// Has the next commit of the site install nothing: a container has no network to install from.
pub(crate) fn want_none(site: &Site) {
    fs::remove_file(site.directory().join("work/requirements.txt")).unwrap();
}

/// The words before a command that finds the packages of `fixture`.
pub(crate) fn with(fixture: &str, before: Vec<String>) -> Vec<String> {
    let path = format!("PATH={}/bin:/usr/sbin:/usr/bin:/sbin:/bin", of(fixture).display());
    before.into_iter().chain(["env".to_owned(), path]).collect()
}

/// Where they are installed for all tests, by the system's Python, which a container has too.
pub(crate) fn of(fixture: &str) -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(fixture);
    fs::create_dir_all(&venv).unwrap();
    let lock = fs::File::create(venv.join("lock")).unwrap();
    lock.lock().unwrap();
    if !venv.join("complete").exists() {
        let made = |command: &mut Command| assert!(command.status().unwrap().success());
        let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/apps"));
        let wanted = fixtures.join(fixture).join("requirements.txt");
        made(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&venv));
        // uWSGI is built for one Python; what pip keeps may be for another.
        let words = ["install", "-q", "--no-cache-dir", "--no-binary", "uWSGI", "-r"];
        let mut install = Command::new(venv.join("bin/pip"));
        // A container has no libxml2.
        made(install.args(words).arg(wanted).env("UWSGI_PROFILE_OVERRIDE", "xml=no"));
        fs::write(venv.join("complete"), "").unwrap();
    }
    venv
}
