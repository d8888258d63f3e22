//! What a name means, and what is read of a revision.

use super::*;

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
