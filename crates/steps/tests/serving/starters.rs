//! What else starts the app: units and programs as people write them.

use std::path::Path;

use release_core::config::{Config, Service};
use release_core::layout::Layout;
use release_steps::preflight::{Problem, starter_problems};
use release_testkit::{Answer, FakeHost, a_config};

const UNIT: &str = "/etc/systemd/system/shop.service";

/// As many a guide has it.
const GUNICORN: &str = "[Unit]\nDescription=gunicorn of shop\nAfter=network.target\n\n[Service]\nUser=www-data\n\
    WorkingDirectory=/srv/shop/current\n\
    ExecStart=/srv/shop/current/venv/bin/gunicorn --access-logfile - \\\n    --workers 3 --bind unix:/run/shop.sock other.wsgi:application\n\
    ExecReload=/bin/kill -s HUP $MAINPID\n\n[Install]\nWantedBy=multi-user.target\n";

fn config() -> Config {
    let sample = a_config();
    let named = |name: &str, command: &str| Service {
        name: name.to_owned(),
        command: command.to_owned(),
        ..sample.services[0].clone()
    };
    let services = vec![
        named("web", "gunicorn shop.wsgi -w 3 --bind unix:$SOCKET"),
        named("worker", "celery -A shop worker -Q calc"),
        named("queue", "python manage.py rqworker default"),
    ];
    Config { services, ..sample }
}

fn enabled(text: &str) -> FakeHost {
    let host = FakeHost::new();
    host.put_file(UNIT, text);
    host.put_link("/etc/systemd/system/multi-user.target.wants/shop.service", UNIT);
    host
}

fn found(host: &FakeHost) -> Vec<Problem> {
    starter_problems(host, &Layout::new("/srv/shop"), &config(), Some(Path::new("/home/shop")))
}

#[track_caller]
fn only(host: &FakeHost) -> (String, String) {
    let mut problems = found(host);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = problems.remove(0);
    (problem.what, problem.help.unwrap())
}

#[test]
fn a_server_that_is_started_through_current_is_told_with_what_a_reload_does() {
    let (what, help) = only(&enabled(GUNICORN));
    assert_eq!(
        what,
        "/etc/systemd/system/shop.service starts `gunicorn` through /srv/shop/current/: what it imports late comes from \
         the next release, and a reload mixes the new code with the old environment"
    );
    assert!(help.contains("`release exec --root /srv/shop -- gunicorn …`"), "{help}");
    let bare = GUNICORN.replace("WorkingDirectory=/srv/shop/current\n", "");
    assert!(only(&enabled(&bare)).0.ends_with("and names no directory to find the app in"));
    // A script by the interpreter, with its directory: all of it changes with a reload.
    let whole = GUNICORN.replace(
        "ExecStart=/srv/shop/current/venv/bin/gunicorn",
        "ExecStart=/srv/shop/current/venv/bin/python /srv/shop/current/venv/bin/gunicorn --chdir /srv/shop/current",
    );
    assert_eq!(found(&enabled(&whole)), []);
    let short = GUNICORN.replace("[Service]\n", "[Service]\nType=oneshot\n");
    assert_eq!(found(&enabled(&short)), [], "it is over before the next deploy");
}

#[test]
fn a_preloaded_master_that_is_reloaded_is_told() {
    let unit = GUNICORN.replace(
        "ExecStart=/srv/shop/current/venv/bin/gunicorn",
        "ExecStart=/srv/shop/current/venv/bin/python /srv/shop/current/venv/bin/gunicorn --chdir /srv/shop/current --preload",
    );
    let (what, help) = only(&enabled(&unit));
    assert!(
        what.contains("reloaded by `/bin/kill -s HUP $MAINPID`, and what its master has preloaded"),
        "{what}"
    );
    assert_eq!(help, "take `--preload` away, or the reload");
    assert_eq!(found(&enabled(&unit.replace("ExecReload=/bin/kill -s HUP $MAINPID\n", ""))), []);
}

#[test]
fn a_path_of_a_single_release_is_told_wherever_it_stands() {
    let release = "20261119T090000Z-aaaaaaa";
    for unit in [
        GUNICORN.replace("/srv/shop/current", &format!("/srv/shop/releases/{release}")),
        GUNICORN.replace("/srv/shop/current/venv/bin", "/usr/bin").replace(
            "WorkingDirectory=/srv/shop/current",
            &format!("Environment=A=/srv/shop/releases/{release}/a"),
        ),
    ] {
        let (what, help) = only(&enabled(&unit));
        assert_eq!(what, format!("{UNIT} runs from the single release {release}, whatever is active"));
        assert!(help.contains("release exec --root /srv/shop -- "), "{help}");
    }
}

