//! A websocket client, as small as it can be.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longer than a server may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// An open websocket.
#[derive(Debug)]
pub(crate) struct Websocket {
    stream: BufReader<UnixStream>,
}

/// How the server ended one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a close frame, which tells browsers' scripts why.
    Told(u16),
    /// The connection broke off.
    Cut,
}

impl Websocket {
    pub(crate) fn open(socket: &Path) -> Self {
        let mut stream = BufReader::new(UnixStream::connect(socket).unwrap());
        stream.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        let request = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 101 "), "{line}");
        while !line.trim().is_empty() {
            line.clear();
            stream.read_line(&mut line).unwrap();
        }
        Self { stream }
    }

    /// The release that answers.
    pub(crate) fn ask(&mut self) -> String {
        self.send(TEXT, b"?").unwrap();
        loop {
            let (kind, body) = self.frame().unwrap();
            if kind == TEXT {
                return String::from_utf8(body).unwrap();
            }
        }
    }

    /// Waits until the server ends it.
    pub(crate) fn end(mut self) -> End {
        loop {
            match self.frame() {
                Ok((CLOSE, body)) => {
                    // A browser confirms; the server may be gone already.
                    let _ = self.send(CLOSE, &body);
                    let code = body.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                    return End::Told(code);
                }
                Ok((PING, body)) => drop(self.send(PONG, &body)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("it is never ended"),
                Err(_) => return End::Cut,
            }
        }
    }

    /// Clients mask what they send; a mask of zeros changes nothing.
    fn send(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let length = 0x80 | u8::try_from(body.len()).expect("what is sent here is short");
        let frame = [&[kind, length, 0, 0, 0, 0], body].concat();
        self.stream.get_mut().write_all(&frame)
    }

    fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        assert!(head[1] < 126, "a long frame");
        let mut body = vec![0; head[1].into()];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }
}
