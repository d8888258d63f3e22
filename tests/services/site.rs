//! A root of its own for one of `fixtures/apps`, behind a real nginx.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::nginx::Nginx;
use crate::support::processes::{self, Process};
use crate::support::{Finished, Running, git, start, wait_until};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/apps");

/// What its proxy speaks to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Http,
    Uwsgi,
}

/// The site; whatever runs of it ends with it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) root: PathBuf,
    /// The words of a command that runs another one elsewhere, as in a container; none for here.
    pub(crate) before: Vec<String>,
    directory: TempDir,
}

impl Site {
    /// A root, and a repository with the fixture of that name; nothing is deployed.
    pub(crate) fn of(fixture: &str) -> Self {
        // Short, because the path of a socket may have 107 bytes.
        let directory = tempfile::Builder::new().prefix("rs-").rand_bytes(4).tempdir_in("/tmp").unwrap();
        let (root, work) = (directory.path().join("srv"), directory.path().join("work"));
        for part in [root.join("shared/data"), directory.path().join("out"), work.clone()] {
            fs::create_dir_all(part).unwrap();
        }
        let copied = Command::new("cp").arg("-rT").arg(Path::new(FIXTURES).join(fixture)).arg(&work).status();
        assert!(copied.unwrap().success());
        in_repository(&work, &["init", "-q", "-b", "main"]);
        in_repository(&work, &["add", "."]);
        in_repository(&work, &["commit", "-qm", "First"]);
        fs::write(root.join("release.yml"), format!("repository: {}\nkeep: 2\n", work.display())).unwrap();
        Self { root, before: Vec::new(), directory }
    }

    /// A new revision, in which `file` holds `text`.
    pub(crate) fn commit(&self, file: &str, text: &str) {
        let work = self.directory().join("work");
        fs::write(work.join(file), text).unwrap();
        in_repository(&work, &["add", file]);
        in_repository(&work, &["commit", "-qam", "Next"]);
    }

    /// Writes the server's own `release.yml`, with this for its service `web`.
    pub(crate) fn configure(&self, command: &str, more: &str) {
        self.overriding(&format!("services:\n  web:\n    command: {command}\n{more}"));
    }

    /// Writes the server's own `release.yml`, with `more`.
    pub(crate) fn overriding(&self, more: &str) {
        let repository = self.directory.path().join("work");
        let text = format!("repository: {}\nkeep: 2\n{more}", repository.display());
        fs::write(self.root.join("release.yml"), text).unwrap();
    }

    /// Adds to the server's own `release.yml`.
    pub(crate) fn append(&self, more: &str) {
        let file = self.root.join("release.yml");
        fs::write(&file, fs::read_to_string(&file).unwrap() + more).unwrap();
    }

