//! What a deploy needs besides git for files in Git LFS.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::{Sandbox, git};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b856\nsize 7\n";

/// The shop with a file in Git LFS.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let work = &sandbox.repository.work;
    fs::write(work.join(".gitattributes"), "*.bin filter=lfs -text\n").unwrap();
    fs::write(work.join("model.bin"), POINTER).unwrap();
    let bare = sandbox.repository.bare.to_str().unwrap();
    for words in [&["add", "-A"][..], &["commit", "-q", "-m", "model"], &["push", "-q", bare, "HEAD:main"]] {
        assert!(git(work).args(words).status().unwrap().success(), "{words:?}");
    }
    sandbox
}

/// A directory with every program of this `PATH` but one.
fn programs_but(program: &str, directory: &Path) -> PathBuf {
    let programs = directory.join("programs");
    fs::create_dir(&programs).unwrap();
    for path in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            // The first of a name counts.
            if entry.file_name() != program {
                let _ = symlink(entry.path(), programs.join(entry.file_name()));
            }
        }
    }
    programs
}

#[test]
fn a_file_of_lfs_where_its_program_is_not_is_told_with_what_to_install() {
    let sandbox = sandbox();
    let mut deploy = sandbox.command(&["deploy", "main"]);
    deploy.env("PATH", programs_but("git-lfs", sandbox.directory()));
    let failed = sandbox.run(deploy).finish().exits(3);
    let failed = failed.says("model.bin is kept in Git LFS, and `git-lfs` does not run here");
    drop(failed.says("help: apt install git-lfs"));
    assert!(sandbox.releases().is_empty(), "nothing of it is left");
}
