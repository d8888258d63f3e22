//! `manager:`: what keeps the app's services running.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::fields::{Fields, Report};

/// What keeps the app's services running.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// A supervisord that is this root's alone.
    #[default]
    Supervisord,
    /// systemd.
    Systemd(Scope),
    /// The server's own supervisord.
    ServerSupervisord(ServerSupervisord),
}

/// Which of a machine's systemds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The machine's for root, the user's own for everybody else.
    Auto,
    /// The machine's.
    System,
    /// The one of the user who deploys.
    User,
}

/// A supervisord that runs other programs too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerSupervisord {
    /// Its control socket: an absolute path.
    pub socket: String,
    /// What its `[include]` reads: an absolute directory, or one with a pattern such as `*.ini`.
    pub programs: String,
}

impl ServerSupervisord {
    /// The directory of its programs' files, and what their names end in, with the dot.
    pub fn place(&self) -> (&str, &str) {
        match self.programs.rsplit_once('/') {
            Some((directory, pattern)) if pattern.contains('*') => {
                (directory, pattern.trim_start_matches('*'))
            }
            _ => (self.programs.trim_end_matches('/'), ".conf"),
        }
    }
}

impl Scope {
    /// What it is for somebody who is root, or is not; never [`Scope::Auto`].
    pub fn resolved(self, is_root: bool) -> Self {
        match self {
            Scope::Auto if is_root => Scope::System,
            Scope::Auto => Scope::User,
            said => said,
        }
    }
}

impl Manager {
    /// The same, with no scope left open.
    pub fn resolved(&self, is_root: bool) -> Self {
        match self {
            Manager::Systemd(scope) => Manager::Systemd(scope.resolved(is_root)),
            other => other.clone(),
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Manager::Supervisord => f.write_str("a private supervisord"),
            Manager::Systemd(Scope::Auto) => f.write_str("systemd"),
            Manager::Systemd(Scope::System) => f.write_str("systemd (system)"),
            Manager::Systemd(Scope::User) => f.write_str("systemd (user)"),
            Manager::ServerSupervisord(server) => write!(f, "the supervisord at {}", server.socket),
        }
    }
}

const WAYS: &str = "write `supervisord`, `systemd`, `{systemd: user}`, or the server's own supervisord as \
                    `{supervisord: /run/supervisor.sock, programs: /etc/supervisor/conf.d}`";

pub(super) fn manager(fields: &mut Fields, report: &mut Report<'_>) -> Manager {
    let at = fields.at("manager");
    let named = match fields.value("manager") {
        None => return Manager::default(),
        Some(Value::String(name)) => named(&name),
        Some(value @ Value::Mapping(_)) => return of_mapping(value, at, report),
        Some(_) => None,
    };
    if named.is_none() {
        report.add(&at, "manager: this is none that is known", Some(WAYS.to_owned()));
    }
    named.unwrap_or_default()
}

fn named(name: &str) -> Option<Manager> {
    match name {
        "supervisord" => Some(Manager::Supervisord),
        "systemd" => Some(Manager::Systemd(Scope::Auto)),
        _ => None,
    }
}

fn of_mapping(value: Value, at: Vec<String>, report: &mut Report<'_>) -> Manager {
    let mut fields = Fields::new(value, at.clone(), report);
    let systemd: Option<String> = fields.take("systemd", report);
    let socket: Option<String> = fields.take("supervisord", report);
    let programs: Option<String> = fields.take("programs", report);
    let scope = systemd.map(|scope| self::scope(&scope, fields.at("systemd"), report));
    fields.finish(report);
    match (scope, socket, programs) {
        (Some(scope), None, None) => Manager::Systemd(scope),
        (None, Some(socket), Some(programs)) => {
            server_supervisord(ServerSupervisord { socket, programs }, &at, report)
        }
        _ => {
            report.add(&at, "manager: one manager, and all of it, should stand here", Some(WAYS.to_owned()));
            Manager::default()
        }
    }
}

fn scope(text: &str, at: Vec<String>, report: &mut Report<'_>) -> Scope {
    match text {
        "system" => return Scope::System,
        "user" => return Scope::User,
        _ => {}
    }
    report.add(
        &at,
        format!("manager.systemd: `{text}` is no scope"),
        Some("write `user` or `system`".to_owned()),
    );
    Scope::Auto
}

fn server_supervisord(server: ServerSupervisord, at: &[String], report: &mut Report<'_>) -> Manager {
    let (directory, ending) = server.place();
    let pattern_elsewhere = [directory, ending].iter().any(|part| part.contains(['*', '?', '[']));
    if pattern_elsewhere || ending.is_empty() || !server.programs.starts_with('/') {
        let help = "copy it from `files` of its `[include]`: `/etc/supervisor/conf.d/*.conf`".to_owned();
        report.add(
            &[at, &["programs".to_owned()]].concat(),
            format!(
                "manager.programs: `{}` is no absolute directory, with `*.conf` or without",
                server.programs
            ),
            Some(help),
        );
    }
    if !server.socket.starts_with('/') {
        let help = "name its unix socket: `/run/supervisor.sock`".to_owned();
        report.add(
            &[at, &["supervisord".to_owned()]].concat(),
            format!("manager.supervisord: `{}` is no absolute path", server.socket),
            Some(help),
        );
    }
    Manager::ServerSupervisord(server)
}
