//! The mirror, and what keeps it true.

use super::*;

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
    scene.host.tidy(&scene.mirror(), Timestamp::now()).unwrap();
    assert_eq!(packs(), 1);
    let config = scene.mirror().join("config");
    // As git counts; its own limit is 50.
    fs::write(&config, fs::read_to_string(&config).unwrap() + "[gc]\n\tautoPackLimit = 2\n").unwrap();
    for name in ["second", "third"] {
        scene.commit(name);
        scene.fetch().unwrap();
    }
    assert_eq!(packs(), 3);
    scene.host.tidy(&scene.mirror(), Timestamp::now()).unwrap();
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
