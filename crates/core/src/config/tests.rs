use super::{
    Config, Frontend, Handover, Installer, Instances, Manager, ProcessSettings, Reload, Scope,
    ServerSupervisord, Service, Size, Source, Wait, parse,
};
use crate::server::Protocol;

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
fn a_server_is_known_by_its_command_and_what_is_said_stands() {
    let web = |text: &str| {
        let config = app(&format!("app: shop\nservices: {{web: {{{text}}}}}\n")).unwrap();
        let web = config.services[0].clone();
        (web.health.protocol, web.drain.to_string())
    };
    assert_eq!(web("command: uvicorn a --uds $SOCKET"), (Protocol::Http, "10s".to_owned()));
    assert_eq!(web("command: daphne -u $SOCKET a, drain: 5s"), (Protocol::Http, "5s".to_owned()));
    assert_eq!(web("command: node server.js"), (Protocol::Http, "30s".to_owned()));
    assert_eq!(web("command: uwsgi -s $SOCKET, health: {path: /x}"), (Protocol::Uwsgi, "10s".to_owned()));
    assert_eq!(web("command: uwsgi -s $SOCKET, health: {protocol: http}").0, Protocol::Http);
    let problems =
        app("app: a\nservices: {web: {command: x $SOCKET, drian: 5s, health: {protocol: spdy}}}\n");
    assert_eq!(
        problems.unwrap_err(),
        [
            "release.yml:2: services.web.health.protocol: unknown variant `spdy`, expected `http` or `uwsgi`",
            "release.yml:2: unknown key `services.web.drian` (help: did you mean `drain`?)",
        ]
    );
}

#[test]
fn a_master_is_reloaded_by_what_its_server_knows_or_by_what_is_said() {
    let web = |text: &str| {
        let config = app(&format!("app: a\nservices:\n  web: {{{text}}}\n"))?;
        Ok::<_, Vec<String>>(config.services[0].reload.clone())
    };
    let signal = |name: &str| Some(Reload::Signal(name.to_owned()));
    let gunicorn = "command: \"gunicorn a --bind unix:$SOCKET\", handover: reload";
    assert_eq!(web(gunicorn).unwrap(), signal("HUP"));
    assert_eq!(web("command: node server.js, handover: reload, reload: USR1").unwrap(), signal("USR1"));
    let touch = web(&format!("{gunicorn}, reload: touch shared/x")).unwrap();
    assert_eq!(touch, Some(Reload::Command("touch shared/x".to_owned())));
    assert_eq!(web("command: \"gunicorn a --bind unix:$SOCKET\"").unwrap(), None);
    for (text, problem) in [
        (
            "command: uvicorn a --uds $SOCKET, handover: reload",
            "services.web: it is not known what makes its master load new code (help: say what does: `reload: \
             HUP`, or a command; or use `handover: socket`)",
        ),
        (
            "command: \"gunicorn a --preload --bind unix:$SOCKET\", handover: reload",
            "services.web: what its master has preloaded stays the old code (help: take `--preload` away, or use \
             `handover: socket`)",
        ),
        (
            "command: \"gunicorn a --bind unix:$SOCKET\", handover: reload, reload: USR2",
            "services.web.reload: on that signal its server loads no new code as the process that it is (help: take it \
             away, as gunicorn and uWSGI load it on HUP; or use `handover: socket`)",
        ),
        (
            "command: \"gunicorn a --bind unix:$SOCKET\", handover: reload, reload: sudo systemctl reload shop",
            "services.web.reload: a unit of another is not started by `release`, so nothing proves what it loads \
             (help: make the unit's command this service's own, and say `reload: HUP` or `reload: kill -HUP $PID`)",
        ),
        (
            "command: uvicorn a --uds $SOCKET, reload: HUP",
            "services.web.reload: nobody is reloaded (help: say `handover: reload` too, or take it away)",
        ),
    ] {
        let line = if problem.contains("preloaded") { ":3" } else { "" };
        assert_eq!(web(text).unwrap_err(), [format!("release.yml{line}: {problem}")]);
    }
}

