use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::sync::watch;

use super::*;
use crate::Interruption;
use crate::git::checkout::mapped::mapped;

impl Scene {
    fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    /// Commits all, fetches, and checks out.
    fn released(&self) -> PathBuf {
        let revision = self.commit("all");
        self.fetch().unwrap();
        self.checkout(&revision).unwrap()
    }
}

/// Every file and link below `directory` with its mode and contents, but `.git`.
fn contents(directory: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let inside = path.strip_prefix(directory).unwrap().to_owned();
            if inside.starts_with(".git") && metadata.is_dir() {
                continue;
            }
            if metadata.is_dir() {
                left.push(path);
            } else if metadata.is_symlink() {
                let target = fs::read_link(path).unwrap();
                found.push((inside, 0, target.as_os_str().as_bytes().to_vec()));
            } else {
                found.push((inside, metadata.mode() & 0o777, fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_checkout_writes_the_whole_tree_and_nothing_of_git() {
    let scene = Scene::new();
    let odd = OsStr::from_bytes(b"caf\xe9.txt");
    fs::create_dir_all(scene.work().join("deep/er")).unwrap();
    fs::write(scene.work().join("manage.py"), "#!/usr/bin/env python\n").unwrap();
    fs::set_permissions(scene.work().join("manage.py"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    fs::write(scene.work().join("deep/er/file.txt"), "text\r\n").unwrap();
    fs::write(scene.work().join(odd), "odd").unwrap();
    fs::write(scene.work().join(".gitignore"), "ignored\n").unwrap();
    symlink("/tmp/x", scene.work().join("link")).unwrap();
    let revision = scene.commit("first");
    fs::remove_dir_all(scene.work().join("deep")).unwrap();
    scene.commit("second");
    scene.fetch().unwrap();
    let told = Mutex::new(Vec::new());
    let into = scene.root.path().join("releases/one");
    scene.checkout_into(&revision, &into, &|progress| told.lock().unwrap().push(progress)).unwrap();

    let mode = |name: &str| fs::symlink_metadata(into.join(name)).unwrap().mode();
    assert_eq!(mode("manage.py") & 0o111, 0o111);
    assert_eq!(mode(".gitignore") & 0o111, 0);
    assert_eq!(fs::read_link(into.join("link")).unwrap(), Path::new("/tmp/x"));
    assert_eq!(fs::read(into.join("deep/er/file.txt")).unwrap(), b"text\r\n");
    assert_eq!(fs::read(into.join(odd)).unwrap(), b"odd");
    assert!(!into.join(".git").exists());
    assert!(!scene.mirror().join("index").exists());
    assert_eq!(*told.lock().unwrap().last().unwrap(), Progress { done: 5, total: 5, unit: "files" });
    let again = scene.checkout_into(&revision, &into, &|_| {});
    assert!(matches!(again, Err(HostError::Io { .. })), "only into a new directory");
}

#[test]
fn the_empty_tree_is_an_empty_directory() {
    let scene = Scene::new();
    let revision = scene.commit("nothing");
    scene.fetch().unwrap();
    let into = scene.checkout(&revision).unwrap();
    assert_eq!(fs::read_dir(into).unwrap().count(), 0);
}

#[test]
fn two_checkouts_share_nothing() {
    let scene = Scene::new();
    fs::write(scene.work().join("a"), "1").unwrap();
    let first = scene.commit("first");
    fs::write(scene.work().join("a"), "2").unwrap();
    let second = scene.commit("second");
    scene.fetch().unwrap();
    let (one, two) = (scene.checkout(&first).unwrap(), scene.checkout(&second).unwrap());
    assert_eq!(fs::read(one.join("a")).unwrap(), b"1");
    assert_eq!(fs::read(two.join("a")).unwrap(), b"2");
}

#[test]
fn a_hostile_tree_writes_nothing_outside() {
    let scene = Scene::new();
    scene.commit("first");
    let blob = scene.blob(b"evil");
    let outside = scene.root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let link = scene.blob(outside.as_os_str().as_bytes());
    let inner = scene.git_with(&["mktree"], format!("100644 blob {blob}\tevil\n").as_bytes());
    let trees: [&[(&str, &[u8], &str)]; 6] = [
        &[("100644", b"../evil", &blob)],
        &[("40000", b"..", &inner)],
        &[("100644", b".git", &blob)],
        &[("40000", b".GIT", &inner)],
        &[("100644", b"a/../../evil", &blob)],
        // A link and a directory of the same name: what is written through the link lands outside.
        &[("120000", b"a", &link), ("40000", b"a", &inner)],
    ];
    for (number, entries) in trees.iter().enumerate() {
        let revision = scene.commit_of_tree(entries);
        let into = scene.root.path().join(format!("releases/{number}/x"));
        scene.fetch().unwrap();
        let result = scene.checkout_into(&revision, &into, &|_| {});
        assert!(result.is_err(), "tree {number}");
        assert!(!into.join(".git").exists() && !into.join(".GIT").exists(), "tree {number}");
        let beside = fs::read_dir(into.parent().unwrap()).unwrap().count();
        assert_eq!(beside, 0, "tree {number} wrote beside its directory");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "tree {number} wrote through a link");
    }
}

#[test]
fn a_tree_that_holds_itself_many_times_over_is_refused() {
    let scene = Scene::new();
    scene.commit("first");
    let mut id = scene.blob(b"x");
    let mut kind = "100644 blob";
    // A million files in six trees.
    for _ in 0..6 {
        let tree: String = (0..10).map(|name| format!("{kind} {id}\t{name}\n")).collect();
        id = scene.git_with(&["mktree"], tree.as_bytes());
        kind = "40000 tree";
    }
    let revision = scene.commit_of_tree(&[("40000", b"a", &id), ("40000", b"b", &id)]);
    scene.fetch().unwrap();
    let error = scene.checkout(&revision).unwrap_err();
    assert!(format!("{error:?}").contains("a million files"), "{error:?}");
}

#[test]
fn a_path_that_no_system_knows_is_refused() {
    let scene = Scene::new();
    scene.commit("first");
    let mut id = scene.git_with(&["mktree"], b"");
    let name = "n".repeat(200);
    for _ in 0..30 {
        id = scene.git_with(&["mktree"], format!("40000 tree {id}\t{name}\n").as_bytes());
    }
    let revision = scene.commit_of_tree(&[("40000", b"deep", &id)]);
    scene.fetch().unwrap();
    let error = scene.checkout(&revision).unwrap_err();
    assert!(format!("{error:?}").contains("its path is too long"), "{error:?}");
}

#[test]
fn many_files_are_as_git_itself_would_have_written_them() {
    let scene = Scene::new();
    for number in 0..1500 {
        let file = format!("dir{}/sub{}/file{number}.py", number % 7, number % 31);
        scene.write(&file, format!("value = {number}\n").repeat(number % 97));
        if number % 50 == 0 {
            fs::set_permissions(scene.work().join(file), fs::Permissions::from_mode(0o755)).unwrap();
            symlink(format!("file{number}.py"), scene.work().join(format!("dir0/link{number}"))).unwrap();
        }
    }
    let into = scene.released();
    assert_eq!(contents(&into), contents(&scene.work()));
}

/// Nothing that can be compressed: it is stored whole.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..bytes).map(next).collect()
}

#[test]
fn a_large_file_goes_through_in_pieces() {
    let scene = Scene::new();
    let (model, second) = (noise(9_000_001, 1), noise(600_000, 2));
    scene.write("model.bin", &model);
    scene.write("second.bin", &second);
    scene.write("after", "x");
    let into = scene.released();
    assert!(fs::read(into.join("model.bin")).unwrap() == model);
    assert!(fs::read(into.join("second.bin")).unwrap() == second);
    assert_eq!(fs::read(into.join("after")).unwrap(), b"x");
}

#[test]
fn a_pack_is_never_mapped_as_a_whole() {
    let scene = Scene::new();
    (0..600).for_each(|number| scene.write(&format!("{number}.bin"), noise(100_000, number)));
    let revision = scene.commit("all");
    scene.fetch().unwrap();
    let (before, done) = (mapped(), AtomicBool::new(false));
    let most = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = mapped().max(most);
                thread::yield_now();
            }
            most
        });
        let into = scene.checkout(&revision).unwrap();
        done.store(true, Ordering::Relaxed);
        assert_eq!(contents(&into), contents(&scene.work()));
        watch.join().unwrap()
    });
    // Of its 60 MB.
    assert!(most - before < 40 << 20, "{} MiB", (most - before) >> 20);
}

