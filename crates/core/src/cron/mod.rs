//! Commands of the app that run at set times.

mod calendar;
mod crontab;
mod last_run;
mod schedule;
mod timer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::command::{Secret, Variables};

pub use crontab::Block;
pub use last_run::{Ended, LastRun};
pub use schedule::{Schedule, ScheduleError};
pub use timer::Timer;

/// A command of the app, and when it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name: lowercase letters, digits, `-` and `_`; no other entry of the app has it.
    pub name: String,
    /// When it runs.
    pub at: Schedule,
    /// The command, with shell words and `$NAME` for variables, but no shell.
    pub run: String,
    /// Variables for this entry alone.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// As whom it runs, by name; `None` for the user who deploys.
    #[serde(default)]
    pub user: Option<String>,
}

impl Entry {
    /// Its own variables.
    pub fn variables(&self) -> Variables {
        self.env.iter().map(|(name, value)| (name.clone(), Secret::new(value))).collect()
    }
}

/// What a command of these words is called: by its `manage.py` command, its module or its program.
/// `None` where nothing of that makes a name.
pub fn name_of(words: &[String]) -> Option<String> {
    let after = |is_mark: &dyn Fn(&str) -> bool| {
        let mark = words.iter().position(|word| is_mark(word))?;
        words.get(mark + 1).filter(|word| !word.starts_with('-'))
    };
    let told = after(&|word| word == "manage.py" || word.ends_with("/manage.py") || word == "django-admin")
        .or_else(|| after(&|word| word == "-m"))
        .or_else(|| program(words))?;
    let last = told.rsplit('/').next().unwrap_or(told);
    let stem = last.split_once('.').map_or(last, |(stem, _)| stem).to_lowercase();
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let name: String = stem.chars().map(plain).take(32).collect();
    let name = name.trim_matches('-').to_owned();
    name.starts_with(|c: char| c.is_ascii_lowercase()).then_some(name)
}

/// The program; of one that runs another, the script.
fn program(words: &[String]) -> Option<&String> {
    let first = words.first()?;
    let is_interpreter = ["python", "sh", "bash", "node", "nice"].iter().any(|name| {
        let program = first.rsplit('/').next().unwrap_or(first);
        program.strip_prefix(name).is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_digit() || c == b'.'))
    });
    let script = words[1..].iter().find(|word| !word.starts_with('-'));
    if is_interpreter { script.or(Some(first)) } else { Some(first) }
}
