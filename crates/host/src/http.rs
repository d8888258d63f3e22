//! HTTP: each request on a connection of its own, so that it meets whoever listens now.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use release_core::host::{Address, HostError, HostResult, Network, Reply, SocketUse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use crate::UnixHost;
use crate::{unix_socket, uwsgi};

/// As much of a page as anybody looks at.
const PAGE_LIMIT: usize = 4096;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

impl Network for UnixHost {
    fn get(
        &self,
        address: &Address,
        path: &str,
        headers: &[(String, String)],
        limit: Duration,
    ) -> HostResult<Reply> {
        self.unless_interrupted(Get::new(address, path, headers).reply(limit))
    }

    fn get_many(
        &self,
        address: &Address,
        path: &str,
        headers: &[(String, String)],
        limit: Duration,
        count: usize,
    ) -> Vec<HostResult<Reply>> {
        let get = Get::new(address, path, headers);
        let replies = async {
            let requests: JoinSet<_> = (0..count).map(|_| get.clone().reply(limit)).collect();
            Ok(requests.join_all().await)
        };
        self.unless_interrupted(replies).unwrap_or_else(|interrupted| vec![Err(interrupted)])
    }

    fn listen_problem(&self, address: SocketAddr) -> HostResult<Option<String>> {
        Ok(std::net::TcpListener::bind(address).err().map(|error| error.to_string()))
    }

    fn socket_use(&self, socket: &Path) -> HostResult<SocketUse> {
        unix_socket::socket_use(socket)
    }
}

impl UnixHost {
    /// Waits for `future`, but no longer than until the run is interrupted.
    pub(crate) fn unless_interrupted<T>(&self, future: impl Future<Output = HostResult<T>>) -> HostResult<T> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                error = self.interruption.interrupted() => Err(error),
                result = future => result,
            }
        })
    }
}

/// A GET request that can be sent more than once.
#[derive(Clone)]
struct Get {
    address: Address,
    path: String,
    headers: Vec<(String, String)>,
}

impl Get {
    fn new(address: &Address, path: &str, headers: &[(String, String)]) -> Self {
        Self { address: address.clone(), path: path.to_owned(), headers: headers.to_vec() }
    }

    async fn reply(self, limit: Duration) -> HostResult<Reply> {
        let late = || format!("nothing came within {} s", limit.as_secs_f64()).into();
        let answer = tokio::time::timeout(limit, self.send()).await;
        answer.unwrap_or_else(|_| Err(late())).map_err(|source| {
            let address = match &self.address {
                Address::Socket(socket) | Address::Uwsgi(socket) => socket.display().to_string(),
                Address::Tcp { address, .. } => address.clone(),
            };
            HostError::NoAnswer { address, source }
        })
    }

    async fn send(&self) -> Result<Reply, Failure> {
        let request = self.request()?;
        let (status, body) = match &self.address {
            Address::Socket(socket) => send(UnixStream::connect(socket).await?, request, PAGE_LIMIT).await?,
            Address::Uwsgi(socket) => {
                uwsgi::send(UnixStream::connect(socket).await?, &request, PAGE_LIMIT).await?
            }
            Address::Tcp { address, .. } => {
                send(TcpStream::connect(address).await?, request, PAGE_LIMIT).await?
            }
        };
        Ok(Reply { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, Failure> {
        let host = match &self.address {
            Address::Socket(_) | Address::Uwsgi(_) => "localhost",
            Address::Tcp { host, .. } => host,
        };
        let mut request = Request::get(&self.path).header(HOST, host).body(Empty::new())?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(request)
    }
}

/// Sends `request` over `stream`, and gives the status and the first `limit` bytes of the body.
pub(crate) async fn send<S, B>(
    stream: S,
    mut request: Request<B>,
    limit: usize,
) -> hyper::Result<(StatusCode, Vec<u8>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Failure>,
{
    say_who_asks(request.headers_mut());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let reply = sender.send_request(request).await?;
        Ok((reply.status(), beginning(reply.into_body(), limit).await?))
    };
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection is over when all has come in; the answer may not have been read yet.
        _ = connection => answer.await,
    }
}

fn say_who_asks(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(concat!("release/", env!("CARGO_PKG_VERSION"))));
}

async fn beginning(mut body: Incoming, limit: usize) -> hyper::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < limit
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes.truncate(limit);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::sync::{Arc, Barrier};
    use std::thread::JoinHandle;
    use std::time::Instant;

    use release_core::layout::Layout;
    use tempfile::TempDir;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    struct Server {
        root: TempDir,
        host: UnixHost,
    }

    impl Server {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let host = UnixHost::new(Layout::new(root.path())).unwrap();
            Self { root, host }
        }

        fn socket(&self) -> PathBuf {
            self.root.path().join("web.sock")
        }

        fn address(&self) -> Address {
            Address::Socket(self.socket())
        }

