//! Which inputs make another environment, and which do not.

use super::*;

/// A revision that is checked out, whatever it installs from.
fn project(files: &[(&str, &str)]) -> Scene {
    let scene = super::scene();
    release_core::host::Files::remove(&scene.host, RELEASE.as_ref()).unwrap();
    let mut commit = Commit::new(REVISION);
    for (name, text) in files {
        commit = commit.file(name, text);
        scene.host.put_file(format!("{RELEASE}/{name}"), text);
    }
    scene.host.commit(commit);
    scene
}

fn key(scene: &Scene) -> String {
    let (_, build) = Wanted::find(&scene.context("venv")).unwrap().unwrap();
    build.key.finish()
}

type Files<'a> = &'a [(&'a str, &'a str)];

const REQUIREMENTS: Files<'_> = &[
    ("requirements.txt", "Django==5.2.19\n-r more/base.txt\n"),
    ("more/base.txt", "requests\n-c ../pins.txt\n"),
    ("pins.txt", "requests==2.32\n"),
];
const UV: Files<'_> = &[
    ("pyproject.toml", "[project]\nname = \"shop\"\nversion = \"1\"\ndependencies = [\"six\"]\n"),
    ("uv.lock", "version = 1\n"),
];
const POETRY: Files<'_> = &[("pyproject.toml", "[tool.poetry]\nversion = \"1\"\n"), ("poetry.lock", "# 1\n")];
const PIPENV: Files<'_> = &[("Pipfile", "[packages]\n"), ("Pipfile.lock", "{\"default\": {}}")];
const PYLOCK: Files<'_> = &[("pylock.toml", "lock-version = \"1.0\"\n")];
const PACKAGE: Files<'_> = &[("pyproject.toml", "[build-system]\nrequires = []\n"), ("shop/a.py", "1")];

/// The files of a project with one of them changed or added.
fn with<'a>(files: Files<'a>, name: &'a str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    let others = files.iter().copied().filter(|(other, _)| *other != name);
    others.chain([(name, text)]).collect()
}

#[test]
fn files_that_say_what_is_installed_make_another_key() {
    for (files, name, text) in [
        (REQUIREMENTS, "requirements.txt", "Django==6.0\n-r more/base.txt\n"),
        (REQUIREMENTS, "more/base.txt", "requests\n# new\n-c ../pins.txt\n"),
        (REQUIREMENTS, "pins.txt", "requests==2.33\n"),
        (UV, "uv.lock", "version = 1\nrevision = 2\n"),
        (UV, "pyproject.toml", "[project]\nname = \"shop\"\ndependencies = [\"six\", \"toml\"]\n"),
        (POETRY, "poetry.lock", "# 2\n"),
        (POETRY, "pyproject.toml", "[tool.poetry.dependencies]\nsix = \"*\"\n"),
        (PIPENV, "Pipfile.lock", "{\"default\": {\"six\": {}}}"),
        (PYLOCK, "pylock.toml", "lock-version = \"1.0\"\ncreated-by = \"pip\"\n"),
        (PACKAGE, "shop/a.py", "2"),
        (PACKAGE, "shop/b.py", ""),
    ] {
        assert_ne!(key(&project(&with(files, name, text))), key(&project(files)), "{name}: {text}");
    }
}

#[test]
fn files_that_say_nothing_of_it_do_not() {
    for (files, name, text) in [
        (REQUIREMENTS, "shop/models.py", "changed"),
        (REQUIREMENTS, "package.json", "{}"),
        (UV, "shop/models.py", "changed"),
        (UV, "pyproject.toml", "[project]\nname = \"shop\"\nversion = \"2\"\ndependencies = [\"six\"]\n"),
        (UV, "README.md", "hello"),
        (POETRY, "pyproject.toml", "[tool.poetry]\nversion = \"2\"\n[tool.black]\nline-length = 100\n"),
        (PIPENV, "Pipfile", "[packages]\n# a comment\n"),
        (PYLOCK, "setup.cfg", "[flake8]\n"),
    ] {
        assert_eq!(key(&project(&with(files, name, text))), key(&project(files)), "{name}: {text}");
    }
}