    /// Starts `release`.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        self.start_program(&[&[env!("CARGO_BIN_EXE_release")], words].concat())
    }

    /// Starts any program where the site is.
    pub(crate) fn start_program(&self, words: &[&str]) -> Running {
        let words: Vec<&str> = self.before.iter().map(String::as_str).chain(words.iter().copied()).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("RELEASE_ROOT", &self.root).current_dir("/");
        start(command, &self.directory.path().join("out"))
    }

    /// The directory of everything.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    #[track_caller]
    pub(crate) fn release(&self, words: &[&str]) -> Finished {
        self.start(words).finish()
    }

    /// Runs `release` as a shell's `command &` does, or `nohup`: with signals ignored that services may need.
    #[track_caller]
    pub(crate) fn release_ignoring_interrupts(&self, words: &[&str]) -> Finished {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' INT QUIT HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_release")]);
        command.args(words).env("RELEASE_ROOT", &self.root).current_dir("/");
        start(command, &self.directory.path().join("out")).finish()
    }

    /// What a command tells scripts.
    pub(crate) fn facts(&self, words: &[&str]) -> serde_json::Value {
        self.release(&[words, &["--json"]].concat()).exits(0).json()
    }

    /// A new release of the same revision goes live, and the one before it has ended.
    #[track_caller]
    pub(crate) fn switch(&self) -> Finished {
        self.release(&["deploy", "--force"]).exits(0)
    }

    /// nginx in front of `current`.
    pub(crate) fn nginx(&self, pass: Pass) -> Nginx {
        self.nginx_of("web", pass)
    }

    /// nginx in front of one service of `current`.
    pub(crate) fn nginx_of(&self, service: &str, pass: Pass) -> Nginx {
        let socket = self.root.join(format!("current/run/{service}.sock"));
        self.nginx_before(service, &format!("unix:{}", socket.display()), pass)
    }

    /// nginx in front of what listens at `upstream`; `name` tells it from others.
    pub(crate) fn nginx_before(&self, name: &str, upstream: &str, pass: Pass) -> Nginx {
        let location = match pass {
            Pass::Http => format!("proxy_pass http://{upstream}; proxy_set_header Host $host;"),
            Pass::Uwsgi => format!("uwsgi_pass {upstream}; {}", uwsgi_params()),
        };
        let directory = self.directory.path().join(format!("nginx-{name}"));
        Nginx::with_locations(&directory, &format!("location / {{ {location} }}"))
    }

    /// Where the proxy finds the service.
    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join("current/run/web.sock")
    }

    /// The release that is live.
    pub(crate) fn current(&self) -> String {
        let target = fs::read_link(self.root.join("current")).unwrap();
        target.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Fails the test unless nothing runs but the process manager and the active release.
    #[track_caller]
    pub(crate) fn assert_tidy(&self) {
        let current = self.current();
        let belongs = |process: &Process| {
            process.names(&current)
                || ["supervisord", "nginx", "systemd-socket-"]
                    .iter()
                    .any(|name| process.command.contains(name))
        };
        let strays =
            || processes::of(&self.root).into_iter().filter(|process| !belongs(process)).collect::<Vec<_>>();
        let seen = strays();
        // What was ended just now may still be on its way out.
        wait_until(&format!("these are gone: {seen:#?}"), Duration::from_secs(5), || strays().is_empty());
        // Old releases stay for a rollback, but without a socket.
        for release in fs::read_dir(self.root.join("releases")).unwrap() {
            let release = release.unwrap().path();
            let left = fs::read_dir(release.join("run")).unwrap();
            let left = left.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_socket()).count();
            assert!(release.ends_with(&current) || left == 0, "sockets are left in {release:?}");
        }
    }

    /// Fails the test unless `release stop` ends all.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.release(&["stop"]).exits(0);
        wait_until("all has ended", Duration::from_secs(5), || processes::of(&self.root).is_empty());
        let sockets = processes::sockets_below(&self.root);
        assert!(sockets.is_empty(), "sockets are left: {sockets:?}");
    }
}

fn in_repository(work: &Path, words: &[&str]) {
    let done = git(work).args(words).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

impl Drop for Site {
    fn drop(&mut self) {
        // A test that failed has not stopped it.
        let _ = self.release(&["stop"]);
        processes::of(self.directory.path()).iter().for_each(Process::kill);
        if std::env::var_os("RELEASE_TEST_KEEP").is_some() {
            self.directory.disable_cleanup(true);
        }
    }
}

/// What Debian ships as `/etc/nginx/uwsgi_params`, as far as it matters here.
fn uwsgi_params() -> String {
    let names = [
        ("QUERY_STRING", "query_string"),
        ("REQUEST_METHOD", "request_method"),
        ("CONTENT_TYPE", "content_type"),
        ("CONTENT_LENGTH", "content_length"),
        ("REQUEST_URI", "request_uri"),
        ("PATH_INFO", "document_uri"),
        ("SERVER_PROTOCOL", "server_protocol"),
        ("SERVER_PORT", "server_port"),
        ("SERVER_NAME", "server_name"),
    ];
    names.map(|(name, variable)| format!("uwsgi_param {name} ${variable}; ")).concat()
}
