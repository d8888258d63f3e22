//! `release forward`: becomes the program that holds a TCP port for the app.

use std::net::SocketAddr;

use release_core::config::ProcessSettings;
use release_core::host::Processes;
use release_core::port::{HOLDER, Port, command};
use release_steps::ports::forwarder_program;

use crate::error::Error;
use crate::site::Site;

/// Comes back only if that fails.
pub(crate) fn run(site: &Site, listen: SocketAddr) -> Result<u8, Error> {
    let (holder, forwarder) =
        site.host.find_program(HOLDER).zip(forwarder_program(&site.host)).ok_or_else(missing)?;
    let (holder, forwarder) = (holder.display().to_string(), forwarder.display().to_string());
    let files = release_host::open_many_files();
    let command = command(&site.layout, Port(listen), &holder, &forwarder, files).isolated();
    Err(release_host::become_program(&command, &ProcessSettings::default()).into())
}

fn missing() -> Error {
    Error::Failed {
        what: format!("{HOLDER} or systemd-socket-proxyd is not here any more"),
        help: "install them: `sudo apt install systemd`".to_owned(),
    }
}