#[test]
fn a_port_is_held_for_one_service_that_listens() {
    let web = |more: &str| {
        let text = format!(
            "app: a\nservices:\n  web: {{command: gunicorn a --bind unix:$SOCKET, listen: 8000}}\n{more}"
        );
        app(&text).map(|config| config.services[0].listen.map(|listen| listen.to_string()))
    };
    assert_eq!(web("").unwrap(), Some("8000".to_owned()));
    assert_eq!(
        web("  api: {command: daphne -p 8001 a, listen: \"127.0.0.1:8000\"}\n").unwrap_err(),
        [
            "release.yml:4: services.api.command does not use $SOCKET (help: the port is held for it already: \
             let it listen on `-u $SOCKET` instead)",
            "release.yml:4: services.api.listen is the port of `web` already (help: choose another port)",
        ]
    );
    assert_eq!(
        web("  worker: {command: celery -A a worker, handover: overlap, listen: 8001}\n").unwrap_err(),
        [
            "release.yml: services.worker.listen: nobody listens there (help: only what listens on $SOCKET can \
          have one: `handover: socket`)"
        ]
    );
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
    let python: super::Python = serde_json::from_str(r#"{"version": null, "installer": "uv"}"#).unwrap();
    assert!(python.packages.is_empty());
}

#[test]
fn what_the_proxy_serves_is_guessed_or_said() {
    let served = |text: &str| {
        let config = app(text).unwrap();
        let place = |files: super::Files| format!("{} {}", files.url, files.directory);
        (config.served_static().map(place), config.served_media().map(place))
    };
    assert_eq!(served("app: shop\n"), (None, None));
    let django = "app: shop\ndjango: {settings: a}\nlinked_dirs: [media]\n";
    let usual = (Some("/static/ static_root".to_owned()), Some("/media/ media".to_owned()));
    assert_eq!(served(django), usual);
    assert_eq!(served(&format!("{django}static: false\nmedia: false\n")), (None, None));
    let said = format!("{django}static: {{directory: web/dist}}\nmedia: {{url: /files/}}\n");
    assert_eq!(served(&said), (Some("/static/ web/dist".to_owned()), Some("/files/ media".to_owned())));
}

#[test]
fn the_proxy_can_be_described() {
    let text = "\
app: shop
proxy:
  server_name: shop.example.org *.shop.example.org
  listen: 127.0.0.1:8443
  max_body: 512m
  tls: {certificate: /etc/ssl/shop.pem, key: /etc/ssl/shop.key}
";
    let proxy = app(text).unwrap().proxy;
    assert_eq!(proxy.server_name, ["shop.example.org", "*.shop.example.org"]);
    assert_eq!(proxy.listen.map(|listen| listen.port), Some(8443));
    assert_eq!((proxy.max_body.0, proxy.tls.unwrap().key.as_str()), (512 << 20, "/etc/ssl/shop.key"));
    assert_eq!(app("app: shop\nproxy: {listen: 80}\n").unwrap().proxy.max_body.to_string(), "20m");
}

#[test]
fn a_wrong_proxy_is_told_with_its_line() {
    let text = "\
app: shop
static: {url: /static, directory: ../x}
media: {url: \"/a;b/\", dir: media}
proxy:
  server_name: [\"shop.example.org;\", ok.example.org]
  listen: localhost:80
  max_body: 20mb
  tls: {certificate: /etc/ssl/shop.pem}
";
    let expected = [
        "release.yml:2: static.url: `/static` does not begin and end with `/`, or is not plain (help: write it like `/static/`)",
        "release.yml:2: static.directory: `../x` leaves the release by `..`",
        "release.yml:3: media.url: `/a;b/` does not begin and end with `/`, or is not plain (help: write it like `/media/`)",
        "release.yml:3: unknown key `media.dir` (help: known keys are url, directory)",
        "release.yml:5: proxy.server_name: `shop.example.org;` is no name of a host (help: write it like `shop.example.org`)",
        "release.yml:6: proxy.listen: expected a port or an address with one, such as 127.0.0.1:8080",
        "release.yml:7: proxy.max_body: expected a size such as 512k, 20m or 1g",
        "release.yml:8: proxy.tls: `key` is missing (help: name the file: `key: /etc/letsencrypt/live/…`)",
    ];
    assert_eq!(app(text).unwrap_err(), expected);
}

#[test]
fn a_worker_stops_by_a_ladder_of_signals() {
    let with = |stop: &str| {
        app(&format!(
            "app: shop\nservices:\n  worker: {{command: celery -A shop worker, handover: overlap, optional: true, \
             env: {{N: 1}}, stop: {stop}}}\n"
        ))
    };
    let rungs = |stop: &str| {
        let config = with(stop).unwrap();
        let ladder = config.services[0].ladder();
        ladder.iter().map(|rung| format!("{} {}", rung.signal, rung.wait)).collect::<Vec<_>>()
    };
    assert_eq!(rungs("[TERM 10m, INT 30s, INT 30s, KILL]"), ["TERM 10m", "INT 30s", "INT 30s"]);
    assert_eq!(rungs("INT"), ["INT 40s"]);
    assert_eq!(rungs("{signal: QUIT, wait: 5s}"), ["QUIT 5s"]);
    assert_eq!(with("[INT 90s]").unwrap().services[0].patience().as_secs(), 90);
    for (stop, wrong) in [
        ("[KILL]", "names no signal but KILL"),
        ("[KILL, TERM 5s]", "unknown signal `KILL`"),
        ("[TERM soon]", "`TERM soon` has no length of time"),
        ("[5]", "should be signals like `TERM 10m`"),
    ] {
        let problems = with(stop).unwrap_err();
        assert!(problems[0].starts_with("release.yml:3: services.worker.stop"), "{problems:?}");
        assert!(problems[0].contains(wrong), "{problems:?}");
    }
}

#[test]
fn a_variable_that_no_environment_can_hold_is_refused() {
    let problems = app(&format!("{MINIMAL}env: {{A: \"x\\0y\", B: \"two\\nlines\"}}\n")).unwrap_err();
    assert_eq!(problems, ["release.yml:5: env.A holds a NUL, which no environment can"]);
}

#[test]
fn a_manager_is_named_in_a_word_or_with_what_it_needs() {
    let manager = |text: &str| app(&format!("app: shop\nmanager: {text}\n")).map(|config| config.manager);
    assert_eq!(app("app: shop\n").unwrap().manager, Manager::Supervisord);
    assert_eq!(manager("supervisord").unwrap(), Manager::Supervisord);
    assert_eq!(manager("systemd").unwrap(), Manager::Systemd(Scope::Auto));
    assert_eq!(manager("{systemd: user}").unwrap(), Manager::Systemd(Scope::User));
    let places =
        ["/etc/supervisor/conf.d", "/etc/supervisor/conf.d/", "/etc/supervisord.d/*.ini"].map(|place| {
            let text = format!("{{supervisord: /run/supervisor.sock, programs: {place}}}");
            let Manager::ServerSupervisord(server) = manager(&text).unwrap() else { panic!("{place}") };
            let (directory, ending) = server.place();
            format!("{directory} {ending}")
        });
    assert_eq!(
        places,
        ["/etc/supervisor/conf.d .conf", "/etc/supervisor/conf.d .conf", "/etc/supervisord.d .ini"]
    );
}

#[test]
fn a_manager_that_is_none_is_refused_with_what_to_write() {
    let problem = |text: &str| app(&format!("app: shop\nmanager: {text}\n")).unwrap_err().remove(0);
    assert!(
        problem("runit")
            .starts_with("release.yml:2: manager: this is none that is known (help: write `supervisord`,")
    );
    assert!(problem("{systemd: session}").contains("`session` is no scope (help: write `user` or `system`)"));
    assert!(problem("{supervisord: /run/s.sock}").contains("one manager, and all of it"));
    assert!(problem("{systemd: user, supervisord: /s, programs: /p}").contains("one manager, and all of it"));
    assert!(problem("{supervisord: s.sock, programs: /p}").contains("`s.sock` is no absolute path"));
    assert!(problem("{supervisord: /s, programs: /p/*/x.conf}").contains("is no absolute directory"));
    assert!(
        problem("{systmd: user}").contains("unknown key `manager.systmd` (help: did you mean `systemd`?)")
    );
}

#[test]
fn the_servers_manager_replaces_the_apps_as_a_whole() {
    let app = "app: shop\nmanager: {systemd: user}\n";
    let server = "manager: {supervisord: /s, programs: /p}\n";
    let wanted = ServerSupervisord { socket: "/s".to_owned(), programs: "/p".to_owned() };
    assert_eq!(both(app, Some(server)).unwrap().manager, Manager::ServerSupervisord(wanted));
    assert_eq!(both(app, Some("keep: 3\n")).unwrap().manager, Manager::Systemd(Scope::User));
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

#[test]
fn a_worker_has_longer_to_find_out_that_it_cannot_work() {
    let worker = "services: {worker: {command: celery -A shop worker, handover: overlap}}\n";
    let settle = |text: &str| app(text).unwrap().services[0].health.settle;
    assert_eq!(settle(MINIMAL), Wait::seconds(1));
    assert_eq!(settle(&format!("app: shop\n{worker}")), Wait::seconds(3));
}

#[test]
fn a_service_says_as_whom_and_within_what_bounds_it_runs() {
    let text = "app: a\nservices:\n  w:\n    command: x\n    handover: overlap\n    instances: $CORES\n    \
                user: shop\n    group: www-data\n    umask: \"027\"\n    nice: 5\n    \
                limits: {nofile: 4096, core: 0, memory: 512M, stack: unlimited}\n    log: {size: 1g, keep: 1}\n";
    let config = app(text).unwrap();
    let service = &config.services[0];
    assert_eq!((service.instances, service.instances_on(2)), (Instances::Cores, vec![Some(1), Some(2)]));
    assert_eq!((service.instances_on(1), service.instance_name(None)), (vec![None], "w".to_owned()));
    let ProcessSettings { user, group, umask, nice, limits } = &service.process;
    assert_eq!((user.as_deref(), group.as_deref(), *nice), (Some("shop"), Some("www-data"), Some(5)));
    assert_eq!(umask.map(|umask| umask.0), Some(0o027));
    let limits: Vec<String> = limits.iter().map(|(name, bound)| format!("{} {bound}", name.name())).collect();
    assert_eq!(limits, ["nofile 4k", "core 0", "memory 512m", "stack unlimited"]);
    assert_eq!((service.log.size.0, service.log.keep), (1 << 30, 1));
    let stored = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&stored).unwrap(), config);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let problem = |text: &str| {
        let problems =
            app(&format!("app: a\nservices: {{w: {{command: x $SOCKET, {text}}}}}\n")).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].clone()
    };
    for (text, expected) in [
        (
            "instances: 2",
            "services.w.instances: several cannot listen on one socket (help: let its server have workers",
        ),
        (
            "handover: replace, instances: 2",
            "services.w.instances: what is replaced may run only once (help: take",
        ),
        (
            "handover: reload, reload: HUP, instances: 2",
            "services.w.instances: several cannot listen on one socket (help: let its server have workers",
        ),
        (
            "handover: reload, reload: HUP, user: shop",
            "services.w: a master that stays runs as the user who deploys (help: use `handover: socket`",
        ),
        (
            "handover: overlap, instances: 0",
            "services.w.instances: expected a number from 1 to 99, or $CORES",
        ),
        (
            "handover: overlap, instances: $N",
            "services.w.instances: expected a number from 1 to 99, or $CORES",
        ),
        ("umask: 27", "services.w.umask: expected three digits from 0 to 7 in quotes, such as \"027\""),
        ("umask: \"0999\"", "services.w.umask: expected three digits"),
        ("nice: 20", "services.w.nice is not from -20 to 19 (help: use 0 to 19"),
        ("user: \"a:b\"", "services.w.user: `a:b` is no name of a user"),
        ("limits: {nofiles: 5}", "unknown key `services.w.limits.nofiles` (help: did you mean `nofile`?)"),
        (
            "limits: {memory: much}",
            "services.w.limits.memory: expected a number, a size such as 512M, or unlimited",
        ),
        ("log: {size: 1k}", "a log of 1k holds too little: 16k at least"),
        ("log: {keep: 5000}", "5000 old logs are too many"),
    ] {
        let found = problem(text);
        assert!(found.starts_with(&format!("release.yml:2: {expected}")), "{found}");
    }
}

#[test]
fn the_server_may_say_how_many_workers_it_has() {
    let worker = "app: a\nservices: {w: {command: x, handover: overlap}}\n";
    let count = |server| both(worker, Some(server)).map(|config| config.services[0].instances);
    assert_eq!(count("services: {w: {instances: 4}}\n"), Ok(Instances::Number(4)));
    let problems = count("services: {w: {instances: 4, handover: replace}}\n").unwrap_err();
    assert!(problems[0].contains("may run only once"), "{problems:?}");
}

#[test]
fn a_command_that_leaves_its_processes_to_themselves_is_refused() {
    let text =
        "app: shop\nservices:\n  worker: {command: celery -A shop multi start w1 w2, handover: overlap}\n";
    let error = app(text).unwrap_err().remove(0);
    assert!(error.starts_with("release.yml:3: services.worker.command starts processes in the background"));
    assert!(error.contains("(help: run each worker in the foreground"), "{error}");
}

#[test]
fn entries_of_cron_are_read_and_named() {
    let text = "\
cron:
  - {at: \"0 5 * * 0\", run: python manage.py clear_models}
  - {at: \"@daily\", run: python manage.py clear_models --all, name: clear-all, env: {DAYS: 3}, user: www-data}
";
    let config = app(&format!("{MINIMAL}{text}")).unwrap();
    let names: Vec<_> = config.cron.iter().map(|entry| (entry.name.as_str(), entry.at.as_str())).collect();
    assert_eq!(names, [("clear-models", "0 5 * * 0"), ("clear-all", "@daily")]);
    assert_eq!(config.cron[1].env["DAYS"], "3");
    assert_eq!((&config.cron[0].user, config.cron[1].user.as_deref()), (&None, Some("www-data")));
    let stored = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&stored).unwrap(), config);
    // The server's list replaces the app's.
    assert_eq!(both(&format!("{MINIMAL}{text}"), Some("cron: []\n")).unwrap().cron, []);
}

#[test]
fn a_file_of_comments_alone_changes_nothing() {
    for text in ["", "# keep: 3\n", "---\n"] {
        assert_eq!(both(MINIMAL, Some(text)).unwrap(), app(MINIMAL).unwrap(), "{text:?}");
    }
}

#[test]
fn the_timers_of_systemd_start_entries_where_it_runs_the_services_unless_it_is_said() {
    for (text, timers) in [
        ("keep: 3", None),
        ("manager: systemd", Some(Scope::Auto)),
        ("manager: {systemd: user}", Some(Scope::User)),
        ("{manager: systemd, cron_by: crontab}", None),
        ("cron_by: timers", Some(Scope::Auto)),
        ("cron_by: crontab", None),
    ] {
        assert_eq!(both(MINIMAL, Some(text)).unwrap().timers(), timers, "{text}");
    }
    let wrong = app(&format!("{MINIMAL}cron_by: systemd\n")).unwrap_err();
    assert!(wrong[0].contains("cron_by: ") && wrong[0].contains("`crontab` or `timers`"), "{wrong:?}");
}

#[test]
fn a_wrong_entry_of_cron_is_told_by_its_line() {
    let text = "\
app: shop
cron:
  - {at: \"0 25 * * 0\", run: python manage.py clear}
  - {run: \"echo 'hi\"}
  - {at: \"@daily\", name: Clear!, run: x, timezone: UTC}
  - {at: \"@daily\", run: ./2.sh}
  - {at: 5, run: \" \"}
  - {at: \"@daily\", run: y}
  - {at: \"@hourly\", run: bin/y}
";
    let fields = "lists are `1,15`, ranges `1-5`, steps `*/10` or `8-18/2`; Sunday is 0, or write `mon-fri`";
    assert_eq!(
        app(text).unwrap_err(),
        [
            &format!(
                "release.yml:3: cron.0.at: `25` is no hour: 0 to 23, `*`, a list, a range or a step are (help: {fields})"
            ),
            "release.yml:4: cron.1: `at` is missing (help: say when it runs: `at: \"0 5 * * 0\"`, or `at: \"@daily\"`)",
            "release.yml:4: cron.1.run: a quote is not closed",
            "release.yml:5: cron.2.name: `Clear!` is not a plain name (help: begin with a letter; use lowercase letters, digits, `-` and `_`, at most 32 of them)",
            "release.yml:5: unknown key `cron.2.timezone` (help: known keys are at, run, name, env, user)",
            "release.yml:6: cron.3: its command gives it no name (help: give it a `name:`)",
            "release.yml:7: cron.4.at: invalid type: integer `5`, expected a string",
            "release.yml:7: cron.4: `run` is missing (help: say what it runs: `run: python manage.py clearsessions`)",
            "release.yml:9: cron.6: another entry is called `y` (help: give each a `name:` of its own)",
        ]
    );
    for unquoted in ["at: @daily", "at: */5 * * * *"] {
        let problems = app(&format!("app: shop\ncron: \n  - {unquoted}\n")).unwrap_err();
        assert!(problems[0].starts_with("release.yml:3: ") && problems[0].contains("quotes"), "{problems:?}");
    }
}
