mod checkout;
mod fetch;
mod find;
mod lfs;
mod modules;
mod spare;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use super::*;
use crate::testing;

/// A person's repository, our host, and the mirror that it makes.
struct Scene {
    root: TempDir,
    host: UnixHost,
}

impl Scene {
    fn new() -> Self {
        let (root, host) = testing::host();
        fs::create_dir(root.path().join("work")).unwrap();
        let scene = Self { root, host };
        scene.git(&["init", "-q", "-b", "main"]);
        scene
    }

    fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    fn mirror(&self) -> PathBuf {
        self.root.path().join("repo")
    }

    fn git(&self, args: &[&str]) -> String {
        self.git_with(args, b"")
    }

    fn git_with(&self, args: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .args(["-c", "user.name=Ana", "-c", "user.email=ana@example.org"])
            .args(args)
            .current_dir(self.work())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, message: &str) -> Revision {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }

    fn fetch(&self) -> HostResult<()> {
        self.host.fetch(&self.mirror(), self.work().to_str().unwrap(), &|_| {})
    }

    fn find(&self, name: &str) -> Result<Revision, FindError> {
        self.host.find(&self.mirror(), name)
    }

    fn checkout(&self, revision: &Revision) -> HostResult<PathBuf> {
        let into = self.root.path().join("releases").join(revision.short());
        self.checkout_into(revision, &into, &|_| {}).map(|_| into)
    }

    fn checkout_into(
        &self,
        revision: &Revision,
        into: &Path,
        progress: &dyn Fn(Progress),
    ) -> HostResult<Written> {
        self.host.checkout(
            &self.mirror(),
            revision,
            &self.noted(into),
            &self.noted(&self.spare()),
            None,
            progress,
        )
    }

    /// A tree with its record beside it.
    fn noted(&self, tree: &Path) -> CheckedOut {
        let name = tree.file_name().unwrap().to_str().unwrap();
        let record = self.root.path().join("records").join(format!("{name}.tree"));
        CheckedOut { tree: tree.to_owned(), record }
    }

    fn spare(&self) -> PathBuf {
        self.root.path().join("spare")
    }

    /// A commit of a tree that was written byte by byte.
    fn commit_of_tree(&self, entries: &[(&str, &[u8], &str)]) -> Revision {
        let mut tree = Vec::new();
        for (mode, name, id) in entries {
            tree.extend_from_slice(mode.as_bytes());
            tree.push(b' ');
            tree.extend_from_slice(name);
            tree.push(0);
            tree.extend_from_slice(git2::Oid::from_str(id).unwrap().as_bytes());
        }
        let tree = self.git_with(&["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &tree);
        let commit = self.git(&["commit-tree", &tree, "-m", "made by hand"]);
        self.git(&["update-ref", "refs/heads/by-hand", &commit]);
        commit.parse().unwrap()
    }

    fn blob(&self, contents: &[u8]) -> String {
        self.git_with(&["hash-object", "-w", "--stdin"], contents)
    }
}
