//! `static:`, `media:` and `proxy:`.

use super::app;

#[test]
fn what_the_proxy_serves_is_guessed_or_said() {
    let served = |text: &str| {
        let config = app(text).unwrap();
        let place = |files: crate::config::Files| format!("{} {}", files.url, files.directory);
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
