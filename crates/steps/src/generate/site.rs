//! Where a proxy listens, by which names, and with which certificate: each proxy says it in its own way.

use std::net::IpAddr;

use release_core::config::Proxy;
use release_core::layout::Layout;
use serde::Serialize;

use super::facts::{GenerateError, plain};

#[derive(Debug, Serialize)]
pub(super) struct Site {
    names: Vec<String>,
    address: Option<String>,
    port: u16,
    /// Whether port 80 sends everybody to https.
    redirect: bool,
    tls: Option<Tls>,
    nginx_names: String,
    nginx_listen: Vec<String>,
    caddy_site: String,
    haproxy_bind: String,
    haproxy_socket: String,
    apache_listen: Option<String>,
    apache_host: String,
}

#[derive(Debug, Serialize)]
struct Tls {
    certificate: String,
    key: String,
}

impl Site {
    pub(super) fn of(layout: &Layout, proxy: &Proxy) -> Result<Self, GenerateError> {
        let usual = if proxy.tls.is_some() { 443 } else { 80 };
        let port = proxy.listen.map_or(usual, |listen| listen.port);
        let address = proxy.listen.and_then(|listen| listen.address);
        let nobody = proxy.server_name.is_empty();
        Ok(Self {
            names: proxy.server_name.clone(),
            address: address.map(|address| address.to_string()),
            port,
            redirect: proxy.tls.is_some() && proxy.listen.is_none(),
            tls: tls(layout, proxy)?,
            nginx_names: if nobody { "_".to_owned() } else { proxy.server_name.join(" ") },
            nginx_listen: nginx_listen(address, port),
            caddy_site: caddy_site(proxy, port),
            haproxy_bind: format!("{}:{port}", address.map(bracketed).unwrap_or_default()),
            haproxy_socket: plain(&layout.state().join("haproxy.sock"))?,
            apache_listen: proxy.listen.map(|listen| listen.to_string()),
            apache_host: address.map_or_else(|| "*".to_owned(), bracketed),
        })
    }
}

/// A path that is not absolute is below the root, as for `proxy.config`.
fn tls(layout: &Layout, proxy: &Proxy) -> Result<Option<Tls>, GenerateError> {
    let file = |path: &str| plain(&layout.root().join(path));
    let tls = proxy.tls.as_ref();
    tls.map(|tls| Ok(Tls { certificate: file(&tls.certificate)?, key: file(&tls.key)? })).transpose()
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

/// With a name alone Caddy gets a certificate by itself; `http://` keeps it from that.
fn caddy_site(proxy: &Proxy, port: u16) -> String {
    let names = &proxy.server_name;
    let scheme = if proxy.tls.is_some() { "https://" } else { "http://" };
    if names.is_empty() {
        return format!("{scheme}:{port}");
    }
    if proxy.listen.is_none() {
        return names.join(", ");
    }
    names.iter().map(|name| format!("{scheme}{name}:{port}")).collect::<Vec<_>>().join(", ")
}
