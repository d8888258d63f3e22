mod checkout;
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

#[test]
fn a_mirror_follows_branches_and_tags_and_forgets_deleted_ones() {
    let scene = Scene::new();
    let first = scene.commit("first");
    scene.git(&["branch", "feature"]);
    scene.git(&["tag", "v1"]);
    let told = Mutex::new(Vec::new());
    let url = format!("file://{}", scene.work().display());
    scene.host.fetch(&scene.mirror(), &url, &|progress| told.lock().unwrap().push(progress)).unwrap();
    assert_eq!(scene.find("feature").unwrap(), first);
    let last = *told.lock().unwrap().last().unwrap();
    assert!(last.total > 0 && last.done == last.total && last.unit == "objects", "{last:?}");

    // `feature` must go before `feature/one` can come.
    scene.git(&["branch", "-m", "feature", "feature/one"]);
    scene.git(&["tag", "-d", "v1"]);
    let second = scene.commit("second");
    scene.fetch().unwrap();
    assert_eq!(scene.find("main").unwrap(), second);
    assert_eq!(scene.find("feature/one").unwrap(), first);
    for gone in ["feature", "v1"] {
        assert!(matches!(scene.find(gone), Err(FindError::Unknown(_))), "{gone}");
    }
}

#[test]
fn a_branch_that_was_forced_is_followed() {
    let scene = Scene::new();
    scene.commit("first");
    scene.fetch().unwrap();
    scene.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "rewritten"]);
    scene.fetch().unwrap();
    assert_eq!(scene.find("main").unwrap().as_str(), scene.git(&["rev-parse", "main"]));
}

#[test]
fn an_empty_repository_can_be_fetched() {
    let scene = Scene::new();
    scene.fetch().unwrap();
    assert!(matches!(scene.find("main"), Err(FindError::Unknown(_))));
}

#[test]
fn a_mirror_that_was_made_half_or_whose_fetch_was_killed_is_put_right() {
    let scene = Scene::new();
    let revision = scene.commit("first");
    fs::create_dir_all(scene.mirror().join("objects/pack")).unwrap();
    fs::write(scene.mirror().join("objects/pack/tmp_pack_abc123"), "half").unwrap();
    scene.fetch().unwrap();
    assert_eq!(scene.find("main").unwrap(), revision);
    assert!(!scene.mirror().join("objects/pack/tmp_pack_abc123").exists());

    let second = scene.commit("second");
    for lock in ["refs/heads/main.lock", "packed-refs.lock", "config.lock"] {
        fs::write(scene.mirror().join(lock), "").unwrap();
    }
    scene.fetch().unwrap();
    assert_eq!(scene.find("main").unwrap(), second);
}

