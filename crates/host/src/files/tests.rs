use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::Mutex;

use super::*;
use crate::testing;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_write_replaces_the_file_and_leaves_nothing_beside_it() {
    let (root, host) = testing::host();
    let path = root.path().join("new/dir/secrets.json");
    host.write(&path, b"one", 0o640).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    host.write(&path, b"two", 0o600).unwrap();
    assert_eq!(host.read(&path).unwrap().unwrap(), b"two");
    assert_eq!(mode(&path), 0o600);
    assert_ne!(fs::metadata(&path).unwrap().ino(), inode, "replaced, not rewritten");
    assert_eq!(host.list(path.parent().unwrap()).unwrap(), [path]);
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
    let (root, host) = testing::host();
    let path = root.path().join("taken");
    fs::create_dir(&path).unwrap();
    let error = host.write(&path, b"x", 0o644).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write {}", path.display()));
    assert_eq!(host.list(root.path()).unwrap(), [path]);
}

#[test]
fn what_is_absent_is_no_error() {
    let (root, host) = testing::host();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    for absent in [root.path().join("absent"), file.join("below-a-file")] {
        assert_eq!(host.read(&absent).unwrap(), None);
        assert_eq!(host.kind(&absent).unwrap(), None);
        assert_eq!(host.read_link(&absent).unwrap(), None);
        assert_eq!(host.resolve(&absent).unwrap(), None);
        assert!(host.list(&absent).unwrap().is_empty());
        host.remove(&absent).unwrap();
    }
    assert_eq!(host.size(&root.path().join("absent")).unwrap(), 0);
    assert_eq!(host.read_link(&file).unwrap(), None, "no link");
}

#[test]
fn every_kind_is_told_apart() {
    let (root, host) = testing::host();
    let at = |name: &str| root.path().join(name);
    fs::write(at("file"), "").unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink("directory", at("link")).unwrap();
    let _listener = UnixListener::bind(at("socket")).unwrap();
    let kinds = ["file", "directory", "link", "socket"].map(|name| host.kind(&at(name)).unwrap().unwrap());
    assert_eq!(kinds, [Kind::File, Kind::Directory, Kind::Link, Kind::Other]);
    assert_eq!(host.resolve(&at("link")).unwrap(), Some(fs::canonicalize(at("directory")).unwrap()));
}

#[test]
fn a_link_is_made_and_replaced_and_may_dangle() {
    let (root, host) = testing::host();
    let link = root.path().join("below/current");
    host.replace_link(&link, Path::new("releases/a")).unwrap();
    host.replace_link(&link, Path::new("releases/b")).unwrap();
    assert_eq!(host.read_link(&link).unwrap(), Some("releases/b".into()));
    assert_eq!(host.list(parent(&link)).unwrap(), [link]);
}

#[test]
fn a_link_never_replaces_what_is_no_link() {
    let (root, host) = testing::host();
    let path = root.path().join("current");
    fs::create_dir(&path).unwrap();
    let error = host.replace_link(&path, Path::new("releases/a")).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot replace {}", path.display()));
    assert_eq!(host.kind(&path).unwrap(), Some(Kind::Directory));
    assert_eq!(host.list(root.path()).unwrap(), [path]);
}

#[test]
fn a_link_is_there_at_every_moment_while_it_is_replaced() {
    let (root, host) = testing::host();
    let link = root.path().join("current");
    host.replace_link(&link, Path::new("0")).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..200 {
                host.replace_link(&link, Path::new(&number.to_string())).unwrap();
            }
        });
        while !writer.is_finished() {
            fs::read_link(&link).expect("the link is there");
        }
    });
}

#[test]
fn removing_a_tree_does_not_follow_its_links() {
    let (root, host) = testing::host();
    let (kept, tree) = (root.path().join("kept"), root.path().join("tree"));
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("photo.jpg"), "x").unwrap();
    fs::create_dir_all(tree.join("deep/er")).unwrap();
    symlink(&kept, tree.join("deep/media")).unwrap();
    symlink(&tree, root.path().join("to-the-tree")).unwrap();
    host.remove(&root.path().join("to-the-tree")).unwrap();
    assert!(tree.exists(), "a link goes alone");
    host.remove(&tree).unwrap();
    assert!(!tree.exists());
    assert!(kept.join("photo.jpg").exists());
}

#[test]
fn renaming_makes_the_directory_it_needs() {
    let (root, host) = testing::host();
    let (from, to) = (root.path().join("from"), root.path().join("trash/1/from"));
    fs::write(&from, "x").unwrap();
    host.rename(&from, &to).unwrap();
    assert!(to.exists() && !from.exists());
}

