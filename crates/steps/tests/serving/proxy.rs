use std::path::PathBuf;

use release_core::config::{Config, Verify, Wait};
use release_core::host::Address;
use release_core::layout::Layout;
use release_core::server::Protocol;
use release_steps::generate::{self, Facts, Kind, Machine};
use release_steps::preflight::{Problem, live_proxy_problems, proxy_problems};
use release_testkit::{Answer, FakeHost, a_config};

const GOOD: &str = "server {
  location /static/ { alias /srv/shop/current/static/; }
  location / { proxy_pass http://unix:/srv/shop/current/run/web.sock; }
}
";

fn nginx(site: &str) -> FakeHost {
    let host = FakeHost::new();
    host.put_file("/etc/nginx/nginx.conf", "http { include sites-enabled/*; }\n");
    host.put_file("/etc/nginx/sites-available/shop", site);
    host.put_link("/etc/nginx/sites-enabled/shop", "/etc/nginx/sites-available/shop");
    host.on("nginx -v", Answer::ok().says("nginx version: nginx/1.22.1"));
    host
}

fn found(host: &FakeHost) -> Vec<Problem> {
    proxy_problems(host, &Layout::new("/srv/shop"), &a_config())
}

fn only(host: &FakeHost) -> Problem {
    let mut problems = found(host);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn a_proxy_that_goes_through_current_is_fine_and_so_is_none() {
    assert_eq!(found(&nginx(GOOD)), []);
    assert_eq!(found(&FakeHost::new()), []);
}

#[test]
fn a_path_of_a_single_release_is_told_with_its_line() {
    let site = GOOD.replace("/srv/shop/current/static", "/srv/shop/releases/20261119T090000Z-aaaaaaa/static");
    let problem = only(&nginx(&site));
    assert!(
        problem.what.starts_with("/etc/nginx/sites-enabled/shop:2: `alias /srv/shop/releases/"),
        "{}",
        problem.what
    );
    assert_eq!(problem.help.as_deref(), Some("write /srv/shop/current instead"));
}

#[test]
fn a_proxy_that_does_not_know_the_app_is_told_where_its_file_comes_from() {
    let problem = only(&nginx("# /srv/shop/current\nserver { root /srv/shop/current-old; }\n"));
    assert_eq!(problem.what, "the proxy's configuration does not mention /srv/shop/current");
    assert!(problem.help.unwrap().contains("`release generate nginx`"));
}

fn generated(kind: Kind, protocol: Protocol) -> String {
    let machine = Machine { program: "/usr/bin/release".into(), user: "shop".into(), group: "shop".into() };
    let mut config = a_config();
    config.services[0].health.protocol = protocol;
    let facts = Facts::of(&Layout::new("/srv/shop"), &config, machine).unwrap();
    generate::file(kind, &facts).unwrap()
}

#[test]
fn the_generated_file_is_fine_for_any_nginx() {
    for protocol in [Protocol::Http, Protocol::Uwsgi] {
        let host = nginx(&generated(Kind::Nginx, protocol));
        host.on("nginx -v", Answer::ok().says("nginx version: nginx/1.29.7"));
        assert_eq!(found(&host), [], "{protocol:?}");
    }
}

#[test]
fn the_file_of_another_proxy_is_fine_and_so_is_not_one_that_names_a_release() {
    for kind in [Kind::Caddy, Kind::Haproxy, Kind::Apache] {
        let mut config = a_config();
        config.proxy.config = vec!["/etc/proxy".to_owned()];
        let found = |text: &str| {
            let host = FakeHost::new();
            host.put_file("/etc/proxy", text);
            proxy_problems(&host, &Layout::new("/srv/shop"), &config)
        };
        let text = generated(kind, Protocol::Http);
        assert_eq!(found(&text), [], "{kind:?}");
        let past = text.replace("/current/run", "/releases/20261119T090000Z-aaaaaaa/run");
        let told = found(&past);
        let line = past.lines().position(|line| line.contains("/releases/")).unwrap() + 1;
        assert!(told[0].what.starts_with(&format!("/etc/proxy:{line}: `")), "{kind:?}: {told:?}");
        assert!(told[0].what.ends_with("` names a single release, and would go on serving it"), "{told:?}");
    }
}

#[test]
fn a_kept_alive_upstream_of_ours_is_told_and_another_is_not() {
    let ours = "upstream web { server unix:/srv/shop/current/run/web.sock; keepalive 16; }\n";
    let other = "upstream api { server unix:/run/api.sock; keepalive 16; }\n";
    let problem = only(&nginx(&format!("{other}{ours}{GOOD}")));
    assert_eq!(
        problem.what,
        "/etc/nginx/sites-enabled/shop:2: `keepalive 16` keeps connections to the old release open"
    );
    assert_eq!(found(&nginx(&format!("{other}{}{GOOD}", ours.replace("16", "0")))), []);
}

#[test]
fn an_nginx_that_keeps_connections_by_default_must_be_told_not_to() {
    let closing = GOOD.replace("web.sock;", "web.sock; proxy_set_header Connection \"close\";");
    for (version, site, count) in
        [("1.29.7", GOOD, 1), ("1.30.0 (Ubuntu)", GOOD, 1), ("1.29.6", GOOD, 0), ("1.30.0", &closing, 0)]
    {
        let host = nginx(site);
        host.on("nginx -v", Answer::ok().says(&format!("nginx version: nginx/{version}")));
        assert_eq!(found(&host).len(), count, "{version}");
    }
}

#[test]
fn files_that_were_named_are_read_instead_of_the_usual_ones() {
    let mut config = a_config();
    config.proxy.config = vec!["proxy.conf".to_owned(), "/etc/missing.conf".to_owned()];
    let host = nginx("");
    host.put_file("/srv/shop/proxy.conf", GOOD);
    let problems = proxy_problems(&host, &Layout::new("/srv/shop"), &config);
    let whats: Vec<&str> = problems.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(whats, ["proxy.config names /etc/missing.conf, which does not exist"]);
}

/// What a true `nginx -T` prints, both streams together.
const DUMP: &str = "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
nginx: configuration file /etc/nginx/nginx.conf test is successful
# configuration file /etc/nginx/nginx.conf:
events {}
http {
    include /opt/sites/*;
}

# configuration file /opt/sites/shop:
server {
    location / { proxy_pass http://unix:/srv/shop/releases/20261119T090000Z-aaaaaaa/run/web.sock; }
    location /api/ { proxy_pass http://unix:/srv/shop/current/run/web.sock; }
}
";

#[test]
fn all_that_nginx_loads_is_judged_wherever_it_includes_it() {
    let host = nginx("");
    host.on("nginx -T", Answer::ok().says(DUMP));
    let problem = only(&host);
    assert!(
        problem.what.starts_with("/opt/sites/shop:2: `proxy_pass http://unix:/srv/shop/releases/"),
        "{}",
        problem.what
    );
    // Who may not ask gets an answer by the usual files.
    host.on("nginx -T", Answer::code(1).says("nginx: [emerg] open() \"/run/nginx.pid\" failed"));
    assert!(only(&host).what.contains("does not mention"));
}

#[test]
fn the_socket_of_a_single_boot_is_told_though_it_is_reached_through_current() {
    let problem = only(&nginx(&GOOD.replace("run/web.sock", "run/web-g2.sock")));
    assert!(problem.what.ends_with("names the socket of a single boot"), "{}", problem.what);
    assert_eq!(problem.help.as_deref(), Some("write /srv/shop/current/run/web.sock instead"));
}

#[test]
fn websockets_that_do_not_get_through_are_told_where_the_app_is_known_to_have_some() {
    let asgi = "from channels.routing import ProtocolTypeRouter\napplication = ProtocolTypeRouter({'websocket': 1})\n";
    let found = |site: &str, command: &str, module: &str| {
        let host = nginx(site);
        host.put_file("/srv/shop/releases/one/shop/asgi.py", module);
        host.put_link("/srv/shop/current", "/srv/shop/releases/one");
        let mut config = a_config();
        config.services[0].command = command.to_owned();
        proxy_problems(&host, &Layout::new("/srv/shop"), &config)
    };
    let daphne = "daphne -u $SOCKET shop.asgi:application";
    let told = found(GOOD, daphne, asgi);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].what.starts_with("/srv/shop/current/shop/asgi.py has websockets"), "{}", told[0].what);
    assert!(told[0].help.as_ref().unwrap().contains("proxy_set_header Upgrade $http_upgrade;"));
    let upgrading = GOOD.replace("web.sock;", "web.sock; proxy_set_header Upgrade $http_upgrade;");
    assert_eq!(found(&upgrading, daphne, asgi), []);
    assert_eq!(found(GOOD, daphne, "application = get_asgi_application()\n"), []);
    assert_eq!(found(GOOD, "gunicorn shop.wsgi --bind unix:$SOCKET", asgi), []);
}

/// The app answers `app`, its proxy `page` to pages and `file` to static files.
fn told(app: u16, page: u16, file: u16) -> Vec<String> {
    told_of(Protocol::Http, app, page, file)
}

fn told_of(protocol: Protocol, app: u16, page: u16, file: u16) -> Vec<String> {
    let host = FakeHost::new();
    host.put_file("/srv/shop/releases/one/static_root/app.css", "");
    host.put_link("/srv/shop/current", "/srv/shop/releases/one");
    let proxy = Address::Tcp { address: "127.0.0.1:80".to_owned(), host: "127.0.0.1".to_owned() };
    let socket = PathBuf::from("/srv/shop/current/run/web.sock");
    let address = match protocol {
        Protocol::Http => Address::Socket(socket),
        Protocol::Uwsgi => Address::Uwsgi(socket),
    };
    host.serve_in_turn(address, &[app]);
    host.serve(proxy, move |_, path| Some(if path == "/static/app.css" { file } else { page }));
    let url = "http://127.0.0.1/healthz".to_owned();
    let mut config = Config { verify: Some(Verify { url, timeout: Wait::seconds(1) }), ..a_config() };
    config.services[0].health.protocol = protocol;
    let problems = live_proxy_problems(&host, &Layout::new("/srv/shop"), &config);
    problems.into_iter().map(|problem| problem.what).collect()
}

#[test]
fn the_proxy_that_runs_is_asked_and_not_blamed_for_the_app() {
    assert_eq!(told(200, 200, 200), [""; 0]);
    assert_eq!(
        told(200, 502, 200),
        ["the app is well, and its proxy answers 502 to GET http://127.0.0.1/healthz"]
    );
    assert_eq!(told(500, 502, 200), [""; 0]);
    let missing =
        "/srv/shop/current/static_root/app.css is there, and the proxy answers 404 to GET /static/app.css";
    assert_eq!(told(200, 200, 404), [missing]);
    // A uWSGI that speaks no HTTP is asked as it wants to be.
    assert_eq!(told_of(Protocol::Uwsgi, 200, 502, 200).len(), 1);
    assert_eq!(told_of(Protocol::Uwsgi, 500, 502, 200), [""; 0]);
    assert_eq!(live_proxy_problems(&FakeHost::new(), &Layout::new("/srv/shop"), &a_config()), []);
}
