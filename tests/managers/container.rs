//! A Debian with systemd that boots in half a second, and shares one directory with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::support::wait_until;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const LIMIT: Duration = Duration::from_secs(60);

/// It runs until it is dropped; its own files are gone then.
#[derive(Debug)]
pub(crate) struct Container {
    disk: TempDir,
    shared: PathBuf,
    running: Option<Child>,
}

impl Container {
    /// Boots one that sees `shared` where we see it; `None` where that cannot be.
    pub(crate) fn boot(shared: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("NOT TESTED: a container needs root");
            return None;
        }
        let disk = tempfile::Builder::new().prefix("rm-").tempdir_in("/tmp").unwrap();
        for part in ["upper", "work", "root"] {
            fs::create_dir(disk.path().join(part)).unwrap();
        }
        let at = disk.path().display();
        let layers = format!("lowerdir={},upperdir={at}/upper,workdir={at}/work", system().display());
        ran(Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o", &layers])
            .arg(disk.path().join("root")));
        let mut container = Self { disk, shared: shared.to_owned(), running: None };
        container.power_on();
        Some(container)
    }

    fn root(&self) -> PathBuf {
        self.disk.path().join("root")
    }

    /// Boots what was powered off.
    pub(crate) fn power_on(&mut self) {
        let name = self.disk.path().file_name().unwrap().to_string_lossy().into_owned();
        let log = fs::File::create(self.disk.path().join("console")).unwrap();
        let child = Command::new("systemd-nspawn")
            .args([
                "--quiet",
                "--boot",
                "--register=no",
                "--keep-unit",
                "--console=pipe",
                "--link-journal=no",
            ])
            .arg("-D")
            .arg(self.root())
            .args(["-M", &name])
            .arg(format!("--bind={}", self.shared.display()))
            .arg(format!("--bind-ro={}", env!("CARGO_BIN_EXE_release")))
            .arg(format!("--bind-ro={}", env!("CARGO_TARGET_TMPDIR")))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("systemd-nspawn is installed");
        self.running = Some(child);
        wait_until("the container has booted", LIMIT, || {
            self.leader().is_some()
                && matches!(self.says(&["systemctl", "is-system-running"]).trim(), "running" | "degraded")
        });
    }

    /// The first process in the container, by our number.
    fn leader(&self) -> Option<u32> {
        let parent = self.running.as_ref()?.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// The words of a command that runs another one in here, as root.
    pub(crate) fn enter(&self) -> Vec<String> {
        self.enter_as("HOME=/root", "USER=root", &[])
    }

    /// The same, as the user `shop`.
    pub(crate) fn enter_as_shop(&self) -> Vec<String> {
        let become_shop = ["setpriv", "--reuid=shop", "--regid=shop", "--init-groups"];
        self.enter_as("HOME=/home/shop", "USER=shop", &become_shop)
    }

    fn enter_as(&self, home: &str, user: &str, more: &[&str]) -> Vec<String> {
        let leader = self.leader().expect("it runs").to_string();
        let path = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let words = ["nsenter", "-t", &leader, "-a", "env", path, home, user, "LANG=C.UTF-8"];
        words.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    /// What a command prints in here, whatever becomes of it.
    pub(crate) fn says(&self, words: &[&str]) -> String {
        let before = self.enter();
        let output = Command::new(&before[0]).args(&before[1..]).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command in here that must succeed.
    #[track_caller]
    pub(crate) fn runs(&self, words: &[&str]) {
        let before = self.enter();
        ran(Command::new(&before[0]).args(&before[1..]).args(words));
    }

    /// Shuts it down, as an administrator does.
    pub(crate) fn power_off(&mut self) {
        self.runs(&["systemctl", "poweroff", "--no-block"]);
        let mut running = self.running.take().expect("it runs");
        wait_until("the container has shut down", LIMIT, || running.try_wait().unwrap().is_some());
    }

    /// Everything in here is gone at once, as when the power fails; the disk stays.
    pub(crate) fn cut_power(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        if let Some(leader) = leader_of(&running) {
            let _ = rustix::process::kill_process(leader, Signal::KILL);
        }
        running.wait().unwrap();
    }
}

fn leader_of(running: &Child) -> Option<Pid> {
    let parent = running.id();
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}

/// The Debian that all of them begin with: made once, by one of the tests.
fn system() -> PathBuf {
    let repository = Path::new(REPOSITORY).canonicalize().unwrap();
    ran(&mut Command::new(repository.join("scripts/test-system")));
    repository.join(".cache/system-2")
}

#[track_caller]
fn ran(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

impl Drop for Container {
    fn drop(&mut self) {
        self.cut_power();
        // Something of it may take a moment to end.
        wait_until("its disk is free", LIMIT, || {
            Command::new("umount").arg(self.root()).output().unwrap().status.success()
        });
    }
}
