//! The `cron:` of a `release.yml`.

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::fields::{Fields, Report, name};
use super::parse::{PLAIN_NAME, check_words, env, is_plain_name};
use super::process::account;
use super::{Config, Manager, Scope};
use crate::cron::{Entry, Schedule, name_of};

/// What starts the entries of cron.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CronBy {
    /// The crontab of the user who deploys.
    Crontab,
    /// Timers of systemd.
    Timers,
}

impl Config {
    /// Whose systemd starts the entries of cron; `None` where the crontab does.
    pub fn timers(&self) -> Option<Scope> {
        match (self.cron_by, &self.manager) {
            (Some(CronBy::Crontab), _) => None,
            (_, Manager::Systemd(scope)) => Some(*scope),
            (Some(CronBy::Timers), _) => Some(Scope::Auto),
            (None, _) => None,
        }
    }
}

pub(super) fn cron(fields: &mut Fields, report: &mut Report<'_>) -> Vec<Entry> {
    let items: Vec<Value> = fields.take("cron", report).unwrap_or_default();
    let path = fields.at("cron");
    let mut entries: Vec<Entry> = Vec::new();
    for (index, value) in items.into_iter().enumerate() {
        let at = [path.clone(), vec![index.to_string()]].concat();
        let Some(entry) = entry(value, at.clone(), report) else { continue };
        if entries.iter().any(|other| other.name == entry.name) {
            let help = Some("give each a `name:` of its own".to_owned());
            report.add(&at, format!("{}: another entry is called `{}`", name(&at), entry.name), help);
        }
        entries.push(entry);
    }
    entries
}

/// `None` where a problem was told.
fn entry(value: Value, path: Vec<String>, report: &mut Report<'_>) -> Option<Entry> {
    let mut fields = Fields::new(value, path, report);
    let at = schedule(&mut fields, report);
    let run: Option<String> = fields.take("run", report);
    if run.as_ref().is_none_or(|run| run.trim().is_empty()) {
        let help = Some("say what it runs: `run: python manage.py clearsessions`".to_owned());
        report.add(&fields.path, format!("{}: `run` is missing", name(&fields.path)), help);
    }
    let run = run.filter(|run| !run.trim().is_empty());
    check_words(&fields.at("run"), run.as_deref().unwrap_or_default(), report);
    let name = entry_name(&mut fields, run.as_deref(), report);
    let env = env(&mut fields, report);
    let user = account(&mut fields, "user", report);
    fields.finish(report);
    Some(Entry { name: name?, at: at?, run: run?, env, user })
}

fn schedule(fields: &mut Fields, report: &mut Report<'_>) -> Option<Schedule> {
    let Some(text) = fields.take::<String>("at", report) else {
        if !report.problems.iter().any(|problem| problem.what.starts_with(&name(&fields.at("at")))) {
            let help = Some("say when it runs: `at: \"0 5 * * 0\"`, or `at: \"@daily\"`".to_owned());
            report.add(&fields.path, format!("{}: `at` is missing", name(&fields.path)), help);
        }
        return None;
    };
    match Schedule::parse(&text) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            let at = fields.at("at");
            report.add(&at, format!("{}: {error}", name(&at)), Some(error.help().to_owned()));
            None
        }
    }
}

/// The name that was given, or one by the command.
fn entry_name(fields: &mut Fields, run: Option<&str>, report: &mut Report<'_>) -> Option<String> {
    if let Some(given) = fields.take::<String>("name", report) {
        if !is_plain_name(&given) {
            let at = fields.at("name");
            report.add(
                &at,
                format!("{}: `{given}` is not a plain name", name(&at)),
                Some(PLAIN_NAME.to_owned()),
            );
        }
        return Some(given);
    }
    // A quote that is not closed was told.
    let words = shell_words::split(run?).ok()?;
    let derived = name_of(&words);
    if derived.is_none() {
        let what = format!("{}: its command gives it no name", name(&fields.path));
        report.add(&fields.path, what, Some("give it a `name:`".to_owned()));
    }
    derived
}