        /// Answers one request with `reply` and gives what was asked.
        fn answers(&self, reply: &'static str) -> JoinHandle<String> {
            let listener = UnixListener::bind(self.socket()).unwrap();
            std::thread::spawn(move || answer(listener.accept().unwrap().0, reply))
        }
    }

    fn answer(mut stream: impl Read + Write, reply: &str) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        stream.write_all(reply.as_bytes()).unwrap();
        String::from_utf8(request).unwrap().to_ascii_lowercase()
    }

    #[test]
    fn a_request_says_who_asks_and_that_the_connection_ends() {
        let server = Server::new();
        let asked = server.answers("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nlater");
        let headers = [("X-Forwarded-Proto".to_owned(), "https".to_owned())];
        let reply = server.host.get(&server.address(), "/healthz?full=1", &headers, LIMIT).unwrap();
        assert_eq!(reply, Reply { status: 503, body: "later".to_owned() });
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("get /healthz?full=1 http/1.1\r\n"), "{asked}");
        for line in
            ["host: localhost", "connection: close", "user-agent: release/0.", "x-forwarded-proto: https"]
        {
            assert!(asked.contains(&format!("\r\n{line}")), "{line} in {asked}");
        }
    }

    #[test]
    fn a_header_that_is_given_replaces_our_own() {
        let server = Server::new();
        let asked = server.answers("HTTP/1.0 200 OK\r\n\r\nuntil the end");
        let headers = [("host".to_owned(), "shop.example".to_owned())];
        let reply = server.host.get(&server.address(), "/", &headers, LIMIT).unwrap();
        assert_eq!(reply.body, "until the end");
        let asked = asked.join().unwrap();
        assert!(asked.contains("\r\nhost: shop.example\r\n") && !asked.contains("localhost"), "{asked}");
    }

    #[test]
    fn a_tcp_server_is_asked_for_the_host_that_is_named() {
        let server = Server::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let reply = "HTTP/1.1 301 Moved\r\nLocation: /de/\r\nContent-Length: 0\r\n\r\n";
        let asked = std::thread::spawn(move || answer(listener.accept().unwrap().0, reply));
        let address = Address::Tcp { address, host: "shop.example".to_owned() };
        assert_eq!(server.host.get(&address, "/", &[], LIMIT).unwrap().status, 301);
        assert!(asked.join().unwrap().contains("\r\nhost: shop.example\r\n"));
    }

    #[test]
    fn no_more_than_the_beginning_of_a_page_is_read() {
        let server = Server::new();
        let listener = UnixListener::bind(server.socket()).unwrap();
        let endless = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            answer(&stream, "HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[b'x'; 1000]).is_ok() {}
        });
        let reply = server.host.get(&server.address(), "/", &[], LIMIT).unwrap();
        assert_eq!(reply.body.len(), PAGE_LIMIT);
        endless.join().unwrap();
    }

    #[test]
    fn who_does_not_answer_in_time_gives_no_answer() {
        let server = Server::new();
        let _silent = UnixListener::bind(server.socket()).unwrap();
        let started = Instant::now();
        let error = server.host.get(&server.address(), "/", &[], Duration::from_millis(200)).unwrap_err();
        assert!(started.elapsed() < LIMIT);
        let HostError::NoAnswer { address, source } = error else { panic!("{error}") };
        assert_eq!(address, server.socket().display().to_string());
        assert_eq!(source.to_string(), "nothing came within 0.2 s");
    }

    #[test]
    fn who_is_absent_or_hangs_up_gives_no_answer() {
        let server = Server::new();
        let no_answer = || {
            let error = server.host.get(&server.address(), "/", &[], LIMIT).unwrap_err();
            matches!(error, HostError::NoAnswer { .. })
        };
        assert!(no_answer());
        let asked = server.answers("");
        assert!(no_answer());
        asked.join().unwrap();
        assert!(no_answer());
    }

    #[test]
    fn many_requests_are_under_way_at_once() {
        let server = Server::new();
        let listener = UnixListener::bind(server.socket()).unwrap();
        let all_are_here = Arc::new(Barrier::new(5));
        let workers: Vec<_> = (0..5)
            .map(|_| {
                let (listener, all_are_here) = (listener.try_clone().unwrap(), all_are_here.clone());
                std::thread::spawn(move || {
                    let stream = listener.accept().unwrap().0;
                    all_are_here.wait();
                    answer(stream, "HTTP/1.1 204 No Content\r\n\r\n")
                })
            })
            .collect();
        let replies = server.host.get_many(&server.address(), "/", &[], LIMIT, 5);
        assert_eq!(replies.into_iter().filter_map(Result::ok).filter(|reply| reply.status == 204).count(), 5);
        workers.into_iter().for_each(|worker| _ = worker.join().unwrap());
    }
}
