//! What the templates are told.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use release_core::config::{Config, Files, Handover, Proxy, Wait};
use release_core::layout::Layout;
use serde::Serialize;

/// What is known of the machine besides the configuration.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Where `release` is installed.
    pub program: PathBuf,
    /// Who owns the app's root, and runs the app.
    pub user: String,
    /// That user's group.
    pub group: String,
}

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A path would have to be quoted, differently for each program.
    #[error("`{0}` holds characters that not every configuration file can name")]
    Path(String),
    /// There is nothing to send requests to.
    #[error("no service listens on a socket, so a proxy has nobody to ask")]
    NoService,
}

impl GenerateError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Path(_) => "use letters, digits and `/._-+@~` in paths",
            Self::NoService => {
                "add a service to release.yml: `services: {web: {command: …, handover: socket}}`"
            }
        }
    }
}

/// Everything that a file can name; the names of the fields are those in the templates.
#[derive(Debug, Serialize)]
pub struct Facts {
    app: String,
    /// The app's name where no `-` may stand.
    variable: String,
    root: String,
    current: String,
    shared: String,
    maintenance: String,
    pub(super) socket: Option<String>,
    #[serde(rename = "static")]
    static_files: Option<Place>,
    media: Option<Place>,
    names: Vec<String>,
    nginx_names: String,
    nginx_listen: Vec<String>,
    caddy_site: String,
    haproxy_bind: String,
    haproxy_socket: String,
    apache_listen: Option<String>,
    apache_host: String,
    address: Option<String>,
    port: u16,
    redirect: bool,
    tls: Option<Tls>,
    max_body: String,
    max_bytes: u64,
    retry_after: u32,
    program: String,
    user: String,
    group: String,
    start_limit: u64,
    stop_limit: u64,
    pid_file: String,
    boot_log: String,
    logs: String,
}

#[derive(Debug, Serialize)]
struct Place {
    url: String,
    path: String,
}

#[derive(Debug, Serialize)]
struct Tls {
    certificate: String,
    key: String,
}

/// How long visitors and search engines are asked to wait while the site is closed, in seconds.
const RETRY_AFTER: u32 = 120;

impl Facts {
    /// The facts of an app with `config` at the root of `layout`.
    pub fn of(layout: &Layout, config: &Config, machine: Machine) -> Result<Self, GenerateError> {
        let root = plain(layout.root())?;
        let proxy = &config.proxy;
        let current = layout.current();
        let place = |files: Files| {
            let path = current.join(files.directory.trim_start_matches("./").trim_end_matches('/'));
            Ok(Place { url: files.url, path: plain(&path)? })
        };
        let web = config.services.iter().find(|service| service.handover == Handover::Socket);
        let socket = web.map(|web| plain(&layout.current_socket(&web.name))).transpose()?;
        // A path that is not absolute is below the root, as for `proxy.config`.
        let file = |path: &str| plain(&layout.root().join(path));
        let tls = proxy.tls.as_ref();
        let tls = tls
            .map(|tls| Ok(Tls { certificate: file(&tls.certificate)?, key: file(&tls.key)? }))
            .transpose()?;
        let address = proxy.listen.and_then(|listen| listen.address);
        let port = port(proxy);
        Ok(Self {
            variable: config.app.replace('-', "_"),
            root,
            shared: plain(&layout.shared())?,
            maintenance: plain(&layout.maintenance_page())?,
            current: plain(&current)?,
            static_files: config.served_static().map(place).transpose()?,
            media: config.served_media().map(place).transpose()?,
            nginx_names: if proxy.server_name.is_empty() {
                "_".to_owned()
            } else {
                proxy.server_name.join(" ")
            },
            nginx_listen: nginx_listen(address, port),
            caddy_site: caddy_site(proxy, port),
            haproxy_bind: format!("{}:{port}", address.map(bracketed).unwrap_or_default()),
            haproxy_socket: plain(&layout.state().join("haproxy.sock"))?,
            apache_listen: proxy.listen.map(|listen| listen.to_string()),
            apache_host: address.map_or_else(|| "*".to_owned(), bracketed),
            address: address.map(|address| address.to_string()),
            redirect: tls.is_some() && proxy.listen.is_none(),
            names: proxy.server_name.clone(),
            max_body: proxy.max_body.to_string(),
            max_bytes: proxy.max_body.0,
            retry_after: RETRY_AFTER,
            program: plain(&machine.program)?,
            user: machine.user,
            group: machine.group,
            start_limit: 300 + sum(config, |service| [service.health.timeout, service.health.settle]),
            stop_limit: 60 + sum(config, |service| [service.stop.wait, Wait::ZERO]),
            pid_file: plain(&layout.supervisor_pid())?,
            boot_log: plain(&layout.boot_log())?,
            logs: logs(layout, config)?,
            app: config.app.clone(),
            socket,
            tls,
            port,
        })
    }
}

/// `path` as every program reads it without quotes.
fn plain(path: &Path) -> Result<String, GenerateError> {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@~".contains(c);
    if text.chars().all(is_plain) { Ok(text) } else { Err(GenerateError::Path(text)) }
}

fn port(proxy: &Proxy) -> u16 {
    let usual = if proxy.tls.is_some() { 443 } else { 80 };
    proxy.listen.map_or(usual, |listen| listen.port)
}

/// `127.0.0.1`, `[::1]`.
fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn nginx_listen(address: Option<IpAddr>, port: u16) -> Vec<String> {
    match address {
        Some(address) => vec![format!("{}:{port}", bracketed(address))],
        None => vec![port.to_string(), format!("[::]:{port}")],
    }
}

/// With a name alone Caddy gets a certificate by itself. Where a port is said, `http://` keeps it from that.
fn caddy_site(proxy: &Proxy, port: u16) -> String {
    let scheme = if proxy.tls.is_some() { "https://" } else { "http://" };
    let names = &proxy.server_name;
    match (names.is_empty(), proxy.listen) {
        (true, _) if proxy.tls.is_some() => format!(":{port}"),
        (true, _) => format!("http://:{port}"),
        (false, None) => names.join(", "),
        (false, Some(_)) => {
            let sites: Vec<String> = names.iter().map(|name| format!("{scheme}{name}:{port}")).collect();
            sites.join(", ")
        }
    }
}

/// Seconds for all services, one after the other.
fn sum(config: &Config, waits: impl Fn(&release_core::config::Service) -> [Wait; 2]) -> u64 {
    config.services.iter().flat_map(waits).map(|wait| wait.0.as_secs() + 1).sum()
}

/// What writes its own files: the boot log, and the app in linked directories that are called so.
fn logs(layout: &Layout, config: &Config) -> Result<String, GenerateError> {
    let mut logs = vec![plain(&layout.boot_log())?];
    let is_log = |dir: &&String| dir.rsplit('/').next().is_some_and(|name| name == "log" || name == "logs");
    for dir in config.linked_dirs.iter().filter(is_log) {
        logs.push(format!("{}/*.log", plain(&layout.shared().join(dir))?));
    }
    Ok(logs.join(" "))
}
