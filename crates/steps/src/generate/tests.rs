use release_core::config::{Config, Source, parse};
use release_core::layout::Layout;

use super::{Facts, GenerateError, Kind, Machine, file};

const APP: &str = "\
app: my-shop
django: {settings: shop.settings}
linked_dirs: [media, log]
services: {web: {command: \"gunicorn --bind unix:$SOCKET\", stop: [TERM 10m, INT 30s]}}
";

fn config(more: &str) -> Config {
    let text = format!("{APP}{more}");
    parse(Some(Source { name: "release.yml", text: &text }), None).unwrap()
}

fn made(kind: Kind, more: &str) -> String {
    file(kind, &facts("/srv/shop", &config(more)).unwrap()).unwrap()
}

fn facts(root: &str, config: &Config) -> Result<Facts, GenerateError> {
    let machine =
        Machine { program: "/usr/local/bin/release".into(), user: "deploy".into(), group: "www-data".into() };
    Facts::of(&Layout::new(root), config, machine)
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found.trim() == *line), "no `{line}` in\n{text}");
    }
}

#[test]
fn no_file_names_a_release_and_each_says_how_it_is_installed() {
    let tls = "proxy: {server_name: shop.example.org, tls: {certificate: /c.pem, key: tls/k.pem}}\n";
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(kind));
        for more in ["", tls, "static: false\nmedia: false\nproxy: {listen: \"[::1]:81\"}\n"] {
            let text = made(kind, more);
            assert!(!text.contains("releases/"), "{text}");
            assert!(text.contains(&format!("`release generate {}`", kind.name())), "{text}");
        }
    }
}

#[test]
fn nginx_listens_redirects_and_serves_through_current() {
    let plain = made(Kind::Nginx, "");
    has(
        &plain,
        &[
            "listen 80;",
            "listen [::]:80;",
            "server_name _;",
            "client_max_body_size 20m;",
            "alias /srv/shop/current/static_root/;",
            "alias /srv/shop/current/media/;",
            "proxy_pass http://unix:/srv/shop/current/run/web.sock;",
            "if (-f /srv/shop/shared/maintenance.html) {",
            "map $uri $my_shop_cache {",
        ],
    );
    assert!(!plain.contains("ssl_certificate"), "{plain}");
    let below = Config { directory: "services/shop".to_owned(), ..config("") };
    let below = file(Kind::Nginx, &facts("/srv/shop", &below).unwrap()).unwrap();
    has(&below, &["alias /srv/shop/current/services/shop/static_root/;"]);
    has(&below, &["proxy_pass http://unix:/srv/shop/current/run/web.sock;"]);
    let tls = made(
        Kind::Nginx,
        "proxy: {server_name: [a.org, b.org], tls: {certificate: /c.pem, key: tls/k.pem}}\n",
    );
    has(&tls, &["listen 443 ssl;", "server_name a.org b.org;", "ssl_certificate_key /srv/shop/tls/k.pem;"]);
    has(&tls, &["listen 80;", "return 301 https://$host$request_uri;"]);
    let port = made(Kind::Nginx, "proxy: {listen: 127.0.0.1:8443, tls: {certificate: /c, key: /k}}\n");
    has(&port, &["listen 127.0.0.1:8443 ssl;"]);
    assert!(!port.contains("301"), "a port that was said is the only one\n{port}");
}

const UWSGI: &str = "services: {web: {command: \"uwsgi --socket $SOCKET --module shop.wsgi\"}}\n";
const BOTH: &str = "services: {web: {command: \"gunicorn --bind unix:$SOCKET\"}, ws: {command: \"daphne -u $SOCKET a:b\"}, \
                    api: {command: \"uwsgi --socket $SOCKET --module api\"}, queue: {command: huey, handover: overlap}}\n";

fn of_services(kind: Kind, services: &str) -> Result<String, GenerateError> {
    let text = format!("app: my-shop\n{services}");
    let config = parse(Some(Source { name: "release.yml", text: &text }), None).unwrap();
    file(kind, &facts("/srv/shop", &config).unwrap())
}

#[test]
fn what_speaks_the_uwsgi_protocol_is_asked_in_it() {
    let nginx = of_services(Kind::Nginx, UWSGI).unwrap();
    has(
        &nginx,
        &[
            "uwsgi_pass unix:/srv/shop/current/run/web.sock;",
            "include uwsgi_params;",
            "uwsgi_param HTTP_X_FORWARDED_PROTO $scheme;",
            "uwsgi_read_timeout 300s;",
        ],
    );
    assert!(!nginx.contains("proxy_set_header") && !nginx.contains("$http_upgrade"), "{nginx}");
    let apache = of_services(Kind::Apache, UWSGI).unwrap();
    has(
        &apache,
        &[
            "ProxyPass / unix:/srv/shop/current/run/web.sock|uwsgi://localhost/ enablereuse=off timeout=300",
            "RequestHeader append X-Forwarded-For \"expr=%{REMOTE_ADDR}\"",
        ],
    );
    assert!(apache.contains(" proxy proxy_uwsgi rewrite "), "{apache}");
    for (kind, name) in [(Kind::Caddy, "caddy"), (Kind::Haproxy, "haproxy")] {
        let error = of_services(kind, UWSGI).unwrap_err();
        let what = format!("service `web` speaks the uwsgi protocol, and {name} does not");
        assert_eq!(error.to_string(), what);
        assert!(error.help().contains("`uwsgi --http-socket $SOCKET"), "{}", error.help());
    }
}

