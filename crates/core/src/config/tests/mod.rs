//! What a `release.yml` may say, and how a wrong one is told.

mod builders;
mod cron;
mod managers;
mod process;
mod proxy;
mod services;

use super::{Config, Frontend, Handover, Installer, Service, Source, Wait, parse};

const MINIMAL: &str = "\
app: shop
linked_dirs: [data]
django: {settings: shop.settings}
services: {web: {command: \"gunicorn shop.wsgi -w 2 --bind unix:$SOCKET\", handover: socket, health: {path: /healthz}}}
";

fn app(text: &str) -> Result<Config, Vec<String>> {
    both(text, None)
}

fn both(app: &str, server: Option<&str>) -> Result<Config, Vec<String>> {
    let server = server.map(|text| Source { name: "/srv/shop/release.yml", text });
    parse(Some(Source { name: "release.yml", text: app }), server)
        .map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
}

/// A service with `handover: overlap`.
pub(crate) fn worker() -> Service {
    let text = "app: shop\nservices: {worker: {command: \"celery -A shop worker\", handover: overlap}}\n";
    app(text).unwrap().services.remove(0)
}

#[test]
fn a_small_app_needs_few_lines() {
    let config = app(MINIMAL).unwrap();
    assert_eq!((config.app.as_str(), config.branch.as_str(), config.keep), ("shop", "main", 5));
    assert_eq!(config.linked_dirs, ["data"]);
    let web = &config.services[0];
    assert_eq!(
        (web.name.as_str(), web.handover, web.health.path.as_str()),
        ("web", Handover::Socket, "/healthz")
    );
    assert_eq!((web.ladder()[0].signal.as_str(), config.warm), ("TERM", Wait::ZERO));
}

#[test]
fn the_record_of_an_older_release_still_reads() {
    let expected = app(&MINIMAL.replace("handover: socket", "stop: TERM 40s")).unwrap();
    let mut stored = serde_json::to_value(&expected).unwrap();
    let web = stored["services"][0].as_object_mut().unwrap();
    web.insert("stop".to_owned(), serde_json::json!({"signal": "TERM", "wait": "40s"}));
    for key in ["drain", "optional", "env"] {
        web.remove(key).unwrap();
    }
    web["health"].as_object_mut().unwrap().remove("protocol").unwrap();
    assert_eq!(serde_json::from_value::<Config>(stored).unwrap(), expected);
}

#[test]
fn the_servers_file_overrides_key_by_key() {
    let server =
        "repository: /srv/git/shop.git\nkeep: 3\nwarm: 10\nservices: {web: {health: {settle: 200ms}}}\n";
    let config = both(MINIMAL, Some(server)).unwrap();
    assert_eq!(config.repository.as_deref(), Some("/srv/git/shop.git"));
    assert_eq!((config.keep, config.warm), (3, Wait::seconds(600)));
    let health = &config.services[0].health;
    assert_eq!((health.path.as_str(), health.settle.to_string().as_str()), ("/healthz", "200ms"));
}

#[test]
fn everything_can_be_said() {
    let text = format!(
        "{MINIMAL}keep: 7\nrepository: ssh://git@example.org/shop.git\nbranch: production\n\
         python: {{version: \"3.11\", installer: uv, requirements: [requirements/prod.txt]}}\n\
         frontend: [{{directory: web, outputs: [build, ../../x]}}]\n\
         linked_files: [config/secrets.json]\nenv: {{THREADS: 4, DEBUG: false, NAME: shop}}\n\
         verify: {{url: \"http://127.0.0.1/healthz\", timeout: 5s}}\nproxy: {{config: [/etc/nginx/nginx.conf]}}\n"
    );
    let problems = app(&text).unwrap_err();
    assert_eq!(problems, ["release.yml:9: frontend.0: `../../x` leaves the release by `..`"]);
    let config = app(&text.replace("../../x", "../static/x")).unwrap();
    assert_eq!(config.python.installer, Installer::Uv);
    assert_eq!(
        config.frontend,
        Some(vec![Frontend {
            outputs: vec!["build".into(), "../static/x".into()],
            ..Frontend::usual("web")
        }])
    );
    assert_eq!(config.env["DEBUG"], "false");
}

#[test]
fn a_configuration_survives_being_stored_with_its_release() {
    let config = app(MINIMAL).unwrap();
    let stored = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&stored).unwrap(), config);
}

#[test]
fn the_single_signal_of_the_first_records_is_still_read() {
    let mut stored = serde_json::to_value(app(MINIMAL).unwrap()).unwrap();
    stored["services"][0]["stop"] = serde_json::json!({"signal": "TERM", "wait": "40s"});
    for added in ["optional", "env", "drain"] {
        stored["services"][0].as_object_mut().unwrap().remove(added);
    }
    let config: Config = serde_json::from_value(stored).unwrap();
    assert_eq!(config.services[0].patience().as_secs(), 40);
}