#[test]
fn what_a_service_runs_already_is_told_with_the_way_to_switch_it_off() {
    for (command, service) in [
        ("/srv/shop/current/venv/bin/gunicorn --workers 5 shop.wsgi --bind 127.0.0.1:8000", "web"),
        ("/srv/shop/current/venv/bin/python -m gunicorn shop.wsgi", "web"),
        ("/usr/bin/release exec --root /srv/shop -- celery -A shop worker", "worker"),
        ("/srv/shop/current/venv/bin/python /srv/shop/current/manage.py rqworker low", "queue"),
    ] {
        let (what, help) = only(&enabled(&format!("[Service]\nExecStart={command}\n")));
        assert_eq!(
            what,
            format!("{UNIT} runs what services.{service} of release.yml runs: both of them at once")
        );
        assert_eq!(help, "switch it off: `systemctl --system disable --now shop.service`");
    }
    for other in ["celery -A shop beat", "python manage.py runworker", "celery -A shop flower"] {
        let unit = format!("[Service]\nExecStart=/usr/bin/release exec --root /srv/shop -- {other}\n");
        assert_eq!(found(&enabled(&unit)), [], "{other}");
    }
}

#[test]
fn the_programs_of_supervisord_are_judged_too() {
    let host = FakeHost::new();
    let program = "[program:shop]\ncommand=/srv/shop/current/venv/bin/gunicorn shop.wsgi\ndirectory=/srv/shop/current\n";
    host.put_file("/etc/supervisor/conf.d/shop.conf", program);
    let (what, help) = only(&host);
    assert!(
        what.starts_with("/etc/supervisor/conf.d/shop.conf, program shop runs what services.web"),
        "{what}"
    );
    assert!(help.contains("supervisorctl update"), "{help}");
    host.put_file("/etc/supervisor/conf.d/shop.conf", &format!("{program}autostart=false\n"));
    assert_eq!(found(&host), []);
}

#[test]
fn only_what_is_of_this_app_and_enabled_or_running_counts() {
    let disabled = FakeHost::new();
    disabled.put_file(UNIT, GUNICORN);
    assert_eq!(found(&disabled), [], "nothing starts it");
    disabled.on("systemctl --system is-active --quiet -- shop.service", Answer::ok());
    assert_eq!(found(&disabled).len(), 1, "it runs all the same");
    assert_eq!(found(&enabled(&GUNICORN.replace("/srv/shop/", "/srv/shop-2/"))), []);
    let timed = FakeHost::new();
    timed.put_file(UNIT, GUNICORN);
    timed.put_link("/etc/systemd/system/timers.target.wants/shop.timer", "/etc/systemd/system/shop.timer");
    assert_eq!(found(&timed).len(), 1, "a timer starts it");
    let own = FakeHost::new();
    own.put_file("/home/shop/.config/systemd/user/shop.service", GUNICORN);
    own.put_link("/home/shop/.config/systemd/user/default.target.wants/shop.service", UNIT);
    assert!(found(&own)[0].what.starts_with("/home/shop/.config/systemd/user/shop.service starts"));
    let dropped = enabled("[Service]\nExecStart=/bin/true\n");
    dropped.put_file(
        "/etc/systemd/system/shop.service.d/own.conf",
        "[Service]\nExecStart=\nExecStart=/srv/shop/current/venv/bin/gunicorn a\n",
    );
    assert_eq!(found(&dropped).len(), 1, "a drop-in counts");
}

#[test]
fn what_release_writes_itself_is_fine() {
    for command in [
        "/usr/bin/release start --root /srv/shop",
        "/usr/bin/release exec --root /srv/shop --boot 20261120T101500Z-3f2c1a9-g1 --service web",
        "/usr/bin/release cron run clear --at \"@daily\" --root /srv/shop",
    ] {
        let unit = format!(
            "[Service]\nWorkingDirectory=/srv/shop/releases/20261120T101500Z-3f2c1a9\nExecStart={command}\n"
        );
        assert_eq!(found(&enabled(&unit)), [], "{command}");
    }
}
