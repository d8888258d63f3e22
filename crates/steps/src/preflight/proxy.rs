//! Whether the proxy reaches the app through `current`, so that one rename switches everything.

use std::time::Duration;

use release_core::command::Command;
use release_core::config::Config;
use release_core::host::Host;
use release_core::layout::Layout;

use super::nginx::Statement;
use super::{Problem, loaded, upgrade};

/// How long nginx may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// What in the proxy's configuration would mix releases or lose requests.
pub fn proxy_problems(host: &dyn Host, layout: &Layout, config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let statements = loaded::statements(host, layout, config, &mut problems);
    if statements.is_empty() && config.proxy.config.is_empty() {
        // No nginx, or one that is configured elsewhere: there is nothing to judge.
        return problems;
    }
    past_current(layout, &statements, &mut problems);
    problems.extend(one_generation(layout, config, &statements));
    if statements.iter().any(|statement| statement.names(&layout.current())) {
        kept_alive(host, layout, &statements, &mut problems);
        problems.extend(upgrade::problem(host, layout, config, &statements));
    } else {
        let what = format!("the proxy's configuration does not mention {}", layout.current().display());
        problems.push(Problem::new(
            what,
            "let it serve the app from there; `release generate nginx` (or caddy, haproxy, apache) prints the file",
        ));
    }
    problems
}

fn past_current(layout: &Layout, statements: &[Statement], problems: &mut Vec<Problem>) {
    for statement in statements.iter().filter(|statement| statement.names(&layout.releases())) {
        problems.push(Problem::new(
            format!(
                "{}: `{}` names a single release, and would go on serving it",
                statement.at(),
                statement.text
            ),
            format!("write {} instead", layout.current().display()),
        ));
    }
}

/// `current/run` has the sockets of each boot besides the name that stays.
fn one_generation(layout: &Layout, config: &Config, statements: &[Statement]) -> Vec<Problem> {
    let run = format!("{}/", layout.current_run().display());
    let problem = |statement: &Statement| {
        let (_, rest) = statement.text.split_once(&run)?;
        let socket = rest.split(|c: char| "\"';: ".contains(c)).next()?.strip_suffix(".sock")?;
        let (service, _) = socket.rsplit_once("-g").filter(|(_, boot)| boot.parse::<u32>().is_ok())?;
        if config.services.iter().any(|service| service.name == socket) {
            return None;
        }
        let what = format!("{}: `{}` names the socket of a single boot", statement.at(), statement.text);
        Some(Problem::new(what, format!("write {} instead", layout.current_socket(service).display())))
    };
    statements.iter().filter_map(problem).collect()
}

/// A connection that the proxy keeps to the old generation goes on getting the old code's answers.
fn kept_alive(host: &dyn Host, layout: &Layout, statements: &[Statement], problems: &mut Vec<Problem>) {
    let ours = |statement: &&Statement| statement.in_upstream && statement.names(&layout.current());
    for server in statements.iter().filter(ours) {
        let keepalive = statements.iter().find(|other| other.beside(server) && is_keepalive(other));
        problems.extend(keepalive.map(|keepalive| {
            let what =
                format!("{}: `{}` keeps connections to the old release open", keepalive.at(), keepalive.text);
            Problem::new(what, format!("take it away, and {CLOSE}"))
        }));
    }
    // The uwsgi protocol has no connections that are kept.
    if statements.iter().any(asks_http)
        && !statements.iter().any(|statement| closes(statement, statements))
        && keeps_alive_by_default(host, layout)
    {
        let what = "this nginx keeps connections to the app open by default, and so to the old release";
        problems.push(Problem::new(what, CLOSE));
    }
}

const CLOSE: &str = "say `proxy_set_header Connection close;` where the app is proxied";

fn is_keepalive(statement: &Statement) -> bool {
    matches!(statement.words().as_slice(), ["keepalive", count, ..] if *count != "0")
}

fn asks_http(statement: &Statement) -> bool {
    statement.words().first() == Some(&"proxy_pass")
}

fn closes(statement: &Statement, all: &[Statement]) -> bool {
    match statement.words().as_slice() {
        // A map that closes all but websockets, as `release generate nginx` writes it.
        ["proxy_set_header", "Connection", value] if value.starts_with('$') => {
            all.iter().any(|other| matches!(other.words().as_slice(), ["default" | "", "close"]))
        }
        ["proxy_set_header", "Connection", value] => value.eq_ignore_ascii_case("close"),
        ["keepalive", count, ..] => *count == "0",
        _ => false,
    }
}

/// The first nginx with upstream keep-alive by default.
const KEEPS_ALIVE: [u32; 3] = [1, 29, 7];

fn keeps_alive_by_default(host: &dyn Host, layout: &Layout) -> bool {
    let mut version = None;
    let asked = Command::new("nginx", layout.root()).args(["-v"]).limit(LIMIT);
    // Where nginx cannot be asked it is taken for one of the many that do not.
    let _ = host.run(&asked, &mut |line| version = version.take().or_else(|| nginx_version(line)));
    version.is_some_and(|version| version >= KEEPS_ALIVE)
}

/// The version that `nginx version: nginx/1.22.1 (Ubuntu)` tells.
fn nginx_version(line: &str) -> Option<[u32; 3]> {
    let version = line.strip_prefix("nginx version: nginx/")?.split_whitespace().next()?;
    let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    numbers.try_into().ok()
}
