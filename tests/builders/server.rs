//! What the server has itself: an installed uv, and more than one Python.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::project::{Project, SIX};
use crate::support::Finished;

/// Another one than `release` would bring along.
const UV: &str = "0.13.7";

/// A project on a server with programs of its own, which come first on `PATH`.
struct Server {
    project: Project,
    programs: PathBuf,
}

impl Server {
    fn new(name: &'static str) -> Self {
        let project = Project::new(name, "");
        let programs = project.sandbox.directory().join("bin");
        fs::create_dir(&programs).unwrap();
        Self { project, programs }
    }

    fn install_uv(&self) {
        let venv = self.project.sandbox.directory().join("uv");
        let uv = format!("uv=={UV}");
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", &uv]));
        symlink(venv.join("bin/uv"), self.programs.join("uv")).unwrap();
    }

    #[track_caller]
    fn deploy(&self) -> Finished {
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap());
        self.project.release_with(&[("PATH", &path)], &["deploy", "--json"]).exits(0)
    }
}

const MINOR: &str = "import sys; print('%d.%d' % sys.version_info[:2])";

#[track_caller]
fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// The minor version of an interpreter that can make environments.
fn minor(program: &Path) -> Option<String> {
    let code = format!("import ensurepip; {MINOR}");
    let done = Command::new(program).args(["-I", "-c", &code]).current_dir("/").output().ok()?;
    done.status.success().then(|| String::from_utf8(done.stdout).unwrap().trim().to_owned())
}

/// What an interpreter says of itself is short of nothing that it leaves out to be quick.
#[test]
fn each_python_tells_the_pip_that_it_brings() {
    const PLAIN: &str = "import ensurepip; print(ensurepip.version())";
    let says = |program: &Path, code: &str| {
        let done = Command::new(program).args(["-I", "-S", "-c", code]).current_dir("/").output().unwrap();
        assert!(done.status.success(), "{}: {done:?}", program.display());
        String::from_utf8(done.stdout).unwrap()
    };
    let others = other_python().map(|(program, _)| program);
    for program in std::iter::once(PathBuf::from("python3")).chain(others) {
        let about = says(&program, include_str!("../../crates/steps/src/interpreter.py"));
        let about: Value = serde_json::from_str(&about).unwrap();
        assert_eq!(about["pip"], says(&program, PLAIN).trim(), "{}", program.display());
        assert!(about["build"].as_str().unwrap().starts_with(about["version"].as_str().unwrap()));
    }
}

/// A Python of another minor version than `python3`, where the machine has one.
fn other_python() -> Option<(PathBuf, String)> {
    let usual = minor("python3".as_ref());
    let installed = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv/versions"));
    let versions = installed.and_then(|versions| fs::read_dir(versions).ok()).into_iter().flatten();
    let path = std::env::var_os("PATH").unwrap();
    let places = std::env::split_paths(&path).chain(versions.map(|entry| entry.unwrap().path().join("bin")));
    let places: Vec<PathBuf> = places.collect();
    let programs = (9..=20)
        .rev()
        .flat_map(|minor| places.iter().map(move |place| place.join(format!("python3.{minor}"))));
    programs
        .filter_map(|program| Some((minor(&program)?, program)))
        .find_map(|(minor, program)| (Some(&minor) != usual.as_ref()).then_some((program, minor)))
}

#[test]
fn an_installed_uv_and_the_python_that_the_project_chooses() {
    let server = Server::new("uv");
    server.install_uv();
    let deploy = server.deploy();
    assert!(deploy.built("venv"), "{deploy}");
    assert_eq!(server.project.python(SIX), "1.16.0");
    let environment = server.project.text("venv/pyvenv.cfg");
    assert!(environment.contains(&format!("uv = {UV}\n")), "{environment}");
    match other_python() {
        Some((program, minor)) => chooses(&server, &program, &minor),
        None => println!("NOT TESTED: the choice of an interpreter needs a second Python 3"),
    }
    assert!(!server.project.sandbox.root.join("cache/tool").exists(), "no tool is brought along");
}

/// By `.python-version`, and by `requires-python`.
fn chooses(server: &Server, program: &Path, other: &str) {
    symlink(program, server.programs.join(format!("python{other}"))).unwrap();
    let project = &server.project;
    project.commit(".python-version", &format!("{other}.99\n"));
    let chosen = server.deploy();
    assert!(chosen.built("venv"), "{chosen}");
    assert_eq!([project.python(MINOR), project.python(SIX)], [other, "1.16.0"]);

    project.commit(".python-version", "the-name-of-an-environment\n");
    assert!(!server.deploy().built("venv"));
    assert_ne!(project.python(MINOR), other);

    let wanted = format!("requires-python = \"=={other}.*\"");
    project.commit(
        "pyproject.toml",
        &project.text("pyproject.toml").replace("requires-python = \">=3.9\"", &wanted),
    );
    server.deploy();
    assert_eq!([project.python(MINOR), project.python(SIX)], [other, "1.16.0"]);
}
