//! Sockets and HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::HostResult;

/// Where an HTTP server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket; requests carry `Host: localhost`.
    Socket(PathBuf),
    /// A unix socket where the uwsgi protocol is spoken; `Host: localhost`.
    Uwsgi(PathBuf),
    /// `host:port`, and the `Host` header to send.
    Tcp {
        /// Host and port to connect to.
        address: String,
        /// The `Host` header.
        host: String,
    },
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body, at most 4 KiB.
    pub body: String,
}

/// Who is connected to a unix socket, from `/proc/net/unix`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketUse {
    /// Somebody listens there.
    pub listening: bool,
    /// Connections that nobody has accepted yet.
    pub queued: usize,
    /// Connections that are open.
    pub open: usize,
}

impl SocketUse {
    /// Nobody is connected, nor waits to be.
    pub fn quiet(&self) -> bool {
        self.queued == 0 && self.open == 0
    }
}

/// Sockets and HTTP.
pub trait Network {
    /// One GET request on a connection of its own.
    fn get(
        &self,
        address: &Address,
        path: &str,
        headers: &[(String, String)],
        limit: Duration,
    ) -> HostResult<Reply>;
    /// Several equal GET requests at once; the replies that came.
    fn get_many(
        &self,
        address: &Address,
        path: &str,
        headers: &[(String, String)],
        limit: Duration,
        count: usize,
    ) -> Vec<HostResult<Reply>>;
    /// Why nobody can begin to listen on a TCP address, as the system says it; `None` if one can.
    fn listen_problem(&self, address: SocketAddr) -> HostResult<Option<String>>;
    /// Who is connected to `socket`, by the path that it was bound to.
    fn socket_use(&self, socket: &Path) -> HostResult<SocketUse>;
}
