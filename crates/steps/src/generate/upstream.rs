//! Whom a proxy passes requests on to.

use release_core::config::Service;
use release_core::layout::Layout;
use release_core::server::Protocol;
use serde::Serialize;

use super::facts::{GenerateError, plain};

/// A service that listens.
#[derive(Debug, Serialize)]
pub(super) struct Upstream {
    name: String,
    socket: String,
    protocol: Protocol,
}

impl Upstream {
    pub(super) fn of(layout: &Layout, service: &Service) -> Result<Self, GenerateError> {
        Ok(Self {
            name: service.name.clone(),
            socket: plain(&layout.current_socket(&service.name))?,
            protocol: service.health.protocol,
        })
    }

    pub(super) fn speaks(&self, protocol: Protocol) -> bool {
        self.protocol == protocol
    }

    /// Why `proxy`, which speaks HTTP alone, cannot ask it.
    pub(super) fn is_foreign_to(&self, proxy: &'static str) -> GenerateError {
        GenerateError::Protocol { service: self.name.clone(), proxy }
    }
}
