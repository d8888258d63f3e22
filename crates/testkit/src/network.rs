//! The fake machine's sockets: each address answers as the test says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use release_core::host::{Address, HostError, HostResult, Network, Reply, SocketUse};

use crate::fake_host::{FakeHost, lock};

type Server = Arc<dyn Fn(&FakeHost, &str) -> Option<u16> + Send + Sync>;

#[derive(Default)]
pub(crate) struct Net {
    servers: Vec<(Address, Server)>,
    requests: Vec<(Address, String)>,
    uses: BTreeMap<PathBuf, VecDeque<SocketUse>>,
    taken: BTreeSet<SocketAddr>,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl FakeHost {
    /// `server` is asked for the status of every path at `address`; `None` is no answer.
    pub fn serve(
        &self,
        address: Address,
        server: impl Fn(&FakeHost, &str) -> Option<u16> + Send + Sync + 'static,
    ) {
        let mut net = lock(&self.net);
        net.servers.retain(|(known, _)| *known != address);
        net.servers.push((address, Arc::new(server)));
    }

    /// `address` answers with these in turn, and with the last one for ever; 0 is no answer.
    pub fn serve_in_turn(&self, address: Address, statuses: &[u16]) {
        let left = Mutex::new(VecDeque::from(statuses.to_owned()));
        self.serve(address, move |_, _| {
            let mut left = lock(&left);
            let status = if left.len() > 1 { left.pop_front() } else { left.front().copied() };
            status.filter(|status| *status != 0)
        });
    }

    /// Every request: where, and which path.
    pub fn requests(&self) -> Vec<(Address, String)> {
        lock(&self.net).requests.clone()
    }

    /// Somebody else listens on `address`.
    pub fn take_port(&self, address: SocketAddr) {
        lock(&self.net).taken.insert(address);
    }

    /// What [`Network::socket_use`] says of `socket` in turn, the last one for ever.
    pub fn set_socket_use(&self, socket: impl Into<PathBuf>, uses: &[SocketUse]) {
        lock(&self.net).uses.insert(socket.into(), uses.to_vec().into());
    }
}

impl Network for FakeHost {
    fn get(
        &self,
        address: &Address,
        path: &str,
        _headers: &[(String, String)],
        _limit: Duration,
    ) -> HostResult<Reply> {
        self.ask("get", Path::new(path))?;
        lock(&self.net).requests.push((address.clone(), path.to_owned()));
        let found = lock(&self.net).servers.iter().find(|(known, _)| known == address).cloned();
        match found.and_then(|(_, server)| server(self, path)) {
            Some(status) => Ok(Reply { status, body: format!("status {status}") }),
            None => Err(HostError::NoAnswer {
                address: format!("{address:?}"),
                source: "connection refused".into(),
            }),
        }
    }

    fn get_many(
        &self,
        address: &Address,
        path: &str,
        headers: &[(String, String)],
        limit: Duration,
        count: usize,
    ) -> Vec<HostResult<Reply>> {
        (0..count).map(|_| self.get(address, path, headers, limit)).collect()
    }

    fn listen_problem(&self, address: SocketAddr) -> HostResult<Option<String>> {
        self.ask("listen_problem", Path::new(&address.to_string()))?;
        Ok(lock(&self.net).taken.contains(&address).then(|| "Address already in use".to_owned()))
    }

    fn socket_use(&self, socket: &Path) -> HostResult<SocketUse> {
        self.ask("socket_use", socket)?;
        let mut net = lock(&self.net);
        let Some(left) = net.uses.get_mut(socket) else { return Ok(SocketUse::default()) };
        let next = if left.len() > 1 { left.pop_front() } else { left.front().copied() };
        Ok(next.unwrap_or_default())
    }
}
