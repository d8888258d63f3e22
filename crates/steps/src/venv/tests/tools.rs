//! Which tool installs, and how it is called.

use super::*;

const ENTRY: &str = "/srv/shop/cache/venv/k";

fn project(files: &[&str]) -> Scene {
    let scene = super::scene();
    release_core::host::Files::remove(&scene.host, RELEASE.as_ref()).unwrap();
    scene.host.put_dir(RELEASE);
    for name in files {
        scene.host.put_file(format!("{RELEASE}/{name}"), "");
    }
    scene.host.commit(Commit::new(REVISION).file("manage.py", ""));
    scene
}

/// What is run after the tool is there.
fn called(scene: &Scene) -> Vec<String> {
    let (wanted, _) = Wanted::find(&scene.context("venv")).unwrap().unwrap();
    let program = match &wanted.tool {
        Tool::Brought(package) => format!("/tools/{}", package.program),
        _ => "/usr/bin/uv".to_owned(),
    };
    let commands = commands(&scene.facts, &wanted, ENTRY.as_ref(), program.as_ref());
    commands.iter().map(ToString::to_string).collect()
}

#[test]
fn each_lock_file_has_its_tool() {
    let mut scene = project(&["uv.lock", "pyproject.toml", "requirements.txt"]);
    scene.facts.config.python.groups = vec!["postgres".to_owned()];
    scene.facts.config.python.extras = vec!["fast".to_owned()];
    assert_eq!(
        called(&scene),
        [
            "uv venv --python /usr/bin/python3.11 /srv/shop/cache/venv/k",
            "uv sync --frozen --no-dev --no-install-project --no-editable --compile-bytecode --group postgres \
             --extra fast --python /usr/bin/python3.11",
        ]
    );
    let mut scene = project(&["poetry.lock", "pyproject.toml"]);
    scene.facts.config.python.groups = vec!["postgres".to_owned()];
    assert_eq!(
        called(&scene),
        [
            "python3.11 -m venv /srv/shop/cache/venv/k",
            "poetry install --only main,postgres --no-root --no-interaction --no-ansi --compile",
        ]
    );
    let mut scene = project(&["Pipfile.lock", "Pipfile"]);
    scene.facts.config.python.groups = vec!["docs".to_owned()];
    assert_eq!(called(&scene)[1], "pipenv sync --categories 'packages docs'");
    let uv = "uv pip install --compile-bytecode --python /srv/shop/cache/venv/k/bin/python";
    assert_eq!(called(&project(&["pylock.toml"]))[1], format!("{uv} -r pylock.toml"));
}

#[test]
fn pip_gets_a_newer_pip_for_pylock_and_installs_a_package_with_its_extras() {
    let pip = "python -m pip install --no-input --disable-pip-version-check --progress-bar off";
    let mut scene = project(&["pylock.toml"]);
    scene.facts.config.python.installer = Installer::Pip;
    assert_eq!(called(&scene)[1..], [format!("{pip} 'pip>=26.1'"), format!("{pip} -r pylock.toml")]);
    let mut scene = project(&[]);
    scene.host.put_file(format!("{RELEASE}/pyproject.toml"), "[build-system]\nrequires = []\n");
    scene.facts.config.python.extras = vec!["fast".to_owned(), "pg".to_owned()];
    scene.facts.config.python.packages = vec!["uwsgi".to_owned(), "git+https://example.org/x.git".to_owned()];
    let more = format!("{pip} uwsgi git+https://example.org/x.git");
    assert_eq!(called(&scene)[1..], [format!("{pip} '.[fast,pg]'"), more]);
}

#[test]
fn a_tool_runs_inside_the_environment() {
    for (lock, name) in [
        ("poetry.lock", "VIRTUAL_ENV"),
        ("Pipfile.lock", "VIRTUAL_ENV"),
        ("uv.lock", "UV_PROJECT_ENVIRONMENT"),
    ] {
        let scene = project(&[lock]);
        let (wanted, _) = Wanted::find(&scene.context("venv")).unwrap().unwrap();
        let commands = commands(&scene.facts, &wanted, ENTRY.as_ref(), "/tools/x".as_ref());
        assert_eq!(commands[1].env[name].reveal(), ENTRY, "{lock}");
    }
}

