//! Where a proxy listens, as people write it: `8080`, `127.0.0.1:8080`, `[::1]:8080`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};
use serde_yaml::Value;

/// A port, on one address or on all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address; `None` for every one.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

impl Listen {
    /// Reads a port, or an address with one.
    pub fn parse(text: &str) -> Option<Self> {
        let listen = match text.parse() {
            Ok(port) => Self { address: None, port },
            Err(_) => {
                let address: SocketAddr = text.parse().ok()?;
                Self { address: Some(address.ip()), port: address.port() }
            }
        };
        (listen.port != 0).then_some(listen)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => SocketAddr::new(address, self.port).fmt(f),
            None => self.port.fmt(f),
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let expected = || D::Error::custom("expected a port or an address with one, such as 127.0.0.1:8080");
        Listen::parse(&text).ok_or_else(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["80", "127.0.0.1:8080", "[::1]:443"] {
            assert_eq!(Listen::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["", "0", "70000", "127.0.0.1", "localhost:80", "::1:80", "80;"] {
            assert_eq!(Listen::parse(wrong), None, "{wrong}");
        }
    }
}
