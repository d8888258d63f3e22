//! A repository with very many files, and one that is larger than the memory that a deploy may take.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Running, Sandbox, git, times, wait_until};

/// What `release` itself may take, in KiB.
const MOST: usize = 64 << 10;
const LIMIT: Duration = Duration::from_secs(600);
const PIECE: usize = 1 << 20;

/// `files` small files, and a large one of so many MiB.
fn import(bare: &Path, files: usize, mebibytes: usize) {
    let mut import = git(bare);
    // A large file is stored as it is: to deflate it is not what is tested.
    import.args([
        "-c",
        "core.compression=0",
        "-c",
        "core.bigFileThreshold=8m",
        "fast-import",
        "--quiet",
        "--force",
    ]);
    let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
    let mut to = BufWriter::new(import.stdin.take().unwrap());
    tell(&mut to, files, mebibytes).unwrap();
    drop(to);
    assert!(import.wait().unwrap().success());
}

fn tell(to: &mut impl Write, files: usize, mebibytes: usize) -> io::Result<()> {
    writeln!(
        to,
        "commit refs/heads/main\ncommitter test <test@example.org> 1700000000 +0000\ndata 5\nlarge"
    )?;
    let mut file =
        |path: &str, text: &str| write!(to, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
    file("release.yml", "app: large\n")?;
    for number in 0..files {
        file(
            &format!("part{}/{}/file{number}.py", number / 10_000, number / 100 % 100),
            &format!("# {number}\n"),
        )?;
    }
    writeln!(to, "M 100644 inline model.bin\ndata {}", mebibytes * PIECE)?;
    for number in 0..mebibytes {
        to.write_all(&vec![u8::try_from(number % 251).unwrap(); PIECE])?;
    }
    writeln!(to)
}

/// The most memory that the program has had so far, in KiB.
fn peak(run: &Running) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", run.pid().as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn very_many_files_and_a_very_large_one_arrive_in_little_memory() {
    let (files, mebibytes) = (times("RELEASE_TEST_FILES", 5_000), times("RELEASE_TEST_MEBIBYTES", 96));
    let sandbox = Sandbox::new();
    let bare = &sandbox.repository.bare;
    import(bare, files, mebibytes);
    let mut deploy = sandbox.start(&["deploy", "main"]);
    let mut most = 0;
    wait_until("the deploy is over", LIMIT, || {
        most = most.max(peak(&deploy).unwrap_or_default());
        deploy.is_over()
    });
    deploy.finish().exits(0);
    println!("{files} files and one of {mebibytes} MiB: {} MiB", most >> 10);
    assert!(0 < most && most < MOST, "{most} KiB");
    // git compares the contents of all: this index knows nothing of the files.
    let index = sandbox.directory().join("index");
    let in_tree = |words: &[&str]| {
        let mut command = git(bare);
        command.args(["--git-dir=.", "--work-tree"]).arg(sandbox.root.join("current")).args(words);
        command.env("GIT_INDEX_FILE", &index).output().unwrap()
    };
    assert!(in_tree(&["read-tree", "main"]).status.success());
    let refreshed = in_tree(&["update-index", "--refresh"]);
    let other: Vec<&str> = std::str::from_utf8(&refreshed.stdout).unwrap().lines().take(5).collect();
    assert!(refreshed.status.success(), "{other:?} of {refreshed:?}");
}