#[test]
fn services_to_which_nothing_is_sent_are_named_with_what_would_send_it() {
    let lines: [(Kind, &[&str]); 4] = [
        (
            Kind::Nginx,
            &[
                "proxy_pass http://unix:/srv/shop/current/run/web.sock;",
                "# location /ws/ {",
                "#     proxy_pass http://unix:/srv/shop/current/run/ws.sock;",
                "#     uwsgi_pass unix:/srv/shop/current/run/api.sock;",
                "include uwsgi_params;",
            ],
        ),
        (Kind::Caddy, &["# reverse_proxy /ws/* unix//srv/shop/current/run/ws.sock {"]),
        (
            Kind::Haproxy,
            &[
                "# use-server ws if { path_beg /ws/ }",
                "# server ws unix@/srv/shop/current/run/ws.sock weight 0",
            ],
        ),
        (
            Kind::Apache,
            &[
                "# ProxyPass /ws/ unix:/srv/shop/current/run/ws.sock|http://ws/ws/ enablereuse=off upgrade=websocket timeout=300",
                "# ProxyPass /api/ unix:/srv/shop/current/run/api.sock|uwsgi://api/api/ enablereuse=off timeout=300",
            ],
        ),
    ];
    for (kind, lines) in lines {
        let text = of_services(kind, BOTH).unwrap();
        has(&text, lines);
        let told = text.matches("listens, too").count();
        assert_eq!((told, text.contains("queue")), (2, false), "{text}");
        assert!(!made(kind, "").contains("listens, too"));
    }
}

#[test]
fn caddy_gets_a_certificate_by_itself_only_for_a_name_alone() {
    let site = |more: &str| {
        let text = made(Kind::Caddy, more);
        text.lines().find(|line| line.ends_with('{')).unwrap().to_owned()
    };
    assert_eq!(site(""), "http://:80 {");
    assert_eq!(site("proxy: {listen: 127.0.0.1:8080}\n"), "http://:8080 {");
    assert_eq!(site("proxy: {server_name: a.org b.org}\n"), "a.org, b.org {");
    assert_eq!(site("proxy: {server_name: a.org, listen: 8080}\n"), "http://a.org:8080 {");
    assert_eq!(site("proxy: {tls: {certificate: /c, key: /k}}\n"), "https://:443 {");
}

#[test]
fn haproxy_and_apache_listen_where_they_are_told() {
    let more = "proxy: {listen: \"[::1]:8443\", server_name: a.org b.org, tls: {certificate: /c, key: /k}}\n";
    has(
        &made(Kind::Haproxy, more),
        &["bind [::1]:8443 ssl crt /c", "server web unix@/srv/shop/current/run/web.sock"],
    );
    let apache = made(Kind::Apache, more);
    has(&apache, &["Listen [::1]:8443", "<VirtualHost [::1]:8443>", "ServerName a.org", "ServerAlias b.org"]);
    assert!(!made(Kind::Apache, "").contains("\nListen"), "Debian's ports.conf listens on 80 and 443");
}

#[test]
fn a_unit_waits_as_long_as_the_app_may_take() {
    let unit = made(Kind::Systemd, "");
    has(
        &unit,
        &["User=deploy", "TimeoutStopSec=720", "ExecStart=/usr/local/bin/release start --root /srv/shop"],
    );
    has(&made(Kind::Supervisor, ""), &["[program:my-shop]", "stopwaitsecs=720"]);
    has(&made(Kind::Logrotate, ""), &["/srv/shop/.release/log/boot.log /srv/shop/shared/log/*.log {"]);
}

#[test]
fn what_another_manager_runs_is_neither_started_nor_stopped_by_the_boots_unit() {
    let system = made(Kind::Systemd, "manager: {systemd: system}\n");
    has(&system, &["User=deploy", "WantedBy=multi-user.target"]);
    assert!(!system.contains("ExecStop"), "systemd ends its units itself\n{system}");
    let user = made(Kind::Systemd, "manager: systemd\n");
    has(&user, &["WantedBy=default.target"]);
    assert!(!user.contains("User=") && !user.contains("network-online"), "{user}");
    has(
        &made(Kind::Logrotate, "manager: systemd\n"),
        &[
            "/srv/shop/.release/log/boot.log /srv/shop/.release/log/service/*.log /srv/shop/shared/log/*.log {",
        ],
    );
    let server = made(Kind::Supervisor, "manager: {supervisord: /run/s.sock, programs: /etc/s}\n");
    has(&server, &["command=/usr/local/bin/release start --root /srv/shop", "startsecs=0"]);
}

#[test]
fn what_no_file_could_say_right_is_refused() {
    let error = facts("/srv/my shop", &config("")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`/srv/my shop` holds characters that not every configuration file can name"
    );
    let worker = Config { app: "shop".to_owned(), ..Config::default() };
    let facts = facts("/srv/shop", &worker).unwrap();
    assert!(matches!(file(Kind::Nginx, &facts), Err(GenerateError::NoService)));
    assert!(file(Kind::Systemd, &facts).is_ok());
}
