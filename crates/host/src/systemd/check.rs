//! Why systemd cannot run anything for this user, and what to do about it.

use std::path::Path;

use release_core::config::Scope;
use release_core::host::{Account, Files, HostError, HostResult, Processes};

use super::Systemd;
use super::systemctl::is_booted;

/// The first that can append what a service prints to a file.
const LEAST: u32 = 240;

impl Systemd<'_> {
    pub(super) fn find_problem(&self) -> HostResult<()> {
        if self.host.find_program("systemctl").is_none() || !is_booted() {
            return Err(problem(
                "should be systemd, which does not run this machine",
                "use another: `manager: supervisord`",
            ));
        }
        let version = self.systemctl().version()?.unwrap_or_default();
        if version < LEAST {
            return Err(problem(
                &format!(
                    "should be systemd, and version {version} is too old: {LEAST} is the first that will do"
                ),
                "use another: `manager: supervisord`",
            ));
        }
        let account = self.host.account()?;
        match self.scope {
            Scope::User => self.user_problem(&account)?,
            Scope::System | Scope::Auto => system_problem(&account)?,
        }
        self.place_problem(&account)
    }

    fn place_problem(&self, account: &Account) -> HostResult<()> {
        let directory = self.directory(account);
        if self.host.is_writable(&directory)? {
            return Ok(());
        }
        let directory = directory.display();
        Err(problem(
            &format!("should be systemd, and this user may not write in {directory}"),
            &format!("give it to them: `sudo chown -R {} {directory}`", account.name),
        ))
    }

    /// A user's systemd ends with their last session, unless they linger.
    fn user_problem(&self, account: &Account) -> HostResult<()> {
        let lingers = Path::new("/var/lib/systemd/linger").join(&account.name);
        let help = format!("let it stay: `sudo loginctl enable-linger {}`", account.name);
        if self.host.kind(&lingers)?.is_none() {
            let what = format!("should be the systemd of {}, which ends when they log out", account.name);
            return Err(problem(&what, &help));
        }
        if !self.runs() {
            let what = format!("should be the systemd of {}, which does not run", account.name);
            let package = "with Debian, install `libpam-systemd` and `dbus-user-session` first";
            return Err(problem(&what, &format!("{help}; {package}")));
        }
        self.systemctl().answers()
    }
}

fn system_problem(account: &Account) -> HostResult<()> {
    if account.uid == 0 {
        return Ok(());
    }
    Err(problem(
        &format!("should be the machine's systemd, and {} may not tell it what to run", account.name),
        "deploy as root, or use your own: `manager: {systemd: user}`",
    ))
}

fn problem(what: &str, help: &str) -> HostError {
    HostError::Services { what: what.to_owned(), help: Some(help.to_owned()), source: None }
}
