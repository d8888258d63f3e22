use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use super::*;

impl Scene {
    /// Checks `revision` out, lets `use_it` do to the tree what an app may do, makes it the spare
    /// one, and checks `next` out from there.
    fn released_again(
        &self,
        revision: &Revision,
        use_it: impl FnOnce(&Path),
        next: &Revision,
    ) -> (PathBuf, Written) {
        let first = self.root.path().join("first");
        self.checkout_into(revision, &first, &|_| {}).unwrap();
        use_it(&first);
        let spare = self.noted(&self.spare());
        fs::rename(&first, &spare.tree).unwrap();
        fs::rename(self.noted(&first).record, &spare.record).unwrap();
        self.host.strip(&spare).unwrap();
        let into = self.root.path().join("second");
        let written = self.checkout_into(next, &into, &|_| {}).unwrap();
        assert!(!spare.tree.exists() && !spare.record.exists(), "it is used up");
        (into, written)
    }

    /// What git itself makes of a revision.
    fn by_git(&self, revision: &Revision) -> PathBuf {
        let name = format!("by-git-{}", revision.short());
        let place = self.root.path().join(&name);
        self.git(&["worktree", "add", "-q", "--detach", place.to_str().unwrap(), revision.as_str()]);
        fs::remove_file(place.join(".git")).unwrap();
        place
    }

    fn tracked(&self) -> Revision {
        for number in 0..20 {
            let path = self.work().join(format!("dir{}/file{number}.py", number % 3));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{number}\n")).unwrap();
        }
        symlink("dir0", self.work().join("link")).unwrap();
        self.commit("first")
    }
}

/// What an app may do to its own tree.
type Deed<'a> = &'a dyn Fn(&Path);

/// Everything below `directory`: path, mode, what is in it.
fn all(directory: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let name = PathBuf::from(path.file_name().unwrap());
        let held = match metadata.is_symlink() {
            true => fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(),
            false if metadata.is_dir() => Vec::new(),
            false => fs::read(&path).unwrap(),
        };
        found.push((name.clone(), metadata.mode(), held));
        if metadata.is_dir() {
            found.extend(all(&path).into_iter().map(|(inside, mode, held)| (name.join(inside), mode, held)));
        }
    }
    found.sort();
    found
}

#[test]
fn an_untouched_tree_is_taken_over_whole() {
    let scene = Scene::new();
    let first = scene.tracked();
    fs::write(scene.work().join("dir0/file0.py"), "changed\n").unwrap();
    fs::write(scene.work().join("dir0/new.py"), "new\n").unwrap();
    let second = scene.commit("second");
    scene.fetch().unwrap();
    let (into, written) = scene.released_again(&first, |_| {}, &second);
    assert_eq!(written, Written { files: 22, taken: 20, cloned: 0 });
    assert_eq!(all(&into), all(&scene.by_git(&second)));
}

#[test]
fn a_tree_that_was_taken_over_can_be_taken_over_again() {
    let scene = Scene::new();
    let first = scene.tracked();
    scene.fetch().unwrap();
    let (into, _) = scene.released_again(&first, |_| {}, &first);
    let (spare, old) = (scene.noted(&scene.spare()), scene.noted(&into));
    fs::rename(&old.tree, &spare.tree).unwrap();
    fs::rename(&old.record, &spare.record).unwrap();
    let third = scene.root.path().join("third");
    let written = scene.checkout_into(&first, &third, &|_| {}).unwrap();
    assert_eq!(written, Written { files: 21, taken: 21, cloned: 0 });
}

