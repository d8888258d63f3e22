//! Asks a proxy: by curl where headers, bodies and TLS matter, by hand for a websocket.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::Proxy;

/// What a proxy answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    /// A header, by its name in lowercase; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Runs `curl WORDS URL`.
#[track_caller]
pub(crate) fn curl(words: &[&str], url: &str) -> Reply {
    let always = ["-sS", "--http1.1", "--max-time", "20", "-H", "Expect:", "-i"];
    let output = Command::new("curl").args(always).args(words).arg(url).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{url}: {}{text}", String::from_utf8_lossy(&output.stderr));
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    Reply {
        status: status.unwrap_or_else(|| panic!("{url}: {text}")),
        headers: lines.filter_map(header).collect(),
        body: body.to_owned(),
    }
}

/// Fails the test unless the app is told who asks for what, and how, and does not believe a client that says otherwise.
#[track_caller]
pub(crate) fn assert_told(address: SocketAddr, proxy: Proxy) {
    let forged = [
        "X-Forwarded-Proto: https",
        "X-Real-IP: 6.6.6.6",
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Host: evil.example",
        "Host: shop.example.org",
    ];
    let words = forged.iter().flat_map(|header| ["-H", header]).collect::<Vec<_>>();
    let seen = curl(&words, &format!("http://{address}/headers"));
    let seen: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(seen["host"], "shop.example.org", "{proxy:?}: {seen}");
    assert_eq!(seen["x-real-ip"], "127.0.0.1", "{proxy:?}: {seen}");
    assert_eq!(seen["x-forwarded-proto"], "http", "{proxy:?}: {seen}");
    assert_eq!(seen["x-forwarded-host"], "shop.example.org", "{proxy:?}: {seen}");
    assert!(seen["x-forwarded-for"].as_str().unwrap().ends_with("127.0.0.1"), "{proxy:?}: {seen}");
}

/// Opens a websocket at `path`, sends `text`, and gives what comes back.
#[track_caller]
pub(crate) fn websocket(address: SocketAddr, path: &str, text: &str) -> String {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    stream.get_ref().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.get_mut().write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_lowercase());
    }
    assert!(head.first().is_some_and(|line| line.starts_with("http/1.1 101 ")), "{head:?}");
    // The answer to the key above, as RFC 6455 gives it: nobody on the way made it up.
    assert!(head.contains(&"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=".to_owned()), "{head:?}");
    let length = u8::try_from(text.len()).expect("what is sent here is short");
    stream.get_mut().write_all(&[&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()).unwrap();
    let mut frame = vec![0; 2 + text.len()];
    stream.read_exact(&mut frame).unwrap();
    String::from_utf8_lossy(&frame[2..]).into_owned()
}
