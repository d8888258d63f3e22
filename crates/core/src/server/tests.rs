use super::{Protocol, Server, complete, has_control_socket};
use crate::config::Wait;

fn words(command: &str) -> Vec<String> {
    shell_words::split(command).unwrap()
}

fn of(command: &str) -> Server {
    Server::of(&words(command))
}

fn completed(command: &str, wait: u64, control_socket: bool) -> Vec<String> {
    complete(words(command), Wait::seconds(wait), control_socket)
}

#[test]
fn a_server_is_known_by_its_name_wherever_it_is() {
    for command in [
        "gunicorn shop.wsgi -w 2 --bind unix:$SOCKET",
        "gunicorn shop.asgi -k uvicorn.workers.UvicornWorker --bind unix:$SOCKET",
        "/srv/shop/venv/bin/gunicorn shop.wsgi",
        "python -m gunicorn shop.wsgi",
        "python3.11 venv/bin/gunicorn shop.wsgi",
        "nice -n 5 gunicorn shop.wsgi",
        "newrelic-admin run-program gunicorn shop.wsgi",
    ] {
        assert_eq!(of(command), Server::Gunicorn, "{command}");
    }
    assert_eq!(of("uvicorn shop.asgi:application --uds $SOCKET"), Server::Uvicorn);
    assert_eq!(of("daphne -u $SOCKET shop.asgi:application"), Server::Daphne);
    assert_eq!(of("hypercorn shop.asgi -b unix:$SOCKET"), Server::Hypercorn);
    assert_eq!(of("granian --interface wsgi --uds $SOCKET shop.wsgi"), Server::Granian);
    assert_eq!(of("uwsgi --ini shop.ini"), Server::Uwsgi);
    for command in ["node server.js", "npm start", "python manage.py serve --like a gunicorn", ""] {
        assert_eq!(of(command), Server::Other, "{command}");
    }
}

#[test]
fn gunicorn_may_finish_for_as_long_as_it_may_take_to_stop() {
    let command = "gunicorn shop.wsgi --bind unix:web.sock";
    assert_eq!(completed(command, 40, false), words(&format!("{command} --graceful-timeout 35")));
    assert_eq!(completed(command, 3, false), words(&format!("{command} --graceful-timeout 1")));
    let said = "gunicorn shop.wsgi --graceful-timeout=5";
    assert_eq!(completed(said, 40, false), words(said));
}

#[test]
fn two_gunicorns_do_not_share_a_control_socket() {
    let command = "python -m gunicorn shop.wsgi --graceful-timeout 9";
    assert_eq!(completed(command, 40, true), words(&format!("{command} --no-control-socket")));
    for said in ["--control-socket /run/shop.ctl", "--control-socket=/run/shop.ctl", "--no-control-socket"] {
        let command = format!("{command} {said}");
        assert_eq!(completed(&command, 40, true), words(&command));
    }
    assert!(has_control_socket(["django-5.2.dist-info", "gunicorn", "gunicorn-27.0.1.dist-info"]));
    assert!(has_control_socket(["gunicorn-25.1.0.dist-info"]));
    for old in ["gunicorn-25.0.3.dist-info", "gunicorn-20.1.0.dist-info", "gunicorn_color-99.0.dist-info"] {
        assert!(!has_control_socket([old]), "{old}");
    }
}

#[test]
fn hypercorn_does_not_give_up_after_three_seconds() {
    let command = "hypercorn shop.asgi -b unix:web.sock";
    assert_eq!(completed(command, 600, true), words(&format!("{command} --graceful-timeout 595")));
}

#[test]
fn uwsgi_finishes_on_term_instead_of_loading_again() {
    let hook = "--master --hook-master-start 'unix_signal:15 gracefully_kill_them_all'";
    for command in ["uwsgi --http-socket web.sock", "uwsgi --ini shop.ini", "uwsgi --die-on-term -s web.sock"]
    {
        assert_eq!(
            completed(command, 40, false),
            words(&format!("{command} --worker-reload-mercy 35 {hook}"))
        );
    }
    let own = format!("uwsgi --worker-reload-mercy 9 {hook}");
    assert_eq!(completed(&own, 40, false), words(&own));
}

#[test]
fn servers_that_need_nothing_get_nothing() {
    for command in ["uvicorn a:b", "daphne a:b", "granian a:b", "node server.js", "npm start"] {
        assert_eq!(completed(command, 40, true), words(command));
    }
}

#[test]
fn who_cuts_requests_off_is_waited_for_longer() {
    let drain = |command: &str| of(command).drain(&words(command));
    for command in
        ["gunicorn a -w 2", "uwsgi -s a", "hypercorn a", "hypercorn -w 1 a", "hypercorn --workers=1 a"]
    {
        assert_eq!(drain(command), Wait::seconds(10), "{command}");
    }
    let several =
        ["hypercorn -w 2 a", "hypercorn -w4 a", "hypercorn a --workers 3", "hypercorn --workers=$CORES a"];
    for command in ["daphne a", "node a"].into_iter().chain(several) {
        assert_eq!(drain(command), Wait::seconds(30), "{command}");
    }
}

#[test]
fn a_socket_may_be_named_elsewhere_than_in_the_command() {
    let finds = |command: &str| of(command).finds_socket(&words(command));
    for command in
        ["node server.js", "uwsgi --ini shop.ini", "uwsgi shop.yaml", "gunicorn -c conf.py shop.wsgi"]
    {
        assert!(finds(command), "{command}");
    }
    for command in ["gunicorn shop.wsgi", "uvicorn a:b", "daphne a:b", "uwsgi --module app"] {
        assert!(!finds(command), "{command}");
    }
}

#[test]
fn uwsgi_speaks_its_own_protocol_on_a_plain_socket() {
    let protocol = |command: &str| of(command).protocol(&words(command));
    for command in ["uwsgi -s $SOCKET", "uwsgi --socket=$SOCKET", "uwsgi --uwsgi-socket $SOCKET"] {
        assert_eq!(protocol(command), Protocol::Uwsgi, "{command}");
    }
    for command in ["uwsgi --http-socket $SOCKET", "gunicorn -s x --bind unix:$SOCKET", "uwsgi --socket-x y"]
    {
        assert_eq!(protocol(command), Protocol::Http, "{command}");
    }
}
