//! A server of its own below `/tmp`: a root, a repository, nginx, and the binary to try.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::nginx::Nginx;
use super::processes::{self, Process};
use super::{Client, Finished, Load, Pace, Repository, Running, start, wait_until};

const ENV: &str = include_str!("../../../fixtures/apps/shop/.env.example");

/// Everything that a test needs; it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) repository: Repository,
    pub(crate) root: PathBuf,
    nginx: Option<Nginx>,
    directory: TempDir,
}

impl Sandbox {
    /// A root with what the README asks for, and nothing deployed.
    pub(crate) fn new() -> Self {
        // Short, because the path of a socket may have 107 bytes.
        let directory = tempfile::Builder::new().prefix("rl-").rand_bytes(4).tempdir_in("/tmp").unwrap();
        let root = directory.path().join("srv");
        for part in [root.join("shared"), directory.path().join("out")] {
            fs::create_dir_all(part).unwrap();
        }
        fs::write(root.join("shared/.env"), ENV).unwrap();
        let repository = Repository::new(directory.path());
        let sandbox = Self { repository, root, nginx: None, directory };
        sandbox.configure("");
        sandbox
    }

    /// A root with the shop's first revision live, behind nginx. Health checks are short.
    pub(crate) fn deployed() -> Self {
        let mut sandbox = Self::new();
        sandbox.configure(QUICK);
        sandbox.release(&["deploy", "main"]).exits(0);
        sandbox.start_nginx();
        sandbox
    }

    /// Writes the server's own `release.yml`: its repository and branch, and `more`.
    pub(crate) fn configure(&self, more: &str) {
        let bare = self.repository.bare.display();
        fs::write(self.root.join("release.yml"), format!("repository: {bare}\nbranch: main\n{more}"))
            .unwrap();
    }

    /// The same, with short health checks.
    pub(crate) fn configure_quick(&self, more: &str) {
        self.configure(&format!("{QUICK}{more}"));
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn start_nginx(&mut self) {
        self.nginx = Some(Nginx::start(&self.directory().join("nginx"), &self.root));
    }

    fn nginx(&self) -> &Nginx {
        self.nginx.as_ref().expect("nginx was started")
    }

    /// `release`, for this root, as a person would type it.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.under(&[], words)
    }

    /// The same, as the last words of another command.
    pub(crate) fn under(&self, wrapper: &[&str], words: &[&str]) -> Command {
        let (program, before) = match wrapper.split_first() {
            Some((first, rest)) => (*first, [rest, &[env!("CARGO_BIN_EXE_release")]].concat()),
            None => (env!("CARGO_BIN_EXE_release"), Vec::new()),
        };
        let mut command = Command::new(program);
        command.args(before).args(words).env("RELEASE_ROOT", &self.root).current_dir("/");
        command
    }

