//! A server with one root, and the repository that is deployed there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A root of an app without services, and its repository.
pub(crate) struct Server {
    home: TempDir,
}

impl Server {
    pub(crate) fn new(release_yml: &str) -> Self {
        let server = Self { home: tempfile::tempdir().unwrap() };
        fs::create_dir_all(server.source()).unwrap();
        fs::create_dir_all(server.root()).unwrap();
        server.git(&["init", "-q", "-b", "main"]);
        server.commit("first", &[("release.yml", release_yml)]);
        let origin = format!("repository: {}\nbranch: main\n", server.source().display());
        fs::write(server.root().join("release.yml"), origin).unwrap();
        server
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.home.path().join("source")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.home.path().join("root")
    }

    pub(crate) fn git(&self, args: &[&str]) {
        let who = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"];
        let output = Command::new("git").args(who).args(args).current_dir(self.source()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    pub(crate) fn commit(&self, subject: &str, files: &[(&str, &str)]) {
        for (name, text) in files {
            fs::write(self.source().join(name), text).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
    }

    pub(crate) fn release(&self, args: &[&str]) -> Output {
        self.release_in(&self.root(), args)
    }

    /// In a directory instead of by `--root`.
    pub(crate) fn release_in(&self, directory: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_release"));
        command.args(args).current_dir(directory).env_remove("RELEASE_ROOT").output().unwrap()
    }

    pub(crate) fn deploy(&self) -> PathBuf {
        let output = self.release(&["deploy"]);
        assert!(output.status.success(), "{output:?}");
        self.current()
    }

    pub(crate) fn current(&self) -> PathBuf {
        self.root().join(fs::read_link(self.root().join("current")).unwrap())
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root().join(".release/journal.jsonl")
    }

    /// As if the last run had been killed right before it recorded `text` for the last time.
    pub(crate) fn cut_journal_before(&self, text: &str) {
        let journal = fs::read_to_string(self.journal()).unwrap();
        let lines: Vec<&str> = journal.lines().collect();
        let cut = lines.iter().rposition(|line| line.contains(text)).unwrap();
        fs::write(self.journal(), lines[..cut].join("\n") + "\n").unwrap();
    }
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
