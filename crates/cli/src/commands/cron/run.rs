//! One run of an entry, by cron or by hand: of the release that is active when it begins, from
//! that release's own directory until it ends.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use release_core::command::{Command, Exit};
use release_core::cron::{Ended, Entry, LastRun};
use release_core::environment;
use release_core::exit_code;
use release_core::host::{Account, Accounts, Clock, Files, Processes};
use release_core::plain_text::plain;
use release_core::redact::Redactor;
use release_core::release_record::ReleaseRecord;
use release_core::step::{StepError, tail};
use release_host::{EntryLock, append_line};

use super::last_run;
use crate::commands::exec;
use crate::error::Error;
use crate::output::{Screen, seconds};
use crate::site::Site;

/// A log that is longer is put aside, and the one that was aside goes.
const LONGEST_LOG: u64 = 1_000_000;

/// Those that may tell why it failed.
const MOST_LINES: usize = 400;

/// Runs the entry `name`; `at` is the time of the line by which cron calls.
pub(crate) fn run(site: &Site, screen: &Screen, name: &str, at: Option<&str>) -> Result<u8, Error> {
    let release = site.current()?.ok_or_else(exec::nothing_live)?;
    let record = exec::record(site, &release)?;
    let found = record.config.cron.iter().find(|entry| entry.name == name);
    let entry = match (found, at) {
        // While releases change places the crontab has the lines of both.
        (entry, Some(at)) => match entry.filter(|entry| entry.at.as_str() == at) {
            Some(entry) => entry,
            None => return Ok(exit_code::DONE),
        },
        (entry, None) => entry.ok_or_else(|| unknown(name, &record))?,
    };
    let turn = Turn { site, screen, record: &record, entry, by_hand: at.is_none() };
    let Some(_lock) = EntryLock::take(&site.layout.cron_lock(name))? else { return turn.skip() };
    turn.take()
}

fn unknown(name: &str, record: &ReleaseRecord) -> Error {
    let names: Vec<&str> = record.config.cron.iter().map(|entry| entry.name.as_str()).collect();
    Error::Usage {
        what: format!("{} has no entry `{name}` of cron", record.release),
        help: match names.as_slice() {
            [] => "it has none: `cron:` in release.yml makes some".to_owned(),
            names => format!("it has {}", names.join(", ")),
        },
    }
}

/// One turn of an entry.
struct Turn<'a> {
    site: &'a Site,
    screen: &'a Screen,
    record: &'a ReleaseRecord,
    entry: &'a Entry,
    by_hand: bool,
}

