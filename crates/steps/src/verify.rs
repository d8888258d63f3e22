//! Asks from outside, the way that users come, whether the active release is well.

use std::time::Duration;

use release_core::config::Verify as Asked;
use release_core::host::Address;
use release_core::port::ports;
use release_core::run::Run;
use release_core::server::Protocol;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::answer::{Answer, Question};
use crate::retire;

/// Asks through `current` and through the proxy.
#[derive(Clone, Copy, Debug)]
pub struct Verify;

const NOTHING: &str = "there are no services, and no verify.url";

/// How long a service may take to answer through `current` where `verify` does not say.
const THROUGH_CURRENT: Duration = Duration::from_secs(10);

impl Step for Verify {
    fn id(&self) -> &'static str {
        "verify"
    }

    fn describe(&self, run: &Run) -> String {
        match &run.config.verify {
            Some(asked) => format!("ask {}", asked.url),
            None => "ask the services through current".to_owned(),
        }
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if has_nothing_to_ask(cx.run) {
            return Ok(Look::Nothing(NOTHING.to_owned()));
        }
        Ok(Look::Pending(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if has_nothing_to_ask(cx.run) {
            return Ok(Outcome::Skipped(NOTHING.to_owned()));
        }
        through_current(cx)?;
        if let Some(asked) = &cx.run.config.verify {
            from_outside(cx, asked)?;
        }
        Ok(Outcome::Done)
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

fn has_nothing_to_ask(run: &Run) -> bool {
    run.config.listening().next().is_none() && run.config.verify.is_none()
}

fn through_current(cx: &Context<'_>) -> Result<(), StepError> {
    let limit = cx.run.config.verify.as_ref().map_or(THROUGH_CURRENT, |asked| asked.timeout.0);
    retire::states(cx)?;
    for service in cx.run.config.listening() {
        let socket = cx.run.layout.current_socket(&service.name);
        let at = format!("at {}", socket.display());
        ask(cx, &service.name, &at, &Question::health(socket, &service.health), limit, None)?;
    }
    for (port, service) in
        ports(&cx.run.config).filter(|(_, service)| service.health.protocol == Protocol::Http)
    {
        let (at, question) = (format!("at {}", port.0), Question::port(port, &service.health));
        let log = cx.run.layout.service_log(&port.program());
        let help =
            format!("it is well on its socket: look at what passes connections on, `less {}`", log.display());
        ask(cx, &service.name, &at, &question, limit, Some(help))?;
    }
    Ok(())
}

fn from_outside(cx: &Context<'_>, asked: &Asked) -> Result<(), StepError> {
    let (address, path) = parse(&asked.url);
    let question = Question { address, path, host: None };
    let help = format!("the services are well: look at what stands before them, `curl -i {}`", asked.url);
    ask(cx, "the site", &format!("at {}", asked.url), &question, asked.timeout.0, Some(help))
}

fn ask(
    cx: &Context<'_>,
    who: &str,
    at: &str,
    question: &Question<'_>,
    limit: Duration,
    help: Option<String>,
) -> Result<(), StepError> {
    let answer = question.ask_until(cx, limit, Answer::is_good)?;
    if answer.is_good() {
        return Ok(());
    }
    let what = format!("{at} {}", answer.what(question.path));
    Err(StepError::Service { service: who.to_owned(), what, output: answer.lines(cx), help })
}

/// Whom `http://host[:port]/path` names, and what it asks for.
pub(crate) fn parse(url: &str) -> (Address, &str) {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let rest = rest.split('#').next().unwrap_or(rest);
    let (host, path) = match rest.find(['/', '?']) {
        Some(split) => rest.split_at(split),
        None => (rest, "/"),
    };
    // A colon within brackets belongs to an IPv6 address.
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let address = if has_port { host.to_owned() } else { format!("{host}:80") };
    (Address::Tcp { address, host: host.to_owned() }, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_an_address_and_a_path() {
        for (url, expected, host, path) in [
            ("http://127.0.0.1/healthz", "127.0.0.1:80", "127.0.0.1", "/healthz"),
            ("http://shop.test:8080", "shop.test:8080", "shop.test:8080", "/"),
            ("http://[::1]/a?b=c#d", "[::1]:80", "[::1]", "/a?b=c"),
            ("http://[::1]:81/", "[::1]:81", "[::1]:81", "/"),
        ] {
            let address = Address::Tcp { address: expected.to_owned(), host: host.to_owned() };
            assert_eq!(parse(url), (address, path), "{url}");
        }
    }
}
