//! What a deploy needs besides git for files in Git LFS.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Sandbox, git};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b856\nsize 7\n";

/// The shop with a file in Git LFS, in `directory`.
fn sandbox(directory: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let work = &sandbox.repository.work;
    let place = work.join(directory);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(".gitattributes"), "*.bin filter=lfs -text\n").unwrap();
    fs::write(place.join("model.bin"), POINTER).unwrap();
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
    for (directory, what) in [
        ("", "the repository keeps files in Git LFS, and there is no `git-lfs` here"),
        // What only attributes further down say is found when the files are written.
        ("models", "models/model.bin is kept in Git LFS, and `git-lfs` does not run here"),
    ] {
        let sandbox = sandbox(directory);
        let mut deploy = sandbox.command(&["deploy", "main"]);
        deploy.env("PATH", programs_but("git-lfs", sandbox.directory()));
        let failed = sandbox.run(deploy).finish().exits(3).says(what);
        drop(failed.says("help: apt install git-lfs"));
        assert!(sandbox.releases().is_empty(), "nothing of it is left");
    }
}

#[test]
fn lfs_asks_its_server_by_the_ssh_that_git_is_told_to_use() {
    let sandbox = sandbox("");
    let (ssh, asked) = (sandbox.directory().join("ssh"), sandbox.directory().join("asked"));
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\necho \"$last\" >> {}\ncase $last in git-lfs*) exit 1 ;; esac\n\
         exec sh -c \"$last\"\n",
        asked.display()
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let url = format!("ana@shop.example.org:{}", sandbox.repository.bare.display());
    fs::write(sandbox.root.join("release.yml"), format!("repository: {url}\nbranch: main\n")).unwrap();
    let mut deploy = sandbox.command(&["deploy", "main"]);
    deploy.env("GIT_SSH_COMMAND", &ssh);
    drop(sandbox.run(deploy).finish().exits(3).says("model.bin"));
    let asked = fs::read_to_string(asked).unwrap();
    assert!(asked.contains("git-upload-pack ") && asked.contains("git-lfs-authenticate "), "{asked}");
}
