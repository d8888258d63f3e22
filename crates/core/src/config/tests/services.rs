//! `services:`.

use super::{MINIMAL, app, both};
use crate::config::{Instances, Reload, Wait};
use crate::server::Protocol;

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
    let fifo = web("command: \"uwsgi -s $SOCKET --master-fifo=${SOCKET}.fifo\", handover: reload");
    assert_eq!(fifo.unwrap(), signal("HUP"));
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
            "command: uwsgi -s $SOCKET --master-fifo $RELEASE_ROOT/fifo, handover: reload, reload: \"sh -c 'echo r > x'\"",
            "services.web.command: a release that is booted beside its master would take its fifo over (help: give each \
             its own: `--master-fifo $SOCKET.fifo`, with `reload: sh -c 'echo r > $SOCKET.fifo'`)",
        ),
        (
            "command: uwsgi -s $SOCKET --lazy-apps --touch-chain-reload $RELEASE_ROOT/x, handover: reload, reload: touch $RELEASE_ROOT/x",
            "services.web.reload: its new workers stay where their master was started, in the old release (help: nobody \
             uses that master meanwhile, so all at once serves as well: `--touch-reload` in place of \
             `--touch-chain-reload`, `echo r` of `echo c`, or `reload: HUP`)",
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
fn a_worker_has_longer_to_find_out_that_it_cannot_work() {
    let worker = "services: {worker: {command: celery -A shop worker, handover: overlap}}\n";
    let settle = |text: &str| app(text).unwrap().services[0].health.settle;
    assert_eq!(settle(MINIMAL), Wait::seconds(1));
    assert_eq!(settle(&format!("app: shop\n{worker}")), Wait::seconds(3));
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
fn a_beat_that_would_run_twice_is_refused() {
    for command in ["celery -A shop worker -B", "celery -A shop beat"] {
        let with = |handover| {
            app(&format!("app: shop\nservices:\n  w: {{command: {command}, handover: {handover}}}\n"))
        };
        let error = with("overlap").unwrap_err().remove(0);
        assert!(error.starts_with("release.yml:3: services.w: a beat may run only once"), "{error}");
        assert!(error.contains("handover: replace"), "{error}");
        assert!(with("replace").is_ok());
    }
}
