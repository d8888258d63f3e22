//! The services' commands.

use release_core::config::{Handover, Service};
use release_core::cron::Entry;
use release_core::layout::{Layout, SOCKET_PATH_LIMIT};
use release_core::release::Generation;
use release_core::server::Server;

use super::Problem;
use crate::retire::RETIRE;

/// What stands against running `service`.
pub(super) fn service_problems(layout: &Layout, service: &Service) -> Vec<Problem> {
    let name = &service.name;
    let mut problems = Vec::new();
    let length = layout.socket(&longest_generation(), name).as_os_str().len();
    if service.handover == Handover::Socket && length > SOCKET_PATH_LIMIT {
        problems.push(Problem::new(
            format!(
                "services.{name}: its socket's path has {length} bytes, and {SOCKET_PATH_LIMIT} is the limit"
            ),
            "use a shorter root, or a shorter name for the service",
        ));
    }
    if name == RETIRE {
        problems.push(Problem::new(
            format!("services.{name} is a name that release itself uses"),
            "choose another name",
        ));
    }
    problems.extend(one_release_for_ever(layout, &format!("services.{name}"), &service.command));
    let words = words(&service.command);
    if let Some((what, help)) = command_problem(&words).or_else(|| port_problem(&words)) {
        problems.push(Problem::new(format!("services.{name}: its command {what}"), help));
    }
    problems
}

/// What stands against running `entry`.
pub(super) fn entry_problems(layout: &Layout, entry: &Entry) -> Vec<Problem> {
    let whose = format!("cron entry {}", entry.name);
    let command = command_problem(&words(&entry.run));
    let command = command.map(|(what, help)| Problem::new(format!("{whose}: its command {what}"), help));
    one_release_for_ever(layout, &whose, &entry.run).into_iter().chain(command).collect()
}

/// A command that leads through `current`, or into one release, runs the code of another one than
/// the release that it is started for.
fn one_release_for_ever(layout: &Layout, whose: &str, command: &str) -> Option<Problem> {
    let root = layout.root().display().to_string();
    let expanded = command.replace("${RELEASE_ROOT}", &root).replace("$RELEASE_ROOT", &root);
    let place = [layout.current(), layout.releases()].into_iter().find(|place| {
        let text = place.display().to_string();
        let ends =
            |rest: &str| rest.chars().next().is_none_or(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
        expanded.match_indices(&text).any(|(at, _)| ends(&expanded[at + text.len()..]))
    })?;
    Some(Problem::new(
        format!(
            "{whose}: its command names {}, which is another release while a new one is tried",
            place.display()
        ),
        "name things from the release's top, where it is started: `gunicorn`, `--chdir web`, `$VIRTUAL_ENV/bin/…`",
    ))
}

/// Every id is as long as any other; nobody boots a release more than 99 times.
fn longest_generation() -> Generation {
    let release = "20000101T000000Z-0000000".parse().expect("this is how an id looks");
    Generation { release, number: 99 }
}

/// The words of a command; a quote that is not closed is told when `release.yml` is read.
fn words(command: &str) -> Vec<String> {
    shell_words::split(command).unwrap_or_default()
}

fn command_problem(words: &[String]) -> Option<(String, String)> {
    let first = words.first().map(String::as_str).unwrap_or_default();
    if first.is_empty() {
        return Some((
            "names no program".to_owned(),
            "name one: `gunicorn shop.wsgi --bind unix:$SOCKET`".to_owned(),
        ));
    }
    if first.contains('=') {
        return Some((format!("begins with a variable, `{first}`"), "put variables into `env:`".to_owned()));
    }
    if let Some(operator) =
        words.iter().find(|word| ["&&", "||", "|", ";", "&", ">", ">>", "<"].contains(&word.as_str()))
    {
        let help = format!("put it into a script, or run `sh -c '… {operator} …'`");
        return Some((format!("uses `{operator}`, and no shell runs it"), help));
    }
    None
}

fn port_problem(words: &[String]) -> Option<(String, String)> {
    let server = Server::of(words);
    let port = server.own_port(words)?;
    let what = format!("listens on port {} too, which two generations cannot share", port.port);
    let bind = server.bind();
    Some((
        what,
        format!("let it listen on `{bind}` alone, and say `listen: {port}`: that port is held for it"),
    ))
}
