//! Which inputs make another bundle, and which do not.

use super::*;

fn keys(commit: Commit, change: &dyn Fn(&mut Scene)) -> Vec<String> {
    let mut scene = scene(commit);
    change(&mut scene);
    let cx = scene.context("frontend");
    let bundles = frontends(&cx).unwrap().into_iter().map(|frontend| Bundle::new(&cx, frontend).unwrap());
    bundles.map(|bundle| bundle.build.key.finish()).collect()
}

fn configured(frontend: Frontend) -> impl Fn(&mut Scene) {
    move |scene| scene.facts.config.frontend = Some(vec![frontend.clone()])
}

fn variable(name: &'static str, value: &'static str) -> impl Fn(&mut Scene) {
    move |scene| drop(scene.facts.env.insert(name.to_owned(), Secret::new(value)))
}

fn usual() -> Frontend {
    Frontend::usual("frontend")
}

/// As with Tailwind, which reads the templates for the classes that they name.
fn with_templates() -> Frontend {
    Frontend { inputs: vec!["../templates".to_owned()], ..usual() }
}

#[test]
fn an_input_that_is_not_there_is_told() {
    let mut scene = scene(app());
    configured(Frontend { inputs: vec!["../absent".to_owned()], ..usual() })(&mut scene);
    let error = scene.look(&Frontends).unwrap_err();
    assert_eq!(error.to_string(), "absent, which frontend is made from, is not in the revision");
    assert!(error.help().unwrap().contains("`frontend: [{inputs: […]}]`"));
}

#[test]
fn everything_that_goes_into_a_bundle_makes_another_one() {
    let command = |text: &str| Some(text.to_owned());
    let tree = |path: &str, text: &str| keys(app().file(path, text), &|_| {});
    let table = [
        ("as it is", keys(app(), &|_| {})),
        ("a source", tree("frontend/main.js", "2")),
        ("a new source", tree("frontend/more.js", "")),
        ("the lock", tree("frontend/package-lock.json", "{\"a\": 1}")),
        ("package.json", tree("frontend/package.json", "{\"scripts\": {\"build\": \"webpack\"}}")),
        ("a setting of npm", tree("frontend/.npmrc", "legacy-peer-deps=true")),
        ("another manager", tree("frontend/pnpm-lock.yaml", "lockfileVersion: '9.0'")),
        ("node", keys(app(), &|scene| scene.host.on("node --version", Answer::ok().says("v22.1.0")))),
        ("a variable", keys(app(), &variable("API", "https://api"))),
        ("its value", keys(app(), &variable("API", "https://other"))),
        ("NODE_ENV", keys(app(), &variable("NODE_ENV", "production"))),
        ("install", keys(app(), &configured(Frontend { install: command("npm install"), ..usual() }))),
        ("build", keys(app(), &configured(Frontend { build: command("npm run build:all"), ..usual() }))),
        ("an input beside it", keys(app(), &configured(with_templates()))),
        ("another text of it", keys(app().file("templates/a.html", "<b>"), &configured(with_templates()))),
        ("outputs", keys(app(), &configured(Frontend { outputs: vec!["build".to_owned()], ..usual() }))),
    ];
    for (index, (what, key)) in table.iter().enumerate() {
        for (other, earlier) in &table[..index] {
            assert_ne!(key, earlier, "{what} is like {other}");
        }
    }
}

#[test]
fn what_does_not_go_into_it_makes_no_other_one() {
    let expected = keys(app(), &|_| {});
    for (what, keys) in [
        ("the app", keys(app().file("manage.py", "changed").file("shop/models.py", ""), &|_| {})),
        ("the terminal", keys(app(), &variable("TERM", "dumb"))),
        ("the home", keys(app(), &variable("HOME", "/home/anna"))),
        ("the path", keys(app(), &variable("PATH", "/elsewhere"))),
        ("the release", keys(app(), &variable("RELEASE_ID", "20261121T101500Z-3f2c1a9"))),
        ("the revision", keys(app(), &variable("RELEASE_REVISION", "0"))),
        ("what is said anyway", keys(app(), &configured(usual()))),
        (
            "the usual command",
            keys(app(), &configured(Frontend { install: Some("npm ci".to_owned()), ..usual() })),
        ),
    ] {
        assert_eq!(keys, expected, "{what}");
    }
}

#[test]
fn a_front_end_does_not_count_for_another_one() {
    let two = |text: &str| {
        app()
            .file("admin/package.json", PACKAGE)
            .file("admin/package-lock.json", "{}")
            .file("admin/a.js", text)
    };
    let [before, after] = [two("1"), two("2")].map(|commit| keys(commit, &|_| {}));
    assert_eq!(before.len(), 2);
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);
    let scene = scene(two("1"));
    let anew = "nothing like it has been built here yet (its packages, too)";
    assert_eq!(scene.look(&Frontends).unwrap(), Look::Needed(format!("admin: {anew}; frontend: {anew}")));
}

#[test]
fn a_look_names_what_changed_and_keeps_secrets() {
    let mut scene = scene(app());
    scene.facts.env.insert("API_TOKEN".to_owned(), Secret::new("hunter2"));
    scene.run(&Frontends).unwrap();
    let built = "frontend: built 2026-11-20 10:15 UTC".to_owned();
    assert_eq!(scene.look(&Frontends).unwrap(), Look::Cached(built));
    scene.facts.env.insert("API_TOKEN".to_owned(), Secret::new("hunter3"));
    scene.host.on("node --version", Answer::ok().says("v22.1.0"));
    let why =
        "frontend: node was v20.20.2 and is v22.1.0, the variable API_TOKEN changed (its packages, too)";
    assert_eq!(scene.look(&Frontends).unwrap(), Look::Needed(why.to_owned()));
    let stamp = scene.host.text(entries(&scene).remove(0).join(".complete")).unwrap();
    assert!(stamp.contains("API_TOKEN") && !stamp.contains("hunter"), "{stamp}");
}