#[test]
fn an_interrupted_checkout_stops() {
    let mut scene = Scene::new();
    for number in 0..400 {
        scene.write(&format!("file{number}"), format!("{number}"));
    }
    let revision = scene.commit("all");
    scene.fetch().unwrap();
    let (sender, received) = watch::channel(None);
    scene.host.interruption = Interruption::reading(received);
    let into = scene.root.path().join("releases/one");
    // The first sign of progress comes before the end is told.
    let stop = |_| _ = sender.send_replace(Some("SIGTERM"));
    let result = scene.checkout_into(&revision, &into, &stop);
    assert!(matches!(result, Err(HostError::Interrupted(_))), "{result:?}");
}

#[test]
fn attributes_decide_what_is_written_and_how() {
    let scene = Scene::new();
    scene.write(
        ".gitattributes",
        "*.bat text eol=crlf\n*.id ident\nVERSION export-subst\n/docs/ export-ignore\n*.plain text=auto\n\
         .gitattributes export-ignore\n*.utf16 text working-tree-encoding=UTF-16LE\n",
    );
    scene.write("sub/.gitattributes", "secret export-ignore\n*.bat -text -eol\n");
    scene.write("run.bat", "one\ntwo\n");
    scene.write("sub/run.bat", "one\n");
    scene.write("sub/secret", "x");
    scene.write("note.id", "$Id$\n");
    scene.write("VERSION", "$Format:%H$\n");
    scene.write("docs/deep/index.html", "x");
    scene.write("a.plain", "one\ntwo\n");
    scene.write("wide.utf16", [b'h', 0, b'i', 0, b'\n', 0]);
    let into = scene.released();
    let read = |name: &str| fs::read_to_string(into.join(name)).unwrap();
    assert_eq!(read("run.bat"), "one\r\ntwo\r\n");
    assert_eq!(read("sub/run.bat"), "one\n");
    assert_eq!(read("VERSION"), format!("{}\n", scene.git(&["rev-parse", "HEAD"])));
    assert_eq!(read("note.id"), format!("$Id: {} $\n", scene.git(&["rev-parse", "HEAD:note.id"])));
    assert_eq!(read("a.plain"), "one\ntwo\n");
    assert_eq!(fs::read(into.join("wide.utf16")).unwrap(), [b'h', 0, b'i', 0, b'\n', 0]);
    for gone in ["docs", "sub/secret", ".gitattributes"] {
        assert!(!into.join(gone).exists(), "{gone}");
    }
}