#[test]
fn a_tool_that_is_missing_is_brought_along_once() {
    let scene = project(&["poetry.lock"]);
    scene.host.on_call("-m venv", |host, command| {
        host.put_file(format!("{}/bin/python", command.args[2]), "");
        Answer::ok()
    });
    let tool = "/srv/shop/cache/tool/poetry-2.5.1-py3.11";
    scene.host.on_call("poetry==2.5.1", move |host, _| {
        host.put_file(format!("{tool}/bin/poetry"), "");
        Answer::ok()
    });
    scene.host.on("poetry install", Answer::ok());
    assert_eq!(scene.run(&Venv).unwrap(), Outcome::DoneWith("python 3.11.7, poetry 2.5.1".to_owned()));
    assert_eq!(scene.host.commands_with("poetry install")[0].program, Path::new(tool).join("bin/poetry"));
    scene.host.put_file(format!("{RELEASE}/poetry.lock"), "# more");
    scene.run(&Venv).unwrap();
    assert_eq!(scene.host.commands_with("poetry==2.5.1").len(), 1);
    assert_eq!(scene.host.commands_with("poetry install").len(), 2);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let error = |files: &[&str], python: Python| {
        let mut scene = project(files);
        scene.facts.config.python = python;
        let error = scene.run(&Venv).unwrap_err();
        (error.to_string(), error.help().unwrap())
    };
    let (what, help) = error(&["uv.lock", "poetry.lock"], Python::default());
    assert_eq!(what, "the revision has uv.lock and poetry.lock, and they need not agree");
    assert_eq!(help, "say which one counts: `python: {installer: uv}`");
    let (what, help) =
        error(&["requirements.txt"], Python { installer: Installer::Poetry, ..Python::default() });
    assert_eq!(what, "poetry is to install the packages, and there is no poetry.lock in the revision");
    assert_eq!(help, "make and commit it: `poetry lock && git add poetry.lock`");
    let groups = Python { groups: vec!["pg".to_owned()], ..Python::default() };
    let (what, _) = error(&["requirements.txt"], groups);
    assert_eq!(what, "python.groups is set, and requirements.txt has no groups");
    let scene = project(&["poetry.lock"]);
    scene.host.on("python3 -I -S -c", about("3.9.18"));
    let what = "poetry 2.5.1 runs on Python 3.10 and later, and this is 3.9.18";
    assert_eq!(scene.run(&Venv).unwrap_err().to_string(), what);
}

#[test]
fn the_project_chooses_its_python() {
    let chosen = |file: &str, text: &str| {
        let scene = project(&["requirements.txt"]);
        scene.host.put_file(format!("{RELEASE}/{file}"), text);
        scene.host.install("python3.12", "/usr/bin/python3.12");
        scene.host.on("python3.12 -I -S -c", about("3.12.4"));
        let (wanted, _) = Wanted::find(&scene.context("venv")).unwrap().unwrap();
        wanted.interpreter.about.version
    };
    assert_eq!(chosen(".python-version", "3.12.1\n"), "3.12.4");
    assert_eq!(chosen(".python-version", "shop-env\n"), "3.11.7");
    assert_eq!(chosen("pyproject.toml", "[project]\nrequires-python = \">=3.12\"\n"), "3.12.4");
    assert_eq!(chosen("pyproject.toml", "[project]\nrequires-python = \">=3.10\"\n"), "3.11.7");
    let scene = project(&["requirements.txt"]);
    scene.host.put_file(format!("{RELEASE}/pyproject.toml"), "[project]\nrequires-python = \">=3.13\"\n");
    let what = "python >=3.13 (requires-python) is wanted, and this server has only python3 (3.11.7)";
    assert_eq!(scene.run(&Venv).unwrap_err().to_string(), what);
}

#[test]
fn packages_alone_are_enough() {
    let mut scene = project(&[]);
    scene.facts.config.python.packages = vec!["django".to_owned(), "huey".to_owned()];
    scene.run(&Venv).unwrap();
    let pip = scene.host.commands_with("pip install");
    assert_eq!(pip.len(), 1);
    assert!(pip[0].to_string().ends_with("off django huey"), "{}", pip[0]);
}
