//! `python:`, `frontend:` and `build:`.

use super::{MINIMAL, app};
use crate::config::{Frontend, Size};

#[test]
fn what_a_builder_is_told_is_checked() {
    let text = "\
app: shop
python:
  installer: pipx
  groups: [postgres, \"a b\"]
  packages: [\"git+https://example.org/x.git\", \"--pre\"]
frontend:
  - {directory: web, outputs: [../venv, ../..]}
  - {prebuilt: /tmp/x.tar.gz, build: make}
  - {directory: a, prebuilt: \"shared/{revision}.tar.gz\", outputs: [../b]}
";
    let problems = app(text).unwrap_err();
    let expected = [
        "release.yml:3: python.installer: unknown variant `pipx`, expected one of `auto`, `pip`, `uv`, `poetry`, `pipenv`",
        "release.yml:4: python.groups: `a b` is not a plain name (help: use letters, digits, `-`, `_` and `.`)",
        "release.yml:5: python.packages: `--pre` names no package (help: name packages, `git+https://…` or paths; options belong into a requirements file)",
        "release.yml:7: frontend.0: `../venv` is a name that release itself uses",
        "release.yml:7: frontend.0: `../..` leaves the release by `..`",
        "release.yml:8: frontend.1.build: what is prebuilt is not built (help: take `build` or `prebuilt` away)",
        "release.yml:8: frontend.1.prebuilt: `/tmp/x.tar.gz` is absolute; write it relative to the release",
        "release.yml:9: frontend.2: `../b` is outside of what is prebuilt (help: name what lies in it, as the front end's directory should hold it)",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn what_a_front_end_is_made_from_lies_in_the_release() {
    let inputs = |text: &str| {
        let config = app(&format!("app: shop\nfrontend: [{{directory: web, inputs: {text}}}]\n"))?;
        Ok::<_, Vec<String>>(config.frontend.unwrap().remove(0).inputs)
    };
    assert_eq!(inputs("[../templates, tailwind.css]").unwrap(), ["../templates", "tailwind.css"]);
    assert_eq!(
        inputs("[../../up, /etc]").unwrap_err(),
        [
            "release.yml:2: frontend.0.inputs: `../../up` leaves the release by `..`",
            "release.yml:2: frontend.0.inputs: `/etc` is absolute; write it relative to the release",
        ]
    );
}

#[test]
fn a_front_end_that_an_earlier_version_stored_is_read() {
    let stored =
        r#"{"directory": "web", "install": "npm ci", "build": "npm run build", "outputs": ["dist"]}"#;
    let frontend: Frontend = serde_json::from_str(stored).unwrap();
    assert_eq!((frontend.install.as_deref(), frontend.prebuilt), (Some("npm ci"), None));
    let python: crate::config::Python =
        serde_json::from_str(r#"{"version": null, "installer": "uv"}"#).unwrap();
    assert!(python.packages.is_empty());
}

#[test]
fn building_can_be_held_back_within_reason() {
    let build = |text: &str| app(&format!("{MINIMAL}build: {text}\n")).map(|config| config.build);
    let held = build("{nice: 10, memory: 1g}").unwrap();
    assert_eq!((held.nice, held.memory), (Some(10), Some(Size(1 << 30))));
    assert_eq!(build("{}").unwrap(), app(MINIMAL).unwrap().build);
    let problems = build("{nice: 20, memory: 10m, memroy: 1g}").unwrap_err();
    assert_eq!(
        problems.iter().map(|problem| problem.split(": ").nth(1).unwrap()).collect::<Vec<_>>(),
        ["build.nice", "build.memory", "unknown key `build.memroy` (help"],
        "{problems:?}"
    );
    assert!(problems[0].ends_with(
        "20 is not from 1 to 19 (help: 1 stands back a little, 19 as far as can be: `build: {nice: 10}`)"
    ));
}
