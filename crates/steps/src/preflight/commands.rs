//! The programs that a deploy calls, and the services' commands.

use std::collections::BTreeSet;

use release_core::config::{Config, Frontend, Handover, Installer, Service};
use release_core::layout::{Layout, SOCKET_PATH_LIMIT};
use release_core::release::Generation;

use super::Problem;
use crate::interpreter::program_name;
use crate::retire::RETIRE;

/// What must be on `PATH`, and how it gets there.
pub(super) fn needed_programs(config: &Config, has_frontend: bool) -> Vec<(String, String)> {
    let mut needed = vec![(
        program_name(config.python.version.as_deref()),
        "install it with its `venv` module, or name another one: `python: {version: \"3.11\"}`".to_owned(),
    )];
    if config.python.installer == Installer::Uv {
        needed.push(("uv".to_owned(), "install it, or say `python: {installer: auto}`".to_owned()));
    }
    if has_frontend {
        let help = "the front end is built with it: install Node.js";
        needed.extend(frontend_programs(config).into_iter().map(|program| (program, help.to_owned())));
    }
    needed
}

fn frontend_programs(config: &Config) -> BTreeSet<String> {
    let usual = [Frontend::npm(".")];
    let frontends = config.frontend.as_deref().unwrap_or(&usual);
    let commands = frontends.iter().flat_map(|frontend| [&frontend.install, &frontend.build]);
    let programs = commands.filter_map(|command| words(command).into_iter().next());
    // A path is looked for in the front end's directory, which is not checked out yet.
    programs.filter(|program| !program.contains('/')).chain(["node".to_owned()]).collect()
}

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
    if let Some((what, help)) = command_problem(&words(&service.command)) {
        problems.push(Problem::new(format!("services.{name}: its command {what}"), help));
    }
    problems
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
    // `--bind=x` is `--bind x`.
    let parts: Vec<&str> = words.iter().flat_map(|word| word.splitn(2, '=')).collect();
    let port = parts.windows(2).find_map(|pair| fixed_port(pair[0], pair[1]))?;
    let help = "let it listen on $SOCKET alone".to_owned();
    Some((format!("listens on port {port} too, which two generations cannot share"), help))
}

fn fixed_port<'a>(option: &str, value: &'a str) -> Option<&'a str> {
    let port = match option {
        "--bind" | "-b" => value.rsplit_once(':')?.1,
        "--port" => value,
        _ => return None,
    };
    (!port.is_empty() && port.bytes().all(|c| c.is_ascii_digit())).then_some(port)
}
