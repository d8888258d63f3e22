//! The entries of the active release: when next, and how it went last.

use jiff::{Timestamp, Zoned};
use release_core::config::CronBy;
use release_core::cron::{Entry, LastRun};
use release_core::exit_code;
use release_core::release::ReleaseId;
use release_core::step::StepError;
use release_host::EntryLock;
use release_steps::cron::{Installed, installed};
use serde::Serialize;

use super::last_run;
use crate::commands::exec::{nothing_live, record};
use crate::error::Error;
use crate::output::Screen;
use crate::site::Site;

#[derive(Serialize)]
struct Listed {
    entries: Vec<Facts>,
    /// What starts them.
    by: CronBy,
    /// Why that could not be read.
    problem: Option<String>,
}

/// An entry, as scripts and people see it.
#[derive(Serialize)]
pub(crate) struct Facts {
    pub(crate) name: String,
    at: String,
    run: String,
    /// Whether something starts it; `None` where nobody looked.
    installed: Option<bool>,
    next_at: Option<Timestamp>,
    state: State,
    release: Option<ReleaseId>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    exit_code: Option<i32>,
    failure: Vec<String>,
}

/// How it stands with the last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Never,
    Running,
    Done,
    Failed,
    /// It began, and nobody saw its end.
    CutOff,
}

/// Shows the entries.
pub(crate) fn list(site: &Site, screen: &Screen) -> Result<u8, Error> {
    let current = site.current()?.ok_or_else(nothing_live)?;
    let config = record(site, &current)?.config;
    let mut entries = facts(site, &config.cron);
    let found = match entries.is_empty() {
        true => Ok(Installed::default()),
        false => installed(&site.host, &site.layout, &config),
    };
    if let Ok(found) = &found {
        for (entry, facts) in config.cron.iter().zip(&mut entries) {
            facts.installed = Some(found.has(entry));
        }
    }
    let problem = found.err().map(|error| StepError::from(error).in_one_line());
    let by = if config.timers().is_some() { CronBy::Timers } else { CronBy::Crontab };
    let listed = Listed { entries, by, problem };
    screen.facts(&listed, || text(&listed));
    Ok(exit_code::DONE)
}

/// What is known of `entries`, but for what starts them.
fn facts(site: &Site, entries: &[Entry]) -> Vec<Facts> {
    let now = Zoned::now();
    let facts = |entry: &Entry| {
        let last = last_run(site, &entry.name);
        let running = EntryLock::is_held(&site.layout.cron_lock(&entry.name));
        of(entry, &now, last, running)
    };
    entries.iter().map(facts).collect()
}

fn of(entry: &Entry, now: &Zoned, last: Option<LastRun>, running: bool) -> Facts {
    let ended = last.as_ref().and_then(|last| last.ended.clone());
    let state = match &last {
        _ if running => State::Running,
        None => State::Never,
        Some(last) if last.ended.is_none() => State::CutOff,
        Some(last) if last.failed().is_some() => State::Failed,
        Some(_) => State::Done,
    };
    Facts {
        name: entry.name.clone(),
        at: entry.at.to_string(),
        run: entry.run.clone(),
        installed: None,
        next_at: entry.at.next(now).map(|next| next.timestamp()),
        state,
        started_at: last.as_ref().map(|last| last.started_at),
        release: last.map(|last| last.release),
        ended_at: ended.as_ref().map(|ended| ended.at),
        exit_code: ended.as_ref().and_then(|ended| ended.exit_code),
        failure: ended.map(|ended| ended.failure).unwrap_or_default(),
    }
}

/// What is known of the entries of the active release; a record that cannot be read names none.
pub(crate) fn facts_of(site: &Site, current: Option<&ReleaseId>) -> Vec<Facts> {
    let record = current.and_then(|current| record(site, current).ok());
    facts(site, &record.map(|record| record.config.cron).unwrap_or_default())
}

impl Facts {
    /// How the last run went, for people: `failed at … (exit code 1)`.
    pub(crate) fn last(&self) -> String {
        let at = |moment: Option<Timestamp>| moment.map(shown).unwrap_or_default();
        match (self.state, self.exit_code) {
            (State::Never, _) => "has not run yet".to_owned(),
            (State::Running, _) => format!("runs since {}", at(self.started_at)),
            (State::CutOff, _) => format!("was cut off; it began at {}", at(self.started_at)),
            (State::Done, _) => format!("done at {}", at(self.ended_at)),
            (State::Failed, Some(code)) => format!("failed at {} (exit code {code})", at(self.ended_at)),
            (State::Failed, None) => format!("failed at {}", at(self.ended_at)),
        }
    }

    pub(crate) fn runs(&self) -> bool {
        self.state == State::Running
    }

    /// Whether somebody should look at it.
    pub(crate) fn is_unwell(&self) -> bool {
        matches!(self.state, State::Failed | State::CutOff)
    }
}

/// In the server's time zone, as cron counts.
fn shown(moment: Timestamp) -> String {
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn text(listed: &Listed) -> String {
    if listed.entries.is_empty() {
        return "the active release has no entries of cron; `cron:` in release.yml makes some".to_owned();
    }
    let mut text = String::new();
    for facts in &listed.entries {
        text += &format!("{:<20} {:<15} {}\n", facts.name, facts.at, facts.run);
        let next = facts.next_at.map(shown).unwrap_or_else(|| "never".to_owned());
        text += &match facts.installed {
            Some(false) => {
                let who = if listed.by == CronBy::Timers {
                    "systemd has no timer of"
                } else {
                    "the crontab does not have"
                };
                format!("  next  never: {who} it; `release start` brings it back\n")
            }
            _ => format!("  next  {next}\n"),
        };
        text += &format!("  last  {}\n", facts.last());
        for line in &facts.failure {
            text += &format!("        | {line}\n");
        }
    }
    if let Some(problem) = &listed.problem {
        text += &format!("problem: {problem}\n");
    }
    text + "`release cron log NAME` shows what one printed, `release cron run NAME` runs one now\n"
}
