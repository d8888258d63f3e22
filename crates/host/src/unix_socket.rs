//! Who is connected to a unix socket, as `/proc/net/unix` tells.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use release_core::host::{HostError, HostResult, SocketUse};

const TABLE: &str = "/proc/net/unix";
/// What the column `Flags` holds for a socket that listens (`__SO_ACCEPTCON`).
const LISTENS: &[u8] = b"00010000";
/// What the column `St` holds for a connection that somebody has accepted (`SS_CONNECTED`).
const CONNECTED: &[u8] = b"03";

pub(crate) fn socket_use(socket: &Path) -> HostResult<SocketUse> {
    let table = std::fs::read(TABLE).map_err(|source| HostError::Io {
        action: "read",
        path: TABLE.into(),
        source,
    })?;
    Ok(count(&table, socket))
}

/// Counts the lines of `table` for the path that `socket` was bound to: an accepted connection
/// carries the path of its listener.
fn count(table: &[u8], socket: &Path) -> SocketUse {
    let path = socket.as_os_str().as_bytes();
    let mut found = SocketUse::default();
    for line in table.split(|byte| *byte == b'\n').filter_map(Line::parse).filter(|line| line.path == path) {
        if line.flags == LISTENS {
            found.listening = true;
        } else if line.inode == b"0" {
            found.queued += 1;
        } else if line.state == CONNECTED {
            found.open += 1;
        }
    }
    found
}

struct Line<'a> {
    flags: &'a [u8],
    state: &'a [u8],
    /// 0 until somebody accepts the connection.
    inode: &'a [u8],
    path: &'a [u8],
}

impl<'a> Line<'a> {
    /// `Num RefCount Protocol Flags Type St Inode Path`; most lines have no path.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut rest = line;
        let columns: [&[u8]; 7] = std::array::from_fn(|_| next_column(&mut rest));
        let [_, _, _, flags, _, state, inode] = columns;
        // One blank parts the path, which may begin or end with some of its own.
        Some(Self { flags, state, inode, path: rest.strip_prefix(b" ")? })
    }
}

fn next_column<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let text = rest.trim_ascii_start();
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let (column, after) = text.split_at(end);
    *rest = after;
    column
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    const EXCERPT: &[u8] = b"\
Num       RefCount Protocol Flags    Type St Inode Path
00000000539fe16f: 00000003 00000000 00000000 0001 03 89162 /srv/my shop/web-g1.sock
000000002b9e6c5d: 00000002 00000000 00010000 0001 01 89158 /srv/my shop/web-g1.sock
00000000a6a79602: 00000003 00000000 00000000 0001 02     0 /srv/my shop/web-g1.sock
00000000d6ee286b: 00000003 00000000 00000000 0001 03  1130
000000001c2f0d11: 00000002 00000000 00010000 0001 01 12034 @/tmp/.X11-unix/X0
00000000bf99523e: 00000003 00000000 00000000 0001 03 89161 /srv/my shop/web-g10.sock
";

    #[test]
    fn a_listener_what_waits_and_what_is_open_are_told_apart() {
        let used = count(EXCERPT, Path::new("/srv/my shop/web-g1.sock"));
        assert_eq!(used, SocketUse { listening: true, queued: 1, open: 1 });
    }

    #[test]
    fn a_path_is_compared_as_a_whole() {
        let used = count(EXCERPT, Path::new("/srv/my shop/web-g10.sock"));
        assert_eq!(used, SocketUse { listening: false, queued: 0, open: 1 });
        for other in ["", "shop/web-g1.sock", "/srv/my", "/tmp/.X11-unix/X0"] {
            assert_eq!(count(EXCERPT, Path::new(other)), SocketUse::default(), "{other}");
        }
    }

    #[test]
    fn a_connection_is_queued_then_open_then_gone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a b.sock");
        assert_eq!(socket_use(&path).unwrap(), SocketUse::default());
        let listener = UnixListener::bind(&path).unwrap();
        assert!(socket_use(&path).unwrap().quiet());
        let mut client = UnixStream::connect(&path).unwrap();
        assert_eq!(socket_use(&path).unwrap(), SocketUse { listening: true, queued: 1, open: 0 });
        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(socket_use(&path).unwrap(), SocketUse { listening: true, queued: 0, open: 1 });
        drop(listener);
        assert_eq!(socket_use(&path).unwrap(), SocketUse { listening: false, queued: 0, open: 1 });
        drop(accepted);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!(socket_use(&path).unwrap(), SocketUse::default());
    }

    #[test]
    fn a_client_that_hung_up_counts_until_the_server_lets_go() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("web.sock");
        let listener = UnixListener::bind(&path).unwrap();
        drop(UnixStream::connect(&path).unwrap());
        assert_eq!(socket_use(&path).unwrap().queued, 1);
        let (_accepted, _) = listener.accept().unwrap();
        assert!(!socket_use(&path).unwrap().quiet());
    }
}
