//! What each web server needs that two generations of it take over from one another without a
//! lost request: measured facts, as pure data. `docs/services.md` has the figures.

mod address;
mod complete;
mod configured;
mod workers_alone;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Wait;

pub use complete::{complete, has_control_socket};
pub use configured::{configured_by, through};
pub use workers_alone::{file_starts_workers_alone, starts_workers_alone};

/// A web server that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// gunicorn, whatever its workers are.
    Gunicorn,
    /// uvicorn.
    Uvicorn,
    /// daphne.
    Daphne,
    /// hypercorn.
    Hypercorn,
    /// granian.
    Granian,
    /// uWSGI.
    Uwsgi,
    /// A server of which nothing is known, such as one in Node.
    Other,
}

/// What a service speaks on its socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// The uwsgi protocol, as nginx's `uwsgi_pass` does.
    Uwsgi,
}

/// The server may stand behind a wrapper: `nice -n 5 gunicorn …`, `python -m gunicorn …`.
const SEARCHED: usize = 4;

impl Server {
    /// The server that a command starts, by its words.
    pub fn of<T: AsRef<str>>(words: &[T]) -> Self {
        let known = words.iter().take(SEARCHED).find_map(|word| Self::named(word.as_ref()));
        known.unwrap_or(Server::Other)
    }

    fn named(word: &str) -> Option<Self> {
        Some(match word.rsplit('/').next()? {
            "gunicorn" => Server::Gunicorn,
            "uvicorn" => Server::Uvicorn,
            "daphne" => Server::Daphne,
            "hypercorn" => Server::Hypercorn,
            "granian" => Server::Granian,
            "uwsgi" | "pyuwsgi" => Server::Uwsgi,
            _ => return None,
        })
    }

    /// The signal on which its master, which stays, starts new workers with the code that it finds.
    pub fn reload_signal(self) -> Option<&'static str> {
        matches!(self, Server::Gunicorn | Server::Uwsgi).then_some("HUP")
    }

    /// Whether it says that it is up to a systemd that waits for that: uWSGI once its master has loaded the app.
    pub fn notifies(self) -> bool {
        matches!(self, Server::Gunicorn | Server::Uwsgi)
    }

    /// Whether it answers what it has accepted before it ends, once it is asked to end.
    fn finishes<T: AsRef<str>>(self, words: &[T]) -> bool {
        match self {
            Server::Daphne | Server::Other => false,
            // It ends all of its workers as soon as one has nothing to do.
            Server::Hypercorn => !has_several_workers(words),
            Server::Gunicorn | Server::Uvicorn | Server::Granian | Server::Uwsgi => true,
        }
    }

    /// How long its socket may take to fall quiet before it is asked to end all the same. One
    /// that cuts requests off gets more: its long ones have only this time.
    pub fn drain<T: AsRef<str>>(self, words: &[T]) -> Wait {
        Wait::seconds(if self.finishes(words) { 10 } else { 30 })
    }

    /// Whether it may find `$SOCKET` without a word of it in its command: in the environment, or by
    /// a file of its own.
    pub fn finds_socket<T: AsRef<str>>(self, words: &[T]) -> bool {
        match self {
            Server::Other => true,
            Server::Gunicorn | Server::Hypercorn => has(words, "-c") || has(words, "--config"),
            Server::Uwsgi => configured_by(words).next().is_some(),
            Server::Uvicorn | Server::Daphne | Server::Granian => false,
        }
    }

    /// What it speaks where `$SOCKET` is, as the words of its command say.
    pub fn protocol<T: AsRef<str>>(self, words: &[T]) -> Protocol {
        const OPTIONS: [&str; 3] = ["--socket", "-s", "--uwsgi-socket"];
        let speaks_uwsgi = self == Server::Uwsgi && OPTIONS.iter().any(|option| has(words, option));
        if speaks_uwsgi { Protocol::Uwsgi } else { Protocol::Http }
    }
}

/// Whether `words` have `option`, with its value in the same word or in the next.
fn has<T: AsRef<str>>(words: &[T], option: &str) -> bool {
    words.iter().map(AsRef::as_ref).any(|word| {
        let rest = word.strip_prefix(option);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// Whether `-w 2`, `-w2`, `--workers 2` or `--workers=$CORES` says so.
fn has_several_workers<T: AsRef<str>>(words: &[T]) -> bool {
    let words = words.iter().map(AsRef::as_ref);
    let (before, after) = (words.clone(), words.skip(1).map(Some).chain([None]));
    before.zip(after).any(|(word, next)| {
        let joined = || word.strip_prefix("--workers=").or_else(|| word.strip_prefix("-w"));
        let count = if matches!(word, "-w" | "--workers") { next } else { joined() };
        count.is_some_and(|count| !matches!(count, "0" | "1"))
    })
}

/// What is left of a stop's `wait` for the server's own patience: it should give up on what hangs
/// before it is killed, and tell who is connected.
fn patience(wait: Wait) -> u64 {
    const MARGIN: Duration = Duration::from_secs(5);
    wait.0.saturating_sub(MARGIN).as_secs().max(1)
}
