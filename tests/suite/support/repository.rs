//! The shop's repository: a working copy, and the bare one that is deployed from.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/apps/shop-revisions");

/// Makes revisions of the shop.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) work: PathBuf,
    pub(crate) bare: PathBuf,
    good: RefCell<String>,
    last: Cell<usize>,
    markers: RefCell<BTreeMap<String, String>>,
}

impl Repository {
    pub(crate) fn new(directory: &Path) -> Self {
        let (work, bare) = (directory.join("work"), directory.join("origin.git"));
        let first = shop_revisions(&work, ["--bare".as_ref(), bare.as_os_str()]);
        let markers = BTreeMap::from([(first.clone(), "0".to_owned())]).into();
        Self { work, bare, good: first.into(), last: Cell::new(0), markers }
    }

    /// The revision that the next ones derive from.
    pub(crate) fn good(&self) -> String {
        self.good.borrow().clone()
    }

    /// A revision that works, pushed to main.
    pub(crate) fn add(&self, kind: &str) -> String {
        let sha = self.derive(kind, true);
        self.good.replace(sha.clone());
        sha
    }

    /// A revision that works, not pushed.
    pub(crate) fn add_unpushed(&self, kind: &str) -> String {
        let sha = self.derive(kind, false);
        self.good.replace(sha.clone());
        sha
    }

    /// A revision that does not work, pushed to main; the next ones do not derive from it.
    pub(crate) fn add_broken(&self, kind: &str) -> String {
        self.derive(kind, true)
    }

    fn derive(&self, kind: &str, push: bool) -> String {
        self.last.set(self.last.get() + 1);
        let (marker, good) = (self.last.get().to_string(), self.good());
        let mut words = vec!["--add", kind, "--marker", &marker, "--from", &good];
        let bare = self.bare.display().to_string();
        if push {
            words.extend(["--bare", &bare]);
        }
        let sha = shop_revisions(&self.work, words);
        self.markers.borrow_mut().insert(sha.clone(), marker);
        sha
    }

    /// What the code of `revision` calls itself.
    pub(crate) fn marker(&self, revision: &str) -> Option<String> {
        self.markers.borrow().get(revision).cloned()
    }
}

fn shop_revisions<T: AsRef<std::ffi::OsStr>>(work: &Path, words: impl IntoIterator<Item = T>) -> String {
    let done = Command::new(FIXTURE).arg(work).args(words).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// git, deaf to the user's configuration, as somebody.
pub(crate) fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
        command.env_remove(name);
    }
    command
        .arg("-C")
        .arg(directory)
        .args(["-c", "user.name=Shop", "-c", "user.email=shop@example.org", "-c", "safe.directory=*"])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    command
}