#[test]
fn every_problem_is_reported_at_once_with_its_line_and_a_way_out() {
    let text = "\
app: My Shop
kepe: 5
keep: 1
python: {version: 3.10}
linked_dirs: [media, /etc, ../up, media/cache, media, run]
services:
  web:
    comand: gunicorn
    command: gunicorn shop.wsgi --bind 0.0.0.0:8000
    handover: teleport
    health: {path: healthz, timeout: soon}
    stop: {signal: BYE}
django: {seting: x}
";
    let expected = [
        "release.yml:1: app: `My Shop` is not a plain name (help: begin with a letter; use lowercase letters, digits, `-` and `_`, at most 32 of them)",
        "release.yml:2: unknown key `kepe` (help: did you mean `keep`?)",
        "release.yml:3: keep: 1 leaves nothing to go back to (help: keep at least 2: the active release and the one to go back to)",
        "release.yml:4: python.version is a number, and 3.10 would become 3.1 (help: put it in quotes: `version: \"3.11\"`)",
        "release.yml:5: linked_dirs: `/etc` is absolute; write it relative to the release",
        "release.yml:5: linked_dirs: `../up` leaves the release by `..`",
        "release.yml:5: linked_dirs: `media/cache` and `media` lie one within the other (help: link the outer one only)",
        "release.yml:5: linked_dirs: `media` is named twice (help: name it once)",
        "release.yml:5: linked_dirs: `run` is a name that release itself uses",
        "release.yml:8: unknown key `services.web.comand` (help: did you mean `command`?)",
        "release.yml:9: services.web.command does not use $SOCKET (help: let it listen on `--bind unix:$SOCKET` instead, and say `listen: 0.0.0.0:8000`: that port is held for it)",
        "release.yml:10: services.web.handover: unknown variant `teleport`, expected one of `socket`, `reload`, `overlap`, `replace`",
        "release.yml:11: services.web.health.timeout: invalid value: string \"soon\", expected a length of time such as 30s, 10m or 1h",
        "release.yml:11: services.web.health.path: `healthz` is no path of a URL (help: write it like `/healthz`)",
        "release.yml:12: services.web.stop.signal: unknown signal `BYE` (help: use one of TERM, INT, QUIT, HUP, USR1, USR2; KILL comes by itself at the end)",
        "release.yml:13: unknown key `django.seting` (help: did you mean `settings`?)",
    ];
    assert_eq!(app(text).unwrap_err(), expected);
}

#[test]
fn what_is_missing_is_known_when_both_files_are_read() {
    assert_eq!(
        app("keep: 4\n").unwrap_err(),
        ["release.yml: `app` is missing (help: add the app's name: `app: shop`)"]
    );
    let problems = app("app: shop\nservices: {web: {}}\n").unwrap_err();
    assert!(problems[0].starts_with("release.yml: services.web: `command` is missing"), "{problems:?}");
    assert!(both("app: shop\ndjango: {directory: backend}", Some("django: {settings: a.b}")).is_ok());
}

#[test]
fn hostile_and_broken_files_are_refused_with_a_line() {
    assert_eq!(app("app: [").unwrap_err().len(), 1);
    let problems = app("app: shop\nkeep: many\n").unwrap_err();
    assert!(problems[0].starts_with("release.yml:2: keep: invalid type"), "{problems:?}");
    for path in ["", "~/x", "a/../../b", ".git/hooks", "a/.git", "."] {
        assert_eq!(app(&format!("app: shop\nlinked_dirs: [\"{path}\"]\n")).unwrap_err().len(), 1, "{path}");
    }
    assert_eq!(
        app("- a\n- list\n").unwrap_err()[0],
        "release.yml: the file should hold keys and values, not a list"
    );
    assert_eq!(app("app: shop\nenv: {\"A B\": x}\n").unwrap_err().len(), 1);
}

#[test]
fn a_servers_problem_names_the_servers_file() {
    let problems = both(MINIMAL, Some("keep: 5\nbrunch: main\n")).unwrap_err();
    assert_eq!(problems, ["/srv/shop/release.yml:2: unknown key `brunch` (help: did you mean `branch`?)"]);
}

#[test]
fn a_file_of_comments_alone_changes_nothing() {
    for text in ["", "# keep: 3\n", "---\n"] {
        assert_eq!(both(MINIMAL, Some(text)).unwrap(), app(MINIMAL).unwrap(), "{text:?}");
    }
}
