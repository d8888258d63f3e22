//! Where a server's command lets it listen, besides `$SOCKET`.

use std::net::IpAddr;

use super::Server;
use crate::config::Listen;

impl Server {
    /// The option by which it listens on `$SOCKET`.
    pub fn bind(self) -> &'static str {
        match self {
            Server::Gunicorn | Server::Hypercorn | Server::Other => "--bind unix:$SOCKET",
            Server::Uvicorn | Server::Granian => "--uds $SOCKET",
            Server::Daphne => "-u $SOCKET",
            Server::Uwsgi => "--http-socket $SOCKET",
        }
    }

    /// The TCP port that its command names; two generations cannot share one.
    pub fn own_port<T: AsRef<str>>(self, words: &[T]) -> Option<Listen> {
        // `--bind=x` is `--bind x`.
        let parts: Vec<&str> = words.iter().flat_map(|word| word.as_ref().splitn(2, '=')).collect();
        let mut pairs = parts.windows(2);
        let port = pairs.find_map(|pair| self.port(pair[0], pair[1]))?;
        let address = port.address.or_else(|| self.host(&parts));
        Some(Listen { address, ..port })
    }

    fn port(self, option: &str, value: &str) -> Option<Listen> {
        let binds = match self {
            Server::Uwsgi => {
                matches!(option, "--http" | "--http-socket" | "--socket" | "-s" | "--uwsgi-socket")
            }
            Server::Daphne => matches!(option, "-p" | "--port"),
            _ => matches!(option, "--bind" | "-b" | "--port"),
        };
        let anywhere = value.strip_prefix(':').map(|port| format!("0.0.0.0:{port}"));
        if binds { Listen::parse(anywhere.as_deref().unwrap_or(value)) } else { None }
    }

    /// The address that stands apart from the port.
    fn host(self, parts: &[&str]) -> Option<IpAddr> {
        let names = |option: &str| option == "--host" || self == Server::Daphne && option == "-b";
        parts.windows(2).find(|pair| names(pair[0]))?[1].parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_its_own_is_known_by_each_servers_option() {
        for (command, port) in [
            ("gunicorn a --bind 127.0.0.1:8000", Some("127.0.0.1:8000")),
            ("gunicorn a --bind=:8000 -w 2", Some("0.0.0.0:8000")),
            ("gunicorn a -b unix:$SOCKET -b [::1]:8000", Some("[::1]:8000")),
            ("gunicorn a --bind unix:$SOCKET", None),
            ("uvicorn a --port 8000", Some("8000")),
            ("uvicorn a --host 0.0.0.0 --port 8000", Some("0.0.0.0:8000")),
            ("daphne -p 8001 a", Some("8001")),
            ("daphne -b 10.0.0.1 -p 8001 a", Some("10.0.0.1:8001")),
            ("granian --port 8000 a", Some("8000")),
            ("hypercorn -b 0.0.0.0:8000 a", Some("0.0.0.0:8000")),
            ("uwsgi --socket :9090", Some("0.0.0.0:9090")),
            ("uwsgi --http-socket=127.0.0.1:9090", Some("127.0.0.1:9090")),
            ("uwsgi --http-socket $SOCKET -p 4", None),
            ("node server.js", None),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            let found = Server::of(&words).own_port(&words).map(|port| port.to_string());
            assert_eq!(found.as_deref(), port, "{command}");
        }
    }
}
