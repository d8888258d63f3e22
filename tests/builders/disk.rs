//! What a further release takes on the disk, on a file system that copies on write.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::project::Project;
use crate::support::Finished;

/// Of the project, in bytes: in files as large as those of an app.
const FILES: usize = 300;
const SIZE: usize = 64 * 1024;

/// A root on an XFS of its own, which is mounted for each command, and seen by nobody else.
struct OnXfs {
    project: Project,
    image: PathBuf,
}

impl OnXfs {
    fn new() -> Self {
        let project = Project::new("pip", "keep: 9\npython: {installer: pip}\n");
        let image = project.sandbox.directory().join("xfs.img");
        fs::File::create(&image).unwrap().set_len(600 << 20).unwrap();
        let made = Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&image).status();
        assert!(made.expect("xfsprogs is installed").success());
        let on_xfs = Self { project, image };
        let root = on_xfs.project.sandbox.root.display().to_string();
        let config = format!("{root}.yml");
        fs::copy(format!("{root}/release.yml"), &config).unwrap();
        on_xfs.inside(&format!("cp {config} {root}/release.yml && mkdir {root}/shared"), &[]).exits(0);
        on_xfs
    }

    /// Runs shell words, then `release` with these, with the file system at the root.
    fn inside(&self, shell: &str, words: &[&str]) -> Finished {
        let (image, root) = (self.image.display(), self.project.sandbox.root.display());
        let and = if words.is_empty() { "" } else { "&& \"$@\"" };
        // Taken away before the next one comes: two would not know of each other.
        let script = format!(
            "mount -o loop {image} {root} && {{ {shell} {and}; code=$?; umount {root}; exit $code; }}"
        );
        let wrapper = ["unshare", "--mount", "sh", "-c", &script, "sh"];
        let sandbox = &self.project.sandbox;
        sandbox.run(sandbox.under(&wrapper, words)).finish()
    }

    fn used(&self) -> u64 {
        let root = self.project.sandbox.root.display();
        let done = self.inside(&format!("sync && df -B1 --output=used {root}"), &[]).exits(0);
        done.out.lines().find_map(|line| line.trim().parse().ok()).unwrap()
    }

    /// What is written to a file of an old release changes no other one.
    fn assert_own_files(&self) {
        let work = self.project.sandbox.directory().join("app");
        let script = format!(
            "cd {}; for old in releases/*; do echo x >>$old/photo0.jpg; break; done; \
             for file in current/*.*; do cmp $file {work}/${{file#current/}} || exit 1; done && \
             ! cmp -s $old/photo0.jpg {work}/photo0.jpg",
            self.project.sandbox.root.display(),
            work = work.display()
        );
        self.inside(&format!("( {script} )"), &[]).exits(0);
    }

    fn commit_files(&self) {
        let mut seed = 7_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        for number in 0..FILES {
            let text: Vec<u8> = (0..SIZE).map(|_| random()).collect();
            self.project.put(&format!("photo{number}.jpg"), &text);
        }
        self.project.commit("first", "");
    }
}

#[test]
fn a_code_only_release_takes_a_tenth_of_its_tree_at_most() {
    let on_xfs = OnXfs::new();
    on_xfs.commit_files();
    let mut used = Vec::new();
    for number in 0..3 {
        on_xfs.project.commit("code.py", &format!("number = {number}\n"));
        let deploy = on_xfs.inside("true", &["deploy"]).exits(0);
        assert_eq!(deploy.out.contains("share their blocks"), number > 0, "{deploy}");
        used.push(on_xfs.used());
    }
    let tree = (FILES * SIZE) as u64;
    let further: Vec<u64> = used.windows(2).map(|pair| pair[1] - pair[0]).collect();
    println!("a tree of {tree} bytes; each further release takes {further:?}");
    on_xfs.assert_own_files();
    assert!(further.iter().all(|bytes| *bytes <= tree / 10), "{further:?} of {tree}");
}
