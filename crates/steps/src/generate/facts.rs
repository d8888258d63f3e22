//! What the templates are told.

use std::path::{Path, PathBuf};

use release_core::config::{Config, Files};
use release_core::layout::Layout;
use release_core::server::Protocol;
use serde::Serialize;

use super::boot::Boot;
use super::site::Site;
use super::upstream::Upstream;

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
    /// The proxy speaks HTTP alone.
    #[error("service `{service}` speaks the uwsgi protocol, and {proxy} does not")]
    Protocol {
        /// The service that it is to ask.
        service: String,
        /// The proxy, as it is typed.
        proxy: &'static str,
    },
}

impl GenerateError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Path(_) => "use letters, digits and `/._-+@~` in paths",
            Self::NoService => {
                "add a service to release.yml: `services: {web: {command: …, handover: socket}}`"
            }
            Self::Protocol { .. } => {
                "let the service speak HTTP, `uwsgi --http-socket $SOCKET …`; nginx and Apache speak the uwsgi protocol, too"
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
    /// Who answers what no other does: the first service that listens.
    pub(super) web: Option<Upstream>,
    /// The other services that listen.
    others: Vec<Upstream>,
    /// Whether any of them speaks HTTP, and the uwsgi protocol.
    has_http: bool,
    has_uwsgi: bool,
    #[serde(rename = "static")]
    static_files: Option<Place>,
    media: Option<Place>,
    max_body: String,
    max_bytes: u64,
    retry_after: u32,
    #[serde(flatten)]
    site: Site,
    #[serde(flatten)]
    boot: Boot,
}

#[derive(Debug, Serialize)]
struct Place {
    url: String,
    path: String,
}

/// How long visitors and search engines are asked to wait while the site is closed, in seconds.
const RETRY_AFTER: u32 = 120;

impl Facts {
    /// The facts of an app with `config` at the root of `layout`.
    pub fn of(layout: &Layout, config: &Config, machine: Machine) -> Result<Self, GenerateError> {
        let root = plain(layout.root())?;
        let place = |files: Files| {
            let path = layout
                .current_app(config)
                .join(files.directory.trim_start_matches("./").trim_end_matches('/'));
            Ok(Place { url: files.url, path: plain(&path)? })
        };
        let upstream = |service| Upstream::of(layout, service);
        let upstreams = config.listening().map(upstream).collect::<Result<Vec<_>, _>>()?;
        let any = |protocol| upstreams.iter().any(|upstream| upstream.speaks(protocol));
        let (has_http, has_uwsgi) = (any(Protocol::Http), any(Protocol::Uwsgi));
        let mut upstreams = upstreams.into_iter();
        Ok(Self {
            app: config.app.clone(),
            variable: config.app.replace('-', "_"),
            root,
            current: plain(&layout.current())?,
            shared: plain(&layout.shared())?,
            maintenance: plain(&layout.maintenance_page())?,
            web: upstreams.next(),
            others: upstreams.collect(),
            has_http,
            has_uwsgi,
            static_files: config.served_static().map(place).transpose()?,
            media: config.served_media().map(place).transpose()?,
            max_body: config.proxy.max_body.to_string(),
            max_bytes: config.proxy.max_body.0,
            retry_after: RETRY_AFTER,
            site: Site::of(layout, &config.proxy)?,
            boot: Boot::of(layout, config, machine)?,
        })
    }
}

/// `path` as every program reads it without quotes.
pub(super) fn plain(path: &Path) -> Result<String, GenerateError> {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@~".contains(c);
    if text.chars().all(is_plain) { Ok(text) } else { Err(GenerateError::Path(text)) }
}