#[test]
fn a_repository_that_cannot_be_reached_is_named_with_what_to_try() {
    let scene = Scene::new();
    let absent = scene.root.path().join("absent.git");
    let error = scene.host.fetch(&scene.mirror(), absent.to_str().unwrap(), &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no repository at {}", absent.display()));
    std::fs::create_dir(&absent).unwrap();
    let error = scene.host.fetch(&scene.mirror(), absent.to_str().unwrap(), &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot fetch from {}", absent.display()));
    assert!(error.help().unwrap().contains("`git ls-remote "));
}

#[test]
fn a_fetch_from_a_server_that_says_nothing_can_be_interrupted() {
    let (root, host, signals) = testing::interruptible_host();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/shop.git", server.local_addr().unwrap());
    std::thread::scope(|scope| {
        let fetch = scope.spawn(|| host.fetch(&root.path().join("repo"), &url, &|_| {}));
        let (connection, _) = server.accept().unwrap();
        signals.send_replace(Some("SIGTERM"));
        let error = fetch.join().unwrap().unwrap_err();
        assert!(matches!(error, HostError::Interrupted(name) if name == "SIGTERM"));
        drop(connection);
    });
}

#[test]
fn a_mirror_of_many_packs_is_put_together_and_loses_nothing() {
    let scene = Scene::new();
    let first = scene.commit("first");
    scene.fetch().unwrap();
    let packs = || fs::read_dir(scene.mirror().join("objects/pack")).unwrap().flatten();
    let packs = || packs().filter(|file| file.path().extension() == Some(OsStr::new("pack"))).count();
    scene.host.tidy(&scene.mirror()).unwrap();
    assert_eq!(packs(), 1);
    let config = scene.mirror().join("config");
    // As git counts; its own limit is 50.
    fs::write(&config, fs::read_to_string(&config).unwrap() + "[gc]\n\tautoPackLimit = 2\n").unwrap();
    for name in ["second", "third"] {
        scene.commit(name);
        scene.fetch().unwrap();
    }
    assert_eq!(packs(), 3);
    scene.host.tidy(&scene.mirror()).unwrap();
    assert_eq!(packs(), 1);
    assert_eq!(scene.host.subject(&scene.mirror(), &first).unwrap(), "first");
}

#[test]
fn a_server_is_reached_over_ssh_as_the_user_configured_it() {
    let scene = Scene::new();
    scene.commit("first");
    scene.fetch().unwrap();
    let second = scene.commit("second");
    // What a server would do: run what it is asked to.
    let (ssh, called) = (scene.root.path().join("ssh"), scene.root.path().join("called"));
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {}\nfor last; do :; done\nexec sh -c \"$last\"\n",
        called.display()
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mirror = scene.mirror();
    scene.git(&["--git-dir", mirror.to_str().unwrap(), "config", "core.sshCommand", ssh.to_str().unwrap()]);
    let url = format!("ana@shop.example.org:{}", scene.work().display());
    scene.host.fetch(&mirror, &url, &|_| {}).unwrap();
    assert_eq!(scene.find("main").unwrap(), second);
    assert!(fs::read_to_string(called).unwrap().contains("ana@shop.example.org"));
}

#[test]
fn a_name_is_a_sha_a_branch_a_tag_or_the_beginning_of_a_sha_in_that_order() {
    let scene = Scene::new();
    let first = scene.commit("first");
    scene.git(&["tag", "-a", "v1", "-m", "annotated"]);
    scene.git(&["tag", "both"]);
    let second = scene.commit("second");
    scene.git(&["branch", "both"]);
    scene.git(&["branch", &first.as_str()[..6]]);
    scene.fetch().unwrap();
    let tag_object = scene.git(&["rev-parse", "v1"]);
    assert_ne!(tag_object, first.as_str());

    for (name, expected) in [
        (first.as_str(), &first),
        (&first.as_str().to_uppercase(), &first),
        (&tag_object, &first),
        ("main", &second),
        ("refs/heads/main", &second),
        ("heads/main", &second),
        ("origin/main", &second),
        ("v1", &first),
        ("refs/tags/v1", &first),
        ("both", &second),
        ("tags/both", &first),
        (&first.as_str()[..8], &first),
        (&first.as_str()[..6], &second),
    ] {
        assert_eq!(&scene.find(name).unwrap(), expected, "{name}");
    }
}

#[test]
fn what_names_nothing_is_unknown() {
    let scene = Scene::new();
    let first = scene.commit("first");
    scene.commit("second");
    scene.fetch().unwrap();
    let tree = scene.git(&["rev-parse", "main^{tree}"]);
    let three = &first.as_str()[..3];
    for name in [
        "",
        "no-such-branch",
        "main~1",
        "main^",
        "HEAD~1..main",
        "main:x",
        "main@{1}",
        ":/first",
        "-x",
        "a b",
        "../x",
        "refs/heads/",
        "main\0",
        three,
        &tree,
        &tree[..10],
        "0123456789012345678901234567890123456789",
    ] {
        assert!(matches!(scene.find(name), Err(FindError::Unknown(given)) if given == name), "{name}");
    }
}

#[test]
fn an_ambiguous_beginning_lists_what_it_could_mean() {
    let scene = Scene::new();
    scene.commit("first");
    let tree = scene.git(&["rev-parse", "main^{tree}"]);
    // Some two of a few hundred shas share four digits.
    let mut stream = String::new();
    for number in 0..1500 {
        stream.push_str(&format!("commit refs/heads/many\ncommitter A <a@b> {number} +0000\ndata 1\nx\n"));
    }
    scene.git_with(&["fast-import", "--quiet"], stream.as_bytes());
    scene.fetch().unwrap();
    let mut shas: Vec<String> = scene.git(&["rev-list", "--all"]).lines().map(str::to_owned).collect();
    shas.sort();
    let twins = shas.windows(2).find(|two| two[0][..4] == two[1][..4]).expect("1500 shas collide in 65536");
    let prefix = &twins[0][..4];
    let error = scene.find(prefix).unwrap_err();
    assert!(error.to_string().starts_with(&format!("`{prefix}` is ambiguous: it could be {}", twins[0])));
    let FindError::Ambiguous { candidates, .. } = error else { panic!("{error}") };
    assert!(candidates.contains(&twins[1]) && candidates.len() <= 5);
    assert_ne!(tree, twins[0]);
}

#[test]
fn a_repository_with_a_working_tree_can_be_asked_too() {
    let scene = Scene::new();
    let revision = scene.commit("first");
    assert_eq!(scene.host.find(&scene.work(), "main").unwrap(), revision);
    let error = scene.host.find(scene.root.path(), "main").unwrap_err();
    assert!(error.to_string().starts_with("cannot open the git repository "), "{error}");
}

#[test]
fn a_revision_is_read_without_checking_it_out() {
    let scene = Scene::new();
    fs::create_dir_all(scene.work().join("frontend/src")).unwrap();
    fs::write(scene.work().join("release.yml"), "app: shop\n").unwrap();
    fs::write(scene.work().join("frontend/package.json"), "{}").unwrap();
    fs::write(scene.work().join("frontend/src/a.js"), "1").unwrap();
    symlink("frontend/package.json", scene.work().join("linked.json")).unwrap();
    symlink("../frontend", scene.work().join("frontend/same")).unwrap();
    symlink("/etc/passwd", scene.work().join("outside")).unwrap();
    symlink("circle", scene.work().join("circle")).unwrap();
    let first = scene.commit("A subject \n\nand a body");
    fs::write(scene.work().join("frontend/src/a.js"), "2").unwrap();
    let second = scene.commit("second");
    scene.fetch().unwrap();
    let (host, mirror) = (&scene.host, scene.mirror());
    let file = |path| host.file(&mirror, &first, path).unwrap();
    let id = |revision, path| host.content_id(&mirror, revision, path).unwrap();

    assert_eq!(file("release.yml").unwrap(), b"app: shop\n");
    assert_eq!(file("./frontend/package.json").unwrap(), b"{}");
    assert_eq!(file("linked.json").unwrap(), b"{}", "a link is followed");
    for none in [
        "absent",
        "frontend",
        "frontend/absent",
        "release.yml/x",
        "../x",
        "outside",
        "circle",
        "/release.yml",
    ] {
        assert_eq!(file(none), None, "{none}");
    }
    assert_eq!(host.names(&mirror, &first, "frontend").unwrap(), ["package.json", "same", "src"]);
    assert_eq!(host.names(&mirror, &first, "frontend/same/").unwrap().len(), 3);
    assert!(host.names(&mirror, &first, "").unwrap().contains(&"release.yml".to_owned()));
    assert!(host.names(&mirror, &first, "absent").unwrap().is_empty());
    assert_eq!(id(&first, "release.yml"), id(&second, "release.yml"));
    assert_eq!(id(&first, "linked.json"), id(&first, "frontend/package.json"));
    assert_ne!(id(&first, "frontend"), id(&second, "frontend"));
    assert_ne!(id(&first, "."), id(&second, "."));
    assert_eq!(id(&first, "absent"), None);
    assert_eq!(host.subject(&mirror, &first).unwrap(), "A subject");
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
fn a_repository_of_another_user_is_not_trusted_but_how_to_is_said() {
    // Only root can give a directory away.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scene = Scene::new();
    let revision = scene.commit("first");
    scene.fetch().unwrap();
    for directory in [scene.work(), scene.work().join(".git"), scene.mirror()] {
        std::os::unix::fs::chown(directory, Some(65534), None).unwrap();
    }
    let expected = format!("`git config --global --add safe.directory {}`", scene.work().display());
    assert!(scene.fetch().unwrap_err().help().unwrap().ends_with(&expected));
    let Err(FindError::Host(error)) = scene.host.find(&scene.work(), "main") else { panic!("trusted") };
    assert!(error.help().unwrap().ends_with(&expected));
    assert_eq!(scene.find("main").unwrap(), revision, "our mirror is trusted");
}

#[test]
fn a_look_beside_sees_what_is_new_and_leaves_the_mirror_alone() {
    let scene = Scene::new();
    scene.commit("first");
    scene.fetch().unwrap();
    let (new, before) = (scene.commit("second"), scene.find("main").unwrap());
    let place = scene.root.path().join("beside");
    scene.host.fetch_beside(&place, &scene.mirror(), scene.work().to_str().unwrap()).unwrap();
    assert_eq!(scene.host.find(&place, "main").unwrap(), new);
    assert_eq!(scene.host.subject(&place, &before).unwrap(), "first", "borrowed");
    assert_eq!(scene.find("main").unwrap(), before);
    assert!(fs::read_dir(place.join("objects/pack")).unwrap().next().is_some(), "what is new lies there");
}
