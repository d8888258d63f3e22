//! What `release.yml` says of the proxy in front of the app: `static:`, `media:` and `proxy:`.

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::fields::{Fields, Report, name};
use super::parse::check_path;
use super::{Config, Listen, Size};

/// Files that the proxy serves without asking the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Where their URLs begin: a path that ends with `/`.
    pub url: String,
    /// Their directory in the release.
    pub directory: String,
}

/// Whether the proxy serves files of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serving {
    /// From the usual place, if the app looks as if it had them.
    #[default]
    Usual,
    /// Not at all: the app does, or has none.
    Never,
    /// From there.
    From(Files),
}

/// The proxy in front of the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proxy {
    /// Its files, for `release check`; none to look in the usual places.
    pub config: Vec<String>,
    /// The site's host names; none for whatever is asked for.
    pub server_name: Vec<String>,
    /// Where it listens; `None` for port 80, and 443 with TLS.
    pub listen: Option<Listen>,
    /// Its certificate; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// The largest body of a request that it passes on.
    pub max_body: Size,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            config: Vec::new(),
            server_name: Vec::new(),
            listen: None,
            tls: None,
            max_body: Size(20 << 20),
        }
    }
}

/// A certificate and its key, by their paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// The certificate with its chain, as PEM.
    pub certificate: String,
    /// Its key, as PEM.
    pub key: String,
}

impl Config {
    /// The static files that the proxy serves; by default those of a Django app, in `static_root`.
    pub fn served_static(&self) -> Option<Files> {
        served(&self.static_files, self.django.is_some(), "/static/", "static_root")
    }

    /// The uploads that the proxy serves; by default those in `media`, if that is linked.
    pub fn served_media(&self) -> Option<Files> {
        served(&self.media, self.linked_dirs.iter().any(|dir| dir == "media"), "/media/", "media")
    }
}

fn served(serving: &Serving, has: bool, url: &str, directory: &str) -> Option<Files> {
    match serving {
        Serving::Usual => has.then(|| Files { url: url.to_owned(), directory: directory.to_owned() }),
        Serving::Never => None,
        Serving::From(files) => Some(files.clone()),
    }
}

/// Reads `static:` or `media:`: `false`, or where the files are.
pub(super) fn serving(
    fields: &mut Fields,
    key: &'static str,
    usual: [&str; 2],
    report: &mut Report<'_>,
) -> Serving {
    let path = fields.at(key);
    match fields.value(key) {
        None | Some(Value::Bool(true)) => Serving::Usual,
        Some(Value::Bool(false)) => Serving::Never,
        Some(value) => Serving::From(files(value, path, usual, report)),
    }
}

fn files(value: Value, path: Vec<String>, [url, directory]: [&str; 2], report: &mut Report<'_>) -> Files {
    let mut fields = Fields::new(value, path, report);
    let files = Files {
        url: fields.take("url", report).unwrap_or_else(|| url.to_owned()),
        directory: fields.take("directory", report).unwrap_or_else(|| directory.to_owned()),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    let inner = files.url.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    if inner.is_none_or(str::is_empty) || !files.url.chars().all(plain) {
        let at = fields.at("url");
        let what = format!("{}: `{}` does not begin and end with `/`, or is not plain", name(&at), files.url);
        report.add(&at, what, Some(format!("write it like `{url}`")));
    }
    check_path(&fields.at("directory"), &files.directory, report);
    fields.finish(report);
    files
}

/// Reads `proxy:`.
pub(super) fn proxy(value: Value, report: &mut Report<'_>) -> Proxy {
    let usual = Proxy::default();
    let mut fields = Fields::new(value, vec!["proxy".to_owned()], report);
    let proxy = Proxy {
        config: fields.take("config", report).unwrap_or_default(),
        server_name: server_name(&mut fields, report),
        listen: fields.take("listen", report),
        tls: fields.value("tls").map(|value| tls(value, fields.at("tls"), report)),
        max_body: fields.take("max_body", report).unwrap_or(usual.max_body),
    };
    fields.finish(report);
    proxy
}

/// A name, several in one text, or a list of them.
fn server_name(fields: &mut Fields, report: &mut Report<'_>) -> Vec<String> {
    let at = fields.at("server_name");
    let given = match fields.value("server_name") {
        Some(Value::String(text)) => Ok(text.split_whitespace().map(str::to_owned).collect()),
        Some(value) => serde_yaml::from_value::<Vec<String>>(value),
        None => Ok(Vec::new()),
    };
    let names = given.unwrap_or_else(|error| {
        report.add(&at, format!("{}: {error}", name(&at)), None);
        Vec::new()
    });
    for host in names.iter().filter(|host| !is_host_name(host)) {
        let help = Some("write it like `shop.example.org`".to_owned());
        report.add(&at, format!("{}: `{host}` is no name of a host", name(&at)), help);
    }
    names
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    text.strip_prefix("*.").unwrap_or(text).split('.').all(label)
}

fn tls(value: Value, path: Vec<String>, report: &mut Report<'_>) -> Tls {
    let mut fields = Fields::new(value, path, report);
    let mut file = |key: &'static str| {
        let file: Option<String> = fields.take(key, report);
        if file.as_ref().is_none_or(String::is_empty) {
            let help = Some(format!("name the file: `{key}: /etc/letsencrypt/live/…`"));
            report.add(&fields.path, format!("{}: `{key}` is missing", name(&fields.path)), help);
        }
        file.unwrap_or_default()
    };
    let tls = Tls { certificate: file("certificate"), key: file("key") };
    fields.finish(report);
    tls
}
