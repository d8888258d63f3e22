//! Files for the programs around the app: proxies, what starts it at boot, log rotation.
//!
//! Pure functions: facts in, text out. Nothing in a file names a release, so it is written once.

mod boot;
mod facts;
mod site;
mod upstream;

#[cfg(test)]
mod tests;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use release_core::server::Protocol;

pub use facts::{Facts, GenerateError, Machine};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx in front of the app.
    Nginx,
    /// Caddy in front of the app.
    Caddy,
    /// HAProxy in front of the app.
    Haproxy,
    /// Apache in front of the app.
    Apache,
    /// The server's own supervisord, which starts the app at boot.
    Supervisor,
    /// systemd, which starts the app at boot.
    Systemd,
    /// cron, which starts the app at boot.
    Cron,
    /// Rotation of the app's logs.
    Logrotate,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 8] = [
        Kind::Nginx,
        Kind::Caddy,
        Kind::Haproxy,
        Kind::Apache,
        Kind::Supervisor,
        Kind::Systemd,
        Kind::Cron,
        Kind::Logrotate,
    ];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        self.template().0
    }

    /// The kind that is typed so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it sends requests to the app, and so needs a service that listens.
    fn is_proxy(self) -> bool {
        matches!(self, Kind::Nginx | Kind::Caddy | Kind::Haproxy | Kind::Apache)
    }

    /// Whether it can ask a uWSGI that does not speak HTTP.
    fn speaks_uwsgi(self) -> bool {
        matches!(self, Kind::Nginx | Kind::Apache)
    }

    fn template(self) -> (&'static str, &'static str) {
        match self {
            Kind::Nginx => ("nginx", include_str!("nginx.conf.j2")),
            Kind::Caddy => ("caddy", include_str!("Caddyfile.j2")),
            Kind::Haproxy => ("haproxy", include_str!("haproxy.cfg.j2")),
            Kind::Apache => ("apache", include_str!("apache.conf.j2")),
            Kind::Supervisor => ("supervisor", include_str!("supervisor.conf.j2")),
            Kind::Systemd => ("systemd", include_str!("systemd.service.j2")),
            Kind::Cron => ("cron", include_str!("crontab.j2")),
            Kind::Logrotate => ("logrotate", include_str!("logrotate.j2")),
        }
    }
}

/// The whole file.
pub fn file(kind: Kind, facts: &Facts) -> Result<String, GenerateError> {
    if kind.is_proxy() {
        let web = facts.web.as_ref().ok_or(GenerateError::NoService)?;
        if web.speaks(Protocol::Uwsgi) && !kind.speaks_uwsgi() {
            return Err(web.is_foreign_to(kind.name()));
        }
    }
    let (name, template) = kind.template();
    let text = environment(name, template).and_then(|known| known.get_template(name)?.render(Serde(facts)));
    Ok(text.expect("a template uses what Facts has"))
}

fn environment(name: &'static str, template: &'static str) -> Result<Environment<'static>, minijinja::Error> {
    let mut known = Environment::new();
    known.set_undefined_behavior(UndefinedBehavior::Strict);
    known.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    known.add_template("names", include_str!("names.j2"))?;
    known.add_template(name, template)?;
    Ok(known)
}