#[test]
fn what_release_yml_asks_for_makes_another_key() {
    let usual = key(&project(UV));
    let names = |name: &str| vec![name.to_owned()];
    let changes: [(&str, Python); 6] = [
        ("groups", Python { groups: names("postgres"), ..Python::default() }),
        ("extras", Python { extras: names("postgres"), ..Python::default() }),
        ("a package", Python { packages: names("uwsgi"), ..Python::default() }),
        ("another package", Python { packages: names("git+https://example.org/x.git"), ..Python::default() }),
        ("an installer", Python { installer: Installer::Uv, ..Python::default() }),
        ("a version", Python { version: Some("3.11".to_owned()), ..Python::default() }),
    ];
    let keys = changes.map(|(what, python)| {
        let mut scene = project(UV);
        scene.facts.config.python = python;
        (what, key(&scene))
    });
    for (what, changed) in &keys[..4] {
        assert_ne!(*changed, usual, "{what}");
    }
    // They are named, and lead to what was found anyway.
    assert_eq!([&keys[4].1, &keys[5].1], [&usual, &usual]);
    let different: std::collections::BTreeSet<_> = keys[..4].iter().map(|(_, key)| key).collect();
    assert_eq!(different.len(), 4);
}

#[test]
fn the_server_makes_another_key() {
    let usual = key(&project(REQUIREMENTS));
    let on = |change: &dyn Fn(&Scene)| {
        let scene = project(REQUIREMENTS);
        change(&scene);
        key(&scene)
    };
    let says =
        |from: &'static str, to: &'static str| Answer::ok().says(&ABOUT.replace('\n', "").replace(from, to));
    for (from, to) in [
        ("3.11.7\", \"build", "3.11.8\", \"build"),
        ("(main)", "(main, another build)"),
        ("/usr/bin/python3.11", "/opt/python3.11"),
        ("linux-x86_64", "linux-aarch64"),
        ("24.0", "25.0"),
    ] {
        assert_ne!(on(&|scene| scene.host.on("python3 -I -S -c", says(from, to))), usual, "{to}");
    }
    let uv = |version: &'static str| {
        on(&|scene| {
            scene.host.install("uv", "/usr/bin/uv");
            scene.host.on("/usr/bin/uv", Answer::ok().says(version));
        })
    };
    assert_ne!(uv("uv 0.9.1"), usual);
    assert_ne!(uv("uv 0.9.1"), uv("uv 0.9.2"));
}

#[test]
fn a_package_of_the_repository_counts_by_what_it_holds() {
    let at = |text: &str, release: &str| {
        let mut scene = project(&with(UV, "libs/a/setup.py", text));
        scene.facts.config.python.packages = vec!["./libs/a[fast]".to_owned()];
        scene.facts.generation.release = release.parse().unwrap();
        for (name, text) in UV {
            scene.host.put_file(format!("/srv/shop/releases/{release}/{name}"), text);
        }
        key(&scene)
    };
    let one = at("1", "20261120T101500Z-3f2c1a9");
    assert_ne!(at("2", "20261120T101500Z-3f2c1a9"), one);
    assert_eq!(at("1", "20261121T101500Z-3f2c1a9"), one, "it is copied, and of use to other releases");
    let mut scene = project(UV);
    scene.facts.config.python.packages = vec!["./libs/b".to_owned()];
    let error = scene.run(&Venv).unwrap_err().to_string();
    assert_eq!(error, "python.packages names ./libs/b, which is not in the revision");
}

#[test]
fn an_environment_that_leads_into_its_release_is_not_shared() {
    let lock = "[[package]]\nname = \"a\"\n[package.source]\ntype = \"directory\"\nurl = \"libs/a\"\n";
    for files in [
        with(POETRY, "poetry.lock", lock),
        with(UV, "uv.lock", "[[package]]\nsource = { editable = \"libs/a\" }\n"),
        with(PIPENV, "Pipfile.lock", "{\"default\": {\"a\": {\"path\": \"./libs/a\"}}}"),
    ] {
        let mut scene = project(&files);
        let one = key(&scene);
        let other = "20261121T101500Z-3f2c1a9";
        scene.facts.generation.release = other.parse().unwrap();
        for (name, text) in &files {
            scene.host.put_file(format!("/srv/shop/releases/{other}/{name}"), text);
        }
        assert_ne!(key(&scene), one, "{files:?}");
    }
}

#[test]
fn a_password_in_a_packages_url_is_not_stored() {
    let mut scene = project(UV);
    scene.facts.config.python.packages = vec!["git+https://bot:hunter2@example.org/x.git@main".to_owned()];
    let (_, build) = Wanted::find(&scene.context("venv")).unwrap().unwrap();
    let stored = serde_json::to_string(build.key.inputs()).unwrap();
    assert!(stored.contains("git+https://example.org/x.git@main") && !stored.contains("hunter2"), "{stored}");
}
