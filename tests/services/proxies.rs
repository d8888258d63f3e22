//! The generated files, each with the real program, and the app switched behind it under load.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::load::Load;
use crate::support::times;
use crate::support_proxies::{Proxy, Reply, Site, all, assert_told, curl, proxies, websocket};

const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[test]
fn every_proxy_serves_what_is_current_and_loses_nothing_when_it_changes() {
    let switches = times("RELEASE_TEST_SWITCHES", if all() { 10 } else { 3 });
    let site = Site::new();
    site.release(&["deploy", "main"]).exits(0);
    println!("| proxy | switches | requests | orders | failed | wrong release | lost | doubled |");
    for proxy in proxies() {
        let running = proxy.start(&site);
        passes_on(&site, *proxy);
        if proxy.serves_files() {
            serves_files(&site);
        }
        closes(&site, *proxy);
        let load = Load::start(site.address, &site.root);
        for _ in 0..switches {
            site.release(&["deploy", "--force"]).exits(0);
        }
        let report = load.stop();
        println!("| {} {} | {report} |", proxy.name(), proxy.version());
        report.assert_flawless(switches);
        drop(running);
    }
    site.stop();
}

fn get(site: &Site, path: &str) -> Reply {
    curl(&[], &format!("http://{}{path}", site.address))
}

fn passes_on(site: &Site, proxy: Proxy) {
    assert_eq!(get(site, "/").body, site.current());
    assert_told(site.address, proxy);
    assert_eq!(websocket(site.address, "/ws", "who is there"), "who is there", "{proxy:?}");
    for (size, status) in [(60_000, 200), (70_000, 413)] {
        let body = format!("@{}", file_of(site.directory(), size));
        let reply = curl(&["--data-binary", &body], &format!("http://{}/upload", site.address));
        assert_eq!(reply.status, status, "{proxy:?}: {reply:?}");
    }
}

fn file_of(directory: &Path, size: usize) -> String {
    let path = directory.join(format!("{size}.bin"));
    fs::write(&path, vec![b'x'; size]).unwrap();
    path.display().to_string()
}

fn serves_files(site: &Site) {
    for (path, body, cache) in [
        ("/static/app.txt", "plain\n", "no-cache"),
        ("/static/app.0123456789ab.js", "hashed\n", FOR_EVER),
        ("/static/assets/app-Bx3k_9aZ.js", "vite\n", FOR_EVER),
        ("/static/assets/x-timeline.js", "named\n", "no-cache"),
    ] {
        let reply = get(site, path);
        assert_eq!((reply.status, reply.body.as_str()), (200, body), "{path}: {reply:?}");
        assert_eq!(reply.header("cache-control"), cache, "{path}: {reply:?}");
    }
    assert_eq!(get(site, "/static/none.js").status, 404);
    for path in ["/static/../release.yml", "/static../release.yml", "/static/%2e%2e/release.yml"] {
        let reply = curl(&["--path-as-is"], &format!("http://{}{path}", site.address));
        assert!(!reply.body.contains("app: proxied"), "{path} is a file outside of the static ones");
    }
    fs::write(site.root.join("shared/media/photo.txt"), "a photo").unwrap();
    let photo = get(site, "/media/photo.txt");
    assert_eq!((photo.body.as_str(), photo.header("x-content-type-options")), ("a photo", "nosniff"));
}

/// The maintenance page, and the app's own 503, which is not taken for it.
fn closes(site: &Site, proxy: Proxy) {
    let own = get(site, "/busy");
    assert_eq!((own.status, own.body.as_str()), (503, "the app's own 503"), "{proxy:?}");
    let page = site.root.join("shared/maintenance.html");
    let close = |closed: bool| match (proxy, closed) {
        (Proxy::Haproxy, true) => haproxy(site, "disable server proxied/web"),
        (Proxy::Haproxy, false) => haproxy(site, "enable server proxied/web"),
        (_, true) => fs::write(&page, "We will be back").unwrap(),
        (_, false) => fs::remove_file(&page).unwrap(),
    };
    close(true);
    for words in [&[][..], &["-d", "key=value"]] {
        let reply = curl(words, &format!("http://{}/any/page", site.address));
        assert_eq!(reply.status, 503, "{proxy:?}: {reply:?}");
        assert_eq!(reply.header("retry-after"), "120", "{proxy:?}: {reply:?}");
        assert!(reply.body.contains("We will be back"), "{proxy:?}: {reply:?}");
    }
    if proxy.serves_files() {
        assert_eq!(get(site, "/static/app.txt").status, 200, "{proxy:?}: a page may need its style");
    }
    close(false);
    assert_eq!(get(site, "/").status, 200, "{proxy:?}");
}

/// Tells HAProxy, as its file says.
fn haproxy(site: &Site, what: &str) {
    use std::io::{Read, Write};
    let socket = site.root.join(".release/haproxy.sock");
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.write_all(format!("{what}\n").as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert_eq!(said.trim(), "", "{what}");
}

#[test]
fn a_second_service_is_reached_by_the_lines_that_each_file_has_for_it() {
    let site = Site::new();
    site.configure_with(", ws: {command: \"python3 app.py $SOCKET\", health: {settle: 100ms}}", "");
    site.release(&["deploy", "main"]).exits(0);
    for proxy in proxies() {
        let file = site.generate(proxy.name());
        let lines = without_comment_signs(&fs::read_to_string(&file).unwrap());
        fs::write(&file, lines).unwrap();
        let running = proxy.serve(site.directory(), &file, &[site.address]);
        for (path, service) in [("/service", "web"), ("/ws/service", "ws")] {
            assert_eq!(get(&site, path).body, service, "{proxy:?}");
        }
        assert_eq!(websocket(site.address, "/ws/chat", "who is there"), "who is there", "{proxy:?}");
        drop(running);
    }
    site.stop();
}

/// What follows "For paths of its own:" as it is meant to be used.
fn without_comment_signs(text: &str) -> String {
    let mut is_meant = false;
    let mut line = |line: &str| {
        let comment = line.trim_start().strip_prefix("# ");
        let was_meant = is_meant;
        is_meant = comment.is_some_and(|text| was_meant || text.ends_with("For paths of its own:"));
        let shown = comment.filter(|_| was_meant).unwrap_or(line);
        format!("{shown}\n")
    };
    text.lines().map(&mut line).collect()
}

#[test]
fn every_proxy_speaks_tls_with_the_certificate_that_is_named() {
    let site = Site::new();
    let [certificate, key] = ["c.pem", "c.pem.key"].map(|name| site.root.join(name));
    certify(&certificate, &key);
    // Below the root: by a path that is not absolute, too.
    site.configure(&format!(
        ", server_name: localhost, tls: {{certificate: {}, key: c.pem.key}}",
        certificate.display()
    ));
    site.release(&["deploy", "main"]).exits(0);
    for proxy in proxies() {
        let running = proxy.start(&site);
        let url = format!("https://localhost:{}/headers", site.address.port());
        let reply = curl(&["--cacert", &certificate.display().to_string()], &url);
        let seen: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((reply.status, &seen["x-forwarded-proto"]), (200, &"https".into()), "{proxy:?}: {seen}");
        drop(running);
    }
    site.stop();
}

fn certify(certificate: &Path, key: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    command
        .args(["-addext", "subjectAltName=DNS:localhost", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