#[test]
fn a_copy_keeps_modes_links_and_names() {
    let (root, host) = testing::host();
    let (from, to) = (root.path().join("from"), root.path().join("new/to"));
    let odd = OsStr::from_bytes(b"caf\xe9.txt");
    fs::create_dir_all(from.join("private/empty")).unwrap();
    fs::write(from.join("run.sh"), "#!/bin/sh").unwrap();
    fs::write(from.join("private").join(odd), "12345").unwrap();
    fs::set_permissions(from.join("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::set_permissions(from.join("private"), fs::Permissions::from_mode(0o2500)).unwrap();
    symlink("run.sh", from.join("file-link")).unwrap();
    symlink("private", from.join("directory-link")).unwrap();
    symlink("/nowhere", from.join("dangling")).unwrap();
    let _listener = UnixListener::bind(from.join("web.sock")).unwrap();
    let told = Mutex::new(Vec::new());
    host.copy_tree(&from, &to, &|progress| told.lock().unwrap().push(progress)).unwrap();

    assert_eq!(mode(&to.join("run.sh")), 0o750);
    assert_eq!(mode(&to.join("private")), 0o2500);
    assert_eq!(fs::read(to.join("private").join(odd)).unwrap(), b"12345");
    assert!(to.join("private/empty").is_dir());
    for (link, target) in [("file-link", "run.sh"), ("directory-link", "private"), ("dangling", "/nowhere")] {
        assert_eq!(host.read_link(&to.join(link)).unwrap(), Some(target.into()));
    }
    assert_eq!(host.kind(&to.join("web.sock")).unwrap(), None);
    let last = *told.lock().unwrap().last().unwrap();
    assert_eq!(last, Progress { done: 14, total: 14, unit: "bytes" });
    for tree in [&from, &to] {
        fs::set_permissions(tree.join("private"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_copy_does_not_go_into_a_place_that_exists() {
    let (root, host) = testing::host();
    let (from, to) = (root.path().join("from"), root.path().join("to"));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    let error = host.copy_tree(&from, &to, &|_| {}).unwrap_err();
    assert!(matches!(error, HostError::Io { source, .. } if source.kind() == ErrorKind::AlreadyExists));
}

#[test]
fn a_copy_can_be_interrupted() {
    let (root, host, signals) = testing::interruptible_host();
    let from = root.path().join("from");
    fs::create_dir(&from).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(from.join(name), "x").unwrap();
    }
    let to = root.path().join("to");
    let error = host
        .copy_tree(&from, &to, &|_| {
            signals.send_replace(Some("SIGINT"));
        })
        .unwrap_err();
    assert!(matches!(error, HostError::Interrupted(_)));
    assert_eq!(host.list(&to).unwrap().len(), 1, "it stops after the file that it was at");
}

#[test]
fn a_size_counts_each_file_once_and_follows_no_link() {
    let (root, host) = testing::host();
    let tree = root.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let empty = host.size(&tree).unwrap();
    fs::write(tree.join("one"), vec![7; 100_000]).unwrap();
    host.sync(&tree).unwrap();
    let one = host.size(&tree).unwrap();
    assert!(one >= empty + 100_000, "{one} {empty}");
    fs::hard_link(tree.join("one"), tree.join("two")).unwrap();
    assert_eq!(host.size(&tree).unwrap(), one);
    fs::write(root.path().join("big"), vec![7; 300_000]).unwrap();
    symlink("../big", tree.join("link")).unwrap();
    assert!(host.size(&tree).unwrap() < one + 100_000);
}

#[test]
fn space_and_permission_are_asked_of_the_nearest_directory_that_exists() {
    let (root, host) = testing::host();
    let absent = root.path().join("not/yet");
    let space = host.space(&absent).unwrap();
    assert!(space.bytes > 0 && space.inodes > 0);
    assert!(host.is_writable(&absent).unwrap());
    let closed = root.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    let root_may_all = rustix::process::geteuid().is_root();
    assert_eq!(host.is_writable(&closed.join("not/yet")).unwrap(), root_may_all);
}

#[test]
fn a_file_is_made_once_and_whole_with_its_mode() {
    let (root, host) = testing::host();
    let path = root.path().join("REVISION");
    host.make_file(&path, b"one", 0o666).unwrap();
    assert_eq!(
        (host.read(&path).unwrap().unwrap(), mode(&path)),
        (b"one".to_vec(), 0o666),
        "whatever the umask"
    );
    let error = host.make_file(&path, b"two", 0o644).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot make {}", path.display()));
    assert_eq!(host.read(&path).unwrap().unwrap(), b"one");
}
