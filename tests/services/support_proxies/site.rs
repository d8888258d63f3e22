//! A root of its own for `fixtures/apps/proxied`.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::processes::{self, Process};
use crate::support::{Client, Finished, Running, git, start, wait_until};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/apps/proxied");

/// The site; whatever runs of it ends with it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) root: PathBuf,
    /// Where a proxy is to listen.
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

impl Site {
    /// A root, and a repository with the fixture; nothing is deployed.
    pub(crate) fn new() -> Self {
        // Short, because the path of a socket may have 107 bytes.
        let directory = tempfile::Builder::new().prefix("rp-").rand_bytes(4).tempdir_in("/tmp").unwrap();
        // Proxies run as users of their own.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (root, work) = (directory.path().join("srv"), directory.path().join("work"));
        for part in [root.join("shared/data"), directory.path().join("out")] {
            fs::create_dir_all(part).unwrap();
        }
        let copied = Command::new("cp").arg("-r").arg(FIXTURE).arg(&work).status().unwrap();
        assert!(copied.success());
        for words in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-qm", "First"]] {
            let done = git(&work).args(words).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let site = Self { root, address, directory };
        site.configure("");
        site
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes the server's own `release.yml`, with `tls` for the proxy.
    pub(crate) fn configure(&self, tls: &str) {
        self.configure_with("", tls);
    }

    /// The same, with `more` services.
    pub(crate) fn configure_with(&self, more: &str, tls: &str) {
        let repository = self.directory.path().join("work");
        let text = format!(
            "repository: {}\nkeep: 2\nservices: {{web: {{health: {{settle: 100ms}}}}{more}}}\n\
             proxy: {{listen: \"{}\", max_body: 64k{tls}}}\n",
            repository.display(),
            self.address
        );
        fs::write(self.root.join("release.yml"), text).unwrap();
    }

    fn start(&self, words: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_release"));
        command.args(words).env("RELEASE_ROOT", &self.root).current_dir("/");
        self.run(command)
    }

    /// Starts any command, with its output where it can be read.
    pub(crate) fn run(&self, command: Command) -> Running {
        start(command, &self.directory.path().join("out"))
    }

    /// Runs `release` to its end.
    #[track_caller]
    pub(crate) fn release(&self, words: &[&str]) -> Finished {
        self.start(words).finish()
    }

    /// The file that `release generate KIND` prints, in a file.
    #[track_caller]
    pub(crate) fn generate(&self, kind: &str) -> PathBuf {
        let path = self.directory.path().join(kind);
        fs::write(&path, self.release(&["generate", kind]).exits(0).out).unwrap();
        path
    }

    /// The release that is live.
    pub(crate) fn current(&self) -> String {
        let target = fs::read_link(self.root.join("current")).unwrap();
        target.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Whether the app answers on its socket.
    pub(crate) fn answers(&self) -> bool {
        let socket = self.root.join("current/run/web.sock");
        Client::socket(&socket).get("/").is_ok_and(|reply| reply.status == 200)
    }

    /// Whether any process of the app or of its private supervisord runs.
    pub(crate) fn runs(&self) -> bool {
        let own = |process: &Process| {
            process.command.contains("app.py") || process.command.contains(".release/supervisor/")
        };
        processes::of(&self.root).iter().any(own)
    }

    /// Fails the test unless `release stop` ends all.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.release(&["stop"]).exits(0);
        wait_until("all has ended", Duration::from_secs(5), || processes::of(&self.root).is_empty());
    }
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