impl Turn<'_> {
    /// The run before has not ended.
    fn skip(&self) -> Result<u8, Error> {
        let name = &self.entry.name;
        let since = last_run(self.site, name).map(|last| format!(" since {}", dated(last.started_at)));
        let what = format!("`{name}` still runs{}", since.unwrap_or_default());
        if self.by_hand {
            let help = format!("see what it prints: `release cron log {name}`");
            return Err(Error::Busy { what, help });
        }
        self.log(&format!("{} skipped: {what}", dated(self.site.host.now())));
        Ok(exit_code::DONE)
    }

    /// Runs it. The caller holds its lock.
    fn take(&self) -> Result<u8, Error> {
        let (host, name) = (&self.site.host, &self.entry.name);
        let (now, before) = (host.now(), last_run(self.site, name));
        if !self.by_hand && before.as_ref().is_some_and(|last| last.is_of(now)) {
            self.log(&format!("{} skipped: another crontab began it in this minute", dated(now)));
            return Ok(exit_code::DONE);
        }
        self.rotate();
        let mut last = LastRun::begin(self.record.release.clone(), now, !self.by_hand, before.as_ref());
        self.remember(&last);
        self.log(&format!("{} `{}` of {}", dated(now), self.entry.run, self.record.release));
        let started = Instant::now();
        let mut lines = Vec::new();
        let result =
            self.command().and_then(|(command, redactor)| self.execute(&command, &redactor, &mut lines));
        let took = seconds(started.elapsed().as_secs_f64());
        let (how, exit_code) = match &result {
            Ok(exit @ Exit::Code(code)) => (exit.to_string(), Some(*code)),
            Ok(exit) => (exit.to_string(), None),
            Err(error) => (error.in_one_line(), None),
        };
        let at = host.now();
        self.log(&format!("{} ended: {how}, {took}", dated(at)));
        let failure = match exit_code {
            Some(0) => Vec::new(),
            Some(_) => tail(&lines),
            // Why, as no exit code says it.
            None => [vec![how], tail(&lines)].concat(),
        };
        last.ended = Some(Ended { at, exit_code, failure });
        self.remember(&last);
        self.verdict(result?, lines)
    }

    /// The command, and what masks the secrets that it prints.
    fn command(&self) -> Result<(Command, Redactor), Error> {
        // So that it is the same by hand, at night and wherever cron has its PATH from.
        let mut caller = exec::caller_as(self.site, self.entry.user.as_deref())?;
        caller.remove("PATH");
        let mut env = exec::env(self.site, self.record, &caller)?;
        env.extend(self.entry.variables());
        let words = environment::expand(&self.entry.run, &env)
            .map_err(|variable| exec::undefined(&variable, &self.place()))?;
        let (program, args) = words.split_first().ok_or_else(|| unknown(&self.entry.name, self.record))?;
        let directory = self.site.layout.app(&self.record.release, &self.record.config);
        let redactor = Redactor::new(&env);
        let command = Command::new(program, directory).args(args).env(env).isolated().limit(Duration::MAX);
        Ok((command.user(self.user()?), redactor))
    }

    /// Whom it has to become.
    fn user(&self) -> Result<Option<Account>, Error> {
        let (host, Some(name)) = (&self.site.host, &self.entry.user) else { return Ok(None) };
        let user = host.user(name)?.ok_or_else(|| Error::Failed {
            what: format!("there is no user `{name}` for {}", self.place()),
            help: format!("make it: `sudo useradd --system --user-group {name}`"),
        })?;
        Ok(Some(user).filter(|user| user.uid != host.own_uid()))
    }

    fn execute(
        &self,
        command: &Command,
        redactor: &Redactor,
        lines: &mut Vec<String>,
    ) -> Result<Exit, Error> {
        // As long as one stands in a release it is not pruned.
        std::env::set_current_dir(&command.directory).map_err(|error| Error::Failed {
            what: format!("cannot enter {}: {error}", command.directory.display()),
            help: "deploy its revision again: `release deploy --force`".to_owned(),
        })?;
        let exit = self.site.host.run(command, &mut |line| {
            let line = redactor.redact(&plain(line));
            self.log(&format!("  {line}"));
            if self.by_hand {
                self.screen.say(&line);
            }
            if lines.len() == MOST_LINES {
                lines.drain(..MOST_LINES / 2);
            }
            lines.push(line);
        })?;
        Ok(exit)
    }

    /// cron sends what is printed here by mail, where there is one.
    fn verdict(&self, exit: Exit, lines: Vec<String>) -> Result<u8, Error> {
        if exit.success() {
            return Ok(exit_code::DONE);
        }
        let (command, output) =
            (self.entry.run.clone(), if self.by_hand { Vec::new() } else { tail(&lines) });
        let root = self.site.layout.root().display();
        let help = Some(format!("all that it printed: `release cron log {} --root {root}`", self.entry.name));
        Err(StepError::Command { command, exit, output, help }.into())
    }

    fn place(&self) -> String {
        format!("the entry {} of cron", self.entry.name)
    }

    /// A full disk keeps no entry from running.
    fn remember(&self, last: &LastRun) {
        let json = serde_json::to_vec(last).expect("it has text keys only");
        if let Err(error) =
            self.site.host.write(&self.site.layout.cron_last_run(&self.entry.name), &json, 0o600)
        {
            self.screen.error(&error.into());
        }
    }

    fn log(&self, text: &str) {
        // As `remember`, which says so.
        let _ = append_line(&self.site.layout.cron_log(&self.entry.name), text);
    }

    fn rotate(&self) {
        let log = self.site.layout.cron_log(&self.entry.name);
        let is_long = self.site.host.size(&log).is_ok_and(|size| size > LONGEST_LOG);
        if is_long && let Err(error) = self.site.host.rename(&log, &log.with_extension("log.1")) {
            self.screen.error(&error.into());
        }
    }
}

fn dated(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
