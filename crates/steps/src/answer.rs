//! Asking a service over HTTP whether it is well.

use std::time::Duration;

use release_core::config::Health;
use release_core::host::{Address, Host, HostError, HostResult, Reply};
use release_core::plain_text::plain;
use release_core::port::Port;
use release_core::server::Protocol;
use release_core::step::{Context, StepError, tail};

/// How often a service is asked that is not well yet.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// The shortest time that one request gets, however little is left.
const LEAST: Duration = Duration::from_secs(1);

/// What came of one request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A 2xx or 3xx.
    Good,
    /// Another status.
    Bad(Reply),
    /// Nothing, and why.
    Silence(StepError),
}

impl Answer {
    /// Sorts a result; only an interruption is an error.
    pub(crate) fn of(result: HostResult<Reply>) -> Result<Self, StepError> {
        match result {
            Ok(reply) if (200..400).contains(&reply.status) => Ok(Self::Good),
            Ok(reply) => Ok(Self::Bad(reply)),
            Err(interrupted @ HostError::Interrupted(_)) => Err(interrupted.into()),
            Err(error) => Ok(Self::Silence(error.into())),
        }
    }

    /// Whether the service is well.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Good)
    }

    /// Whether the app itself answers, be it that it knows no such page or no such host.
    pub(crate) fn is_served(&self) -> bool {
        match self {
            Self::Good => true,
            Self::Bad(reply) => reply.status < 500,
            Self::Silence(_) => false,
        }
    }

    /// As it reads after a service's name.
    pub(crate) fn what(&self, path: &str) -> String {
        match self {
            Self::Good => format!("answers GET {path}"),
            Self::Bad(reply) => format!("answers {} to GET {path}", reply.status),
            Self::Silence(error) => format!("does not answer GET {path}: {}", error.in_one_line()),
        }
    }

    /// The beginning of what it answered.
    pub(crate) fn lines(&self, cx: &Context<'_>) -> Vec<String> {
        match self {
            Self::Bad(reply) => redacted_tail(cx, reply.body.lines().take(BODY_LINES)),
            Self::Good | Self::Silence(_) => Vec::new(),
        }
    }
}

/// How much of a bad answer people see.
const BODY_LINES: usize = 5;

/// Whom to ask for what.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    /// Where it listens.
    pub(crate) address: Address,
    /// What is asked for.
    pub(crate) path: &'a str,
    /// The `Host` header; `None` where the address says it.
    pub(crate) host: Option<&'a str>,
}

impl<'a> Question<'a> {
    /// A service's health on a socket.
    pub(crate) fn health(socket: std::path::PathBuf, health: &'a Health) -> Self {
        let address = match health.protocol {
            Protocol::Http => Address::Socket(socket),
            Protocol::Uwsgi => Address::Uwsgi(socket),
        };
        Self { address, path: &health.path, host: Some(&health.host) }
    }

    /// A service's health at its port.
    pub(crate) fn port(port: Port, health: &'a Health) -> Self {
        let address = Address::Tcp { address: port.reachable().to_string(), host: health.host.clone() };
        Self { address, path: &health.path, host: Some(&health.host) }
    }

    fn headers(&self) -> Vec<(String, String)> {
        self.host.map(|host| ("Host".to_owned(), host.to_owned())).into_iter().collect()
    }

    /// Asks once.
    pub(crate) fn ask(&self, cx: &Context<'_>, limit: Duration) -> Result<Answer, StepError> {
        self.ask_from(cx.host, limit)
    }

    /// Asks once, outside of any run.
    pub(crate) fn ask_from(&self, host: &dyn Host, limit: Duration) -> Result<Answer, StepError> {
        Answer::of(host.get(&self.address, self.path, &self.headers(), limit.max(LEAST)))
    }

    /// Asks `count` times at once.
    pub(crate) fn ask_many(
        &self,
        cx: &Context<'_>,
        limit: Duration,
        count: usize,
    ) -> Result<Vec<Answer>, StepError> {
        let results = cx.host.get_many(&self.address, self.path, &self.headers(), limit.max(LEAST), count);
        results.into_iter().map(Answer::of).collect()
    }

    /// Asks until the answer is `enough`, at most `limit`; the last answer.
    pub(crate) fn ask_until(
        &self,
        cx: &Context<'_>,
        limit: Duration,
        enough: fn(&Answer) -> bool,
    ) -> Result<Answer, StepError> {
        let end = cx.host.elapsed() + limit;
        loop {
            let answer = self.ask(cx, end.saturating_sub(cx.host.elapsed()))?;
            if enough(&answer) || cx.host.elapsed() >= end {
                return Ok(answer);
            }
            cx.host.pause(POLL)?;
        }
    }
}

/// The last lines of a program's log, without colours, secrets masked.
pub(crate) fn log_tail(cx: &Context<'_>, program: &str) -> Vec<String> {
    match cx.host.read(&cx.run.layout.service_log(program)) {
        Ok(Some(log)) => redacted_tail(cx, String::from_utf8_lossy(&log).lines()),
        // The log only adds to a failure that is told anyway.
        Ok(None) | Err(_) => Vec::new(),
    }
}

fn redacted_tail<'a>(cx: &Context<'_>, lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lines: Vec<String> = lines.map(|line| cx.run.redactor.redact(&plain(line))).collect();
    tail(&lines)
}
