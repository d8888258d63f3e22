//! The `reload:` of a service: what makes its master load new code, and what is known not to.

use super::fields::{Fields, Report};
use super::parse::check_words;
use super::stop::is_signal;
use super::{Handover, Reload, Service};
use crate::server::{Server, starts_workers_alone};

/// What makes the master load new code: what is said, or the signal that is usual for the server.
pub(super) fn reload(
    fields: &mut Fields,
    key: &str,
    words: &[String],
    handover: Handover,
    report: &mut Report<'_>,
) -> Option<Reload> {
    let said: Option<String> = fields.take("reload", report);
    let preloads = words.iter().any(|word| word == "--preload" || word == "--preload-app");
    if handover == Handover::Reload && preloads {
        let help = Some("take `--preload` away, or use `handover: socket`".to_owned());
        let what = format!("services.{key}: what its master has preloaded stays the old code");
        report.add(&fields.at("command"), what, help);
    }
    let usual = || Server::of(words).reload_signal().map(|signal| Reload::Signal(signal.to_owned()));
    match said {
        Some(said) if is_signal(&said) => Some(Reload::Signal(said)),
        Some(said) => {
            check_words(&fields.at("reload"), &said, report);
            Some(Reload::Command(said))
        }
        None if handover == Handover::Reload => usual(),
        None => None,
    }
}

/// A problem by what makes it one: what is said of it, after the service's name, and the cure.
type Known = (fn(&Service) -> bool, &'static str, &'static str);

const PROBLEMS: [Known; 5] = [
    (
        |service| service.reload.is_none(),
        ": it is not known what makes its master load new code",
        "say what does: `reload: HUP`, or a command; or use `handover: socket`",
    ),
    (
        is_managers,
        ".reload: a unit of another is not started by `release`, so nothing proves what it loads",
        "make the unit's command this service's own, and say `reload: HUP` or `reload: kill -HUP $PID`",
    ),
    (
        is_wrong_signal,
        ".reload: on that signal its server loads no new code as the process that it is",
        "take it away, as gunicorn and uWSGI load it on HUP; or use `handover: socket`",
    ),
    (
        shares_fifo,
        ".command: a release that is booted beside its master would take its fifo over",
        "give each its own: `--master-fifo $SOCKET.fifo`, with `reload: sh -c 'echo r > $SOCKET.fifo'`",
    ),
    (
        leaves_master_alone,
        ".reload: its new workers stay where their master was started, in the old release",
        "nobody uses that master meanwhile, so all at once serves as well: `--touch-reload` in place of \
         `--touch-chain-reload`, `echo r` of `echo c`, or `reload: HUP`",
    ),
];

/// What is wrong with how the master of `service` is reloaded, and the cure.
pub(super) fn problem(service: &Service) -> Option<(&'static str, &'static str)> {
    let (_, what, help) = PROBLEMS.iter().find(|(is_so, _, _)| is_so(service))?;
    Some((what, help))
}

/// Whether its reload is an order to another process manager than the one that runs it.
fn is_managers(service: &Service) -> bool {
    let Some(Reload::Command(command)) = &service.reload else { return false };
    let words = shell_words::split(command).unwrap_or_default();
    let program = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    words.iter().map(program).any(|word| ["systemctl", "supervisorctl", "service"].contains(&word.as_str()))
}

/// Whether it is one of uWSGI's reloads of workers alone.
fn leaves_master_alone(service: &Service) -> bool {
    let Some(Reload::Command(command)) = &service.reload else { return false };
    starts_workers_alone(&service.words(), command)
}

/// Whether its server is known, and knows another signal: gunicorn becomes another process on USR2.
fn is_wrong_signal(service: &Service) -> bool {
    let Some(Reload::Signal(signal)) = &service.reload else { return false };
    let words = shell_words::split(&service.command).unwrap_or_default();
    Server::of(&words).reload_signal().is_some_and(|usual| usual != signal)
}

/// Whether its master takes orders by a file that the next process of the service makes anew: uWSGI's.
fn shares_fifo(service: &Service) -> bool {
    const OWN: [&str; 4] = ["$SOCKET", "${SOCKET}", "$RELEASE_PROGRAM", "${RELEASE_PROGRAM}"];
    let words = service.words();
    let Some(at) = words.iter().position(|word| word.starts_with("--master-fifo")) else { return false };
    // The path is in the same word or in the next one.
    let path = words[at].strip_prefix("--master-fifo=").or(words.get(at + 1).map(String::as_str));
    !path.is_some_and(|path| OWN.iter().any(|own| path.contains(own)))
}