    /// Starts `release`.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        self.run(self.command(words))
    }

    /// Starts any command, with its output where it can be read.
    pub(crate) fn run(&self, command: Command) -> Running {
        start(command, &self.directory().join("out"))
    }

    /// Runs `release` to its end.
    #[track_caller]
    pub(crate) fn release(&self, words: &[&str]) -> Finished {
        self.start(words).finish()
    }

    /// The facts that `release WORDS --json` prints.
    #[track_caller]
    pub(crate) fn facts(&self, words: &[&str]) -> Value {
        self.release(&[words, &["--json"]].concat()).exits(0).json()
    }

    /// `release status`.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.facts(&["status"])
    }

    /// Adds a good revision of `kind`, deploys it, and gives its sha.
    #[track_caller]
    pub(crate) fn deploy(&self, kind: &str) -> String {
        let sha = self.repository.add(kind);
        self.release(&["deploy", &sha]).exits(0);
        sha
    }

    /// The release that `current` points at.
    pub(crate) fn current(&self) -> Option<String> {
        let target = fs::read_link(self.root.join("current")).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// The sha that the active release was built from.
    #[track_caller]
    pub(crate) fn live_revision(&self) -> String {
        let revision = fs::read_to_string(self.root.join("current/REVISION")).unwrap();
        revision.trim().to_owned()
    }

    /// The directories of all releases, by name.
    pub(crate) fn releases(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join("releases")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Asks through nginx.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> super::Reply {
        Client::tcp(self.nginx().address, false).get(path).unwrap()
    }

    /// Clients that keep asking through nginx.
    pub(crate) fn load(&self, pace: Pace) -> Load {
        Load::start(self.nginx().address, &self.root, pace)
    }

    /// Ends `load`: every request must have been answered by a whole release in its time.
    #[track_caller]
    pub(crate) fn assert_flawless(&self, load: Load) {
        let report = load.stop(|sha| self.repository.marker(sha));
        println!("{report}");
        report.assert_flawless();
    }

    /// Fails the test unless a whole release is active and answers through nginx.
    #[track_caller]
    pub(crate) fn assert_serves(&self) {
        let current = self.current().expect("`current` points somewhere");
        assert!(self.root.join("current/manage.py").exists(), "`current` leads to no whole release");
        let page = self.get("/");
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(page.header("x-release"), Some(current.as_str()));
        assert_eq!(page.header("x-revision"), Some(self.live_revision().as_str()));
        let marker = self.get("/static/shop/marker.txt");
        assert_eq!(page.header("x-code"), Some(marker.body.trim()), "static files of another release");
    }

    /// Fails the test unless nothing runs but the process manager and the active release, and no
    /// run is interrupted or under way.
    #[track_caller]
    pub(crate) fn assert_tidy(&self) {
        let status = self.status();
        assert!(status["interrupted"].is_null() && status["locked"].is_null(), "{status}");
        let current = self.current().unwrap_or_default();
        let strays = self.strays(&current);
        // What was ended just now may still be on its way out.
        let gone = || processes_among(&strays, &self.root).is_empty();
        wait_until(&format!("these are gone: {strays:#?}"), Duration::from_secs(5), gone);
        for release in self.releases() {
            assert!(
                self.root.join("releases").join(&release).join("REVISION").exists(),
                "{release} is half built"
            );
        }
    }

    /// Processes of this root that are neither the manager nor of the release `current`.
    fn strays(&self, current: &str) -> Vec<Process> {
        let belongs = |process: &Process| process.names(current) || process.command.contains("supervisord");
        processes::of(&self.root)
            .into_iter()
            .filter(|process| !is_nginx(process) && !belongs(process))
            .collect()
    }

    /// Stops everything; fails the test if `release stop` left something running or listening.
    #[track_caller]
    fn assert_clean(&self) {
        self.release(&["stop"]).exits(0);
        let left: Vec<Process> =
            processes::of(&self.root).into_iter().filter(|process| !is_nginx(process)).collect();
        let gone = || processes_among(&left, &self.root).is_empty();
        wait_until(&format!("these are gone: {left:#?}"), Duration::from_secs(5), gone);
        let sockets = processes::sockets_below(&self.root);
        assert!(sockets.is_empty(), "sockets are left: {sockets:?}");
    }
}

/// The server's part that makes a deploy quick: the fixture needs no long look.
pub(crate) const QUICK: &str = "services: {web: {health: {settle: 200ms}}}\n";

fn is_nginx(process: &Process) -> bool {
    process.command.starts_with("nginx:") || process.command.contains("/nginx.conf")
}

/// Those of `processes` that still run.
fn processes_among(processes: &[Process], root: &Path) -> Vec<Process> {
    let now = processes::of(root);
    now.into_iter().filter(|process| processes.iter().any(|other| other.pid == process.pid)).collect()
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::env::var_os("RELEASE_TEST_KEEP").is_some() {
            self.directory.disable_cleanup(true);
        }
        let guard = Leftovers(self.directory.path().to_owned());
        if std::thread::panicking() {
            let _ = self.command(&["stop"]).output();
        } else {
            self.assert_clean();
        }
        self.nginx = None;
        drop(guard);
    }
}

/// Whatever happens, no process of a sandbox outlives it.
struct Leftovers(PathBuf);

impl Drop for Leftovers {
    fn drop(&mut self) {
        for process in processes::of(&self.0) {
            process.kill();
        }
    }
}
