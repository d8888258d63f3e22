//! `manager:`.

use super::{app, both};
use crate::config::{Manager, Scope, ServerSupervisord};

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
