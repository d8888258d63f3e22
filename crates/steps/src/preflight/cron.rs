//! Whether anything reads the crontab, where that is to start the entries.

use release_core::config::Config;
use release_core::host::Host;

use super::Problem;

/// A deploy needs no daemon, so this stops none.
pub fn cron_problems(host: &dyn Host, config: &Config) -> Vec<Problem> {
    if config.cron.is_empty() || config.timers().is_some() {
        return Vec::new();
    }
    match host.cron_runs() {
        Ok(Some(false)) => vec![Problem::new(
            "no cron daemon runs, so no entry of cron does",
            "start it: `sudo service cron start` (Fedora: `sudo systemctl enable --now crond`)",
        )],
        Ok(_) => Vec::new(),
        Err(error) => vec![error.into()],
    }
}
