//! The programs that a deploy calls, and the services' commands.

use release_core::config::{Config, Installer, Service};
use release_core::layout::{Layout, SOCKET_PATH_LIMIT};
use release_core::release::Generation;

use super::Problem;
use crate::retire::RETIRE;

/// What must be on `PATH`, and how it gets there.
pub(super) fn needed_programs(config: &Config, has_frontend: bool) -> Vec<(String, String)> {
    let mut needed = vec![(
        interpreter(config),
        "install it with its `venv` module, or name another one: `python: {version: \"3.11\"}`".to_owned(),
    )];
    if config.python.installer == Installer::Uv {
        needed.push(("uv".to_owned(), "install it, or say `python: {installer: auto}`".to_owned()));
    }
    if has_frontend {
        let commands =
            config.frontend.iter().flatten().flat_map(|frontend| [&frontend.install, &frontend.build]);
        let mut programs: Vec<&str> =
            commands.filter_map(|command| command.split_whitespace().next()).collect();
        programs.extend(if programs.is_empty() { vec!["node", "npm"] } else { vec!["node"] });
        // A path is looked for in the front end's directory, which is not checked out yet.
        programs.retain(|program| !program.contains('/'));
        programs.sort_unstable();
        programs.dedup();
        let help = "the front end is built with it: install Node.js";
        needed.extend(programs.into_iter().map(|program| (program.to_owned(), help.to_owned())));
    }
    needed
}

/// `python3`, or `python3.11` for a version `3.11` or `3.11.4`.
fn interpreter(config: &Config) -> String {
    match &config.python.version {
        Some(version) => format!("python{}", version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")),
        None => "python3".to_owned(),
    }
}

/// What stands against running `service`.
pub(super) fn service_problems(layout: &Layout, service: &Service) -> Vec<Problem> {
    let name = &service.name;
    let mut problems = Vec::new();
    let length = layout.socket(&longest_generation(), name).as_os_str().len();
    if length > SOCKET_PATH_LIMIT {
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
    let words: Vec<&str> = service.command.split_whitespace().collect();
    if let Some((what, help)) = command_problem(&words) {
        problems.push(Problem::new(format!("services.{name}: its command {what}"), help));
    }
    problems
}

/// Every id is as long as any other; nobody boots a release more than 99 times.
fn longest_generation() -> Generation {
    let release = "20000101T000000Z-0000000".parse().expect("this is how an id looks");
    Generation { release, number: 99 }
}

fn command_problem(words: &[&str]) -> Option<(String, String)> {
    let first = words.first().copied().unwrap_or_default();
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
        words.iter().find(|word| ["&&", "||", "|", ";", "&", ">", ">>", "<"].contains(word))
    {
        let help = format!("put it into a script, or run `sh -c '… {operator} …'`");
        return Some((format!("uses `{operator}`, and no shell runs it"), help));
    }
    let port = words.windows(2).find_map(|pair| fixed_port(pair[0], pair[1]))?;
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
