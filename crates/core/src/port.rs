//! A fixed TCP port in front of a service.
//!
//! It belongs to the root and not to a generation: a forwarder holds it through all releases, and
//! passes each connection on to the socket that `current` leads to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::command::Command;
use crate::config::{Config, Service};
use crate::layout::Layout;

/// A port that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port(pub SocketAddr);

const PREFIX: &str = "port-";

impl Port {
    /// The port of a service; where only its number is said, it is one of this machine alone.
    pub fn of(service: &Service) -> Option<Self> {
        let listen = service.listen?;
        let address = listen.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Some(Self(SocketAddr::new(address, listen.port)))
    }

    /// What the process manager calls its forwarder: `port-127.0.0.1_8000`.
    pub fn program(self) -> String {
        format!("{PREFIX}{}", self.plain())
    }

    /// The port whose forwarder has this name; `None` for another program.
    pub fn of_program(name: &str) -> Option<Self> {
        let (address, port) = name.strip_prefix(PREFIX)?.rsplit_once('_')?;
        let address: IpAddr = address.replace('_', ":").parse().ok()?;
        Some(Self(SocketAddr::new(address, port.parse().ok()?)))
    }

    /// The link, beside the sockets of a release, by which its forwarder finds the service.
    pub fn link(self) -> PathBuf {
        format!("{}.sock", self.plain()).into()
    }

    /// Whom to ask who is on this machine: `0.0.0.0` is nobody's address.
    pub fn reachable(self) -> SocketAddr {
        let mut address = self.0;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }

    fn plain(self) -> String {
        format!("{}_{}", self.0.ip().to_string().replace(':', "_"), self.0.port())
    }
}

/// The services of `config` that have a port.
pub fn ports(config: &Config) -> impl Iterator<Item = (Port, &Service)> {
    config.listening().filter_map(|service| Some((Port::of(service)?, service)))
}

/// Listens, and hands what it listens on to [`FORWARDER`].
pub const HOLDER: &str = "systemd-socket-activate";
/// Passes connections on. No `PATH` leads to it.
pub const FORWARDER: [&str; 2] =
    ["/usr/lib/systemd/systemd-socket-proxyd", "/lib/systemd/systemd-socket-proxyd"];
/// What each connection takes of the files that a process may have open: two sockets, two pipes.
const FILES_EACH: u64 = 6;
const FILES_SPARE: u64 = 32;

/// What holds `port`: `holder` and `forwarder` are the paths of the two programs, `files` how many a
/// process may have open. Told nothing, the forwarder gives up at 256 connections.
pub fn command(layout: &Layout, port: Port, holder: &str, forwarder: &str, files: u64) -> Command {
    let socket = layout.current_run().join(port.link());
    let most = files.saturating_sub(FILES_SPARE) / FILES_EACH;
    Command::new(holder, layout.root()).args([
        "--listen".to_owned(),
        port.0.to_string(),
        forwarder.to_owned(),
        format!("--connections-max={}", most.clamp(1, 100_000)),
        socket.display().to_string(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ports_name_tells_its_address() {
        for (text, name) in [
            ("127.0.0.1:8000", "port-127.0.0.1_8000"),
            ("0.0.0.0:80", "port-0.0.0.0_80"),
            ("[::1]:8000", "port-__1_8000"),
            ("[2001:db8::5]:8000", "port-2001_db8__5_8000"),
        ] {
            let port = Port(text.parse().unwrap());
            assert_eq!(port.program(), name);
            assert_eq!(Port::of_program(name), Some(port));
        }
        for other in ["web-20261120T101500Z-3f2c1a9-g1", "port-8000", "port-a_b", "port-1.2.3.4_70000"] {
            assert_eq!(Port::of_program(other), None, "{other}");
        }
    }

    #[test]
    fn who_asks_from_this_machine_asks_this_machine() {
        let reachable = |text: &str| Port(text.parse().unwrap()).reachable().to_string();
        assert_eq!(reachable("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(reachable("[::]:80"), "[::1]:80");
        assert_eq!(reachable("10.1.2.3:80"), "10.1.2.3:80");
    }

    #[test]
    fn the_forwarder_passes_on_as_many_as_it_may_have_files_for() {
        let port = Port("127.0.0.1:8000".parse().unwrap());
        let command = command(&Layout::new("/srv/shop"), port, "activate", "/proxyd", 20_000);
        assert_eq!(
            command.to_string(),
            "activate --listen 127.0.0.1:8000 /proxyd '--connections-max=3328' \
             /srv/shop/current/run/127.0.0.1_8000.sock"
        );
    }
}
