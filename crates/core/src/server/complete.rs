//! The options that a server needs to drain, and that its command does not have.

use super::{Server, has, patience};
use crate::config::Wait;

/// Without it uWSGI takes a TERM for an order to reload; its own ways to end all cut off requests.
const FINISH_ON_TERM: &str = "unix_signal:15 gracefully_kill_them_all";

/// The first gunicorn with a control socket.
const CONTROL_SOCKET_SINCE: (u32, u32) = (25, 1);

/// `words` with what the server needs to finish what it began when it is asked to end, within
/// `wait`. What the command says itself stands. `control_socket`: see [`has_control_socket`].
pub fn complete(mut words: Vec<String>, wait: Wait, control_socket: bool) -> Vec<String> {
    let server = Server::of(&words);
    let patience_option = match server {
        Server::Gunicorn | Server::Hypercorn => Some("--graceful-timeout"),
        Server::Uwsgi => Some("--worker-reload-mercy"),
        // These wait for ever, or not at all.
        Server::Uvicorn | Server::Daphne | Server::Granian | Server::Other => None,
    };
    if let Some(option) = patience_option.filter(|option| !has(&words, option)) {
        words.extend([option.to_owned(), patience(wait).to_string()]);
    }
    match server {
        Server::Gunicorn if control_socket => without_control_socket(&mut words),
        Server::Uwsgi => finish_on_term(&mut words),
        _ => {}
    }
    words
}

/// All gunicorns of a user share one control socket, which each takes from the other.
fn without_control_socket(words: &mut Vec<String>) {
    if !has(words, "--control-socket") && !has(words, "--no-control-socket") {
        words.push("--no-control-socket".to_owned());
    }
}

fn finish_on_term(words: &mut Vec<String>) {
    if words.iter().any(|word| word.contains("unix_signal:15 ")) {
        return;
    }
    // The hook is the master's. Said twice, or beside `--die-on-term`, it still does its work.
    words.extend(["--master", "--hook-master-start", FINISH_ON_TERM].map(str::to_owned));
}

/// Whether the gunicorn among `installed`, the names in a `site-packages`, has a control socket.
pub fn has_control_socket<'a>(installed: impl IntoIterator<Item = &'a str>) -> bool {
    installed.into_iter().filter_map(gunicorn_version).any(|version| version >= CONTROL_SOCKET_SINCE)
}

fn gunicorn_version(name: &str) -> Option<(u32, u32)> {
    let version = name.strip_prefix("gunicorn-")?.strip_suffix(".dist-info")?;
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
}