#[test]
fn nothing_that_the_app_did_to_its_tree_gets_into_another_release() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file1.py"), "outside\n").unwrap();
    let kept_time = |path: &Path, contents: &str| {
        let before = fs::metadata(path).unwrap().modified().unwrap();
        fs::write(path, contents).unwrap();
        OpenOptions::new().write(true).open(path).unwrap().set_modified(before).unwrap();
    };
    let deeds: [(&str, Deed<'_>); 11] = [
        ("same length, same time", &|tree| kept_time(&tree.join("dir0/file3.py"), "X\n")),
        ("appended", &|tree| fs::write(tree.join("dir0/file3.py"), "3\nmore\n").unwrap()),
        ("replaced by rename", &|tree| {
            fs::write(tree.join("x"), "3\n").unwrap();
            fs::rename(tree.join("x"), tree.join("dir0/file3.py")).unwrap();
        }),
        ("another mode", &|tree| {
            fs::set_permissions(tree.join("dir0/file3.py"), fs::Permissions::from_mode(0o777)).unwrap();
        }),
        ("another name besides", &|tree| {
            fs::hard_link(tree.join("dir0/file3.py"), outside.path().join("shared.py")).unwrap();
        }),
        ("removed", &|tree| fs::remove_file(tree.join("dir0/file3.py")).unwrap()),
        ("a file became a directory", &|tree| {
            fs::remove_file(tree.join("dir0/file3.py")).unwrap();
            fs::create_dir(tree.join("dir0/file3.py")).unwrap();
        }),
        ("a link leads elsewhere", &|tree| {
            fs::remove_file(tree.join("link")).unwrap();
            symlink("/etc", tree.join("link")).unwrap();
        }),
        ("a directory became a link", &|tree| {
            fs::remove_dir_all(tree.join("dir1")).unwrap();
            symlink(outside.path(), tree.join("dir1")).unwrap();
        }),
        ("a directory that all may write", &|tree| {
            fs::set_permissions(tree.join("dir1"), fs::Permissions::from_mode(0o777)).unwrap();
        }),
        ("what was built", &|tree| {
            fs::create_dir_all(tree.join("static_root/deep")).unwrap();
            fs::write(tree.join("static_root/deep/app.js"), "x").unwrap();
            fs::create_dir(tree.join("dir0/__pycache__")).unwrap();
            fs::write(tree.join("dir0/__pycache__/file0.pyc"), "x").unwrap();
        }),
    ];
    for (what, deed) in deeds {
        let scene = Scene::new();
        let revision = scene.tracked();
        scene.fetch().unwrap();
        let (into, written) = scene.released_again(&revision, deed, &revision);
        assert_eq!(all(&into), all(&scene.by_git(&revision)), "{what}");
        assert!(written.taken >= 10, "{what}: the rest was taken over");
        assert_eq!(fs::read_to_string(outside.path().join("file1.py")).unwrap(), "outside\n", "{what}");
    }
}

#[test]
fn files_and_directories_may_change_places() {
    let scene = Scene::new();
    let first = scene.tracked();
    for directory in ["dir0", "dir1"] {
        fs::remove_dir_all(scene.work().join(directory)).unwrap();
    }
    fs::write(scene.work().join("dir0"), "now a file\n").unwrap();
    fs::remove_file(scene.work().join("link")).unwrap();
    fs::create_dir(scene.work().join("link")).unwrap();
    fs::write(scene.work().join("link/inside"), "x").unwrap();
    symlink("dir2", scene.work().join("dir1")).unwrap();
    let executable = scene.work().join("dir2/file2.py");
    fs::set_permissions(executable, fs::Permissions::from_mode(0o755)).unwrap();
    let second = scene.commit("second");
    scene.fetch().unwrap();
    let (into, written) = scene.released_again(&first, |_| {}, &second);
    assert_eq!(all(&into), all(&scene.by_git(&second)));
    assert_eq!(written.taken, 5);
}

#[test]
fn a_tree_that_is_in_use_or_has_no_whole_record_is_not_taken_over() {
    let scene = Scene::new();
    let revision = scene.tracked();
    scene.fetch().unwrap();
    let (_, written) = scene.released_again(
        &revision,
        |tree| {
            let record = scene.noted(tree).record;
            let whole = fs::read(&record).unwrap();
            fs::write(record, &whole[..whole.len() - 1]).unwrap();
        },
        &revision,
    );
    assert_eq!(written.taken, 0, "half a record");

    let scene = Scene::new();
    let revision = scene.tracked();
    scene.fetch().unwrap();
    // Another process holds it: this one is never asked about itself.
    let mut child = None;
    let hold = |tree: &Path| {
        let file = File::open(tree.join("dir0/file0.py")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo; read _"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut started = command.spawn().unwrap();
        started.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child = Some(started);
    };
    let (_, written) = scene.released_again(&revision, hold, &revision);
    assert_eq!(written.taken, 0, "somebody could still write to it");
    let mut child = child.unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
}
