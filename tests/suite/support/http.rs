//! A small HTTP/1.1 client that retries nothing: what fails is seen.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than any request here takes.
const PATIENCE: Duration = Duration::from_secs(20);

trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

#[derive(Clone, Debug)]
enum Server {
    Tcp(SocketAddr),
    Socket(PathBuf),
}

/// Asks one server.
pub(crate) struct Client {
    server: Server,
    keep_alive: bool,
    connection: Option<BufReader<Box<dyn Connection>>>,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    /// A header, by its name in lowercase.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl Client {
    pub(crate) fn tcp(address: SocketAddr, keep_alive: bool) -> Self {
        Self { server: Server::Tcp(address), keep_alive, connection: None }
    }

    pub(crate) fn socket(path: &Path) -> Self {
        Self { server: Server::Socket(path.to_owned()), keep_alive: false, connection: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> io::Result<Reply> {
        self.ask("GET", path, "")
    }

    pub(crate) fn post(&mut self, path: &str, form: &str) -> io::Result<Reply> {
        self.ask("POST", path, form)
    }

    fn ask(&mut self, method: &str, path: &str, form: &str) -> io::Result<Reply> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(self.server.connect()?),
        };
        let kept = if self.keep_alive { "keep-alive" } else { "close" };
        let kind = "application/x-www-form-urlencoded";
        write!(
            connection.get_mut(),
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {kept}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )?;
        let reply = read(&mut connection)?;
        if self.keep_alive && reply.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(reply)
    }
}

impl Server {
    fn connect(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Server::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
            Server::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
        })
    }
}

fn read(from: &mut impl BufRead) -> io::Result<Reply> {
    let first = line(from)?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(|| wrong(&first))?;
    let mut headers = BTreeMap::new();
    loop {
        let header = line(from)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ").ok_or_else(|| wrong(&header))?;
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = Vec::new();
    match headers.get("content-length").map(|length| length.parse()) {
        Some(Ok(length)) => {
            body.resize(length, 0);
            from.read_exact(&mut body)?;
        }
        Some(Err(_)) => return Err(wrong("content-length")),
        None if headers.get("transfer-encoding").is_some_and(|how| how == "chunked") => {
            chunks(from, &mut body)?
        }
        None => drop(from.read_to_end(&mut body)?),
    }
    Ok(Reply { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = line(from)?;
        let length = usize::from_str_radix(&size, 16).map_err(|_| wrong(&size))?;
        let start = body.len();
        body.resize(start + length, 0);
        from.read_exact(&mut body[start..])?;
        line(from)?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match from.read_line(&mut line)? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer")),
        _ => Ok(line.trim_end().to_owned()),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {what}"))
}
