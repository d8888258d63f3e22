//! What starts the entries of a root: lines of the user's crontab, and timers of systemd.

use std::collections::BTreeSet;
use std::path::Path;

use release_core::config::Config;
use release_core::cron::{Block, Entry, Timer};
use release_core::host::{Host, HostResult};
use release_core::layout::Layout;
use serde::{Deserialize, Serialize};

/// The lines and the timers of one root. Usually there is one kind alone; both while one takes over
/// from the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    lines: Vec<String>,
    #[serde(default)]
    timers: Vec<Timer>,
}

/// What starts the entries of this root now, where `config` is that of the release in question.
pub fn installed(host: &dyn Host, layout: &Layout, config: &Config) -> HostResult<Installed> {
    // Only the root tells the block.
    let block = Block::of(layout.root(), "");
    let lines = match host.crontab() {
        Ok(crontab) => block.lines(&crontab),
        // With timers the user needs no crontab, and may have none.
        Err(_) if config.timers().is_some() => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(Installed { lines, timers: host.timers()? })
}

impl Installed {
    /// What should start the entries of `config`, by calls of `program`.
    pub(super) fn wanted(host: &dyn Host, root: &Path, config: &Config, program: &str) -> Self {
        match config.timers() {
            None => {
                let block = Block::of(root, program);
                Self { lines: config.cron.iter().map(|entry| block.line(entry)).collect(), ..Self::default() }
            }
            Some(scope) => {
                let scope = scope.resolved(host.own_uid() == 0);
                let mut timers: Vec<Timer> =
                    config.cron.iter().map(|entry| Timer::of(entry, scope, program)).collect();
                timers.sort_by(|one, other| one.entry.cmp(&other.entry));
                Self { timers, ..Self::default() }
            }
        }
    }

    /// What is here and not in `other`.
    pub(super) fn without(&self, other: &Self) -> Self {
        let lines = self.lines.iter().filter(|line| !other.lines.contains(line)).cloned().collect();
        let timers = self.timers.iter().filter(|timer| !other.timers.contains(timer)).cloned().collect();
        Self { lines, timers }
    }

    /// Both.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            lines: [self.lines.clone(), other.lines.clone()].concat(),
            timers: [self.timers.clone(), other.timers.clone()].concat(),
        }
    }

    /// Makes it so, where `now` is what there is.
    pub(super) fn replace(&self, now: &Self, host: &dyn Host, root: &Path) -> HostResult<()> {
        if self.lines != now.lines {
            let block = Block::of(root, "");
            host.change_crontab(&|crontab| block.replace(crontab, &self.lines))?;
        }
        // A run that was killed may have left parts of timers, which do not count as there.
        host.set_timers(&self.timers)
    }

    /// Whether something starts `entry` at its time.
    pub fn has(&self, entry: &Entry) -> bool {
        let time = format!("{} ", entry.at);
        let is_line = |line: &String| line.starts_with(&time) && Block::entry_of(line) == Some(&entry.name);
        let is_timer = |timer: &Timer| timer.entry == entry.name && timer.at == entry.at;
        self.lines.iter().any(is_line) || self.timers.iter().any(is_timer)
    }

    /// Whether nothing starts anything.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.timers.is_empty()
    }

    /// Where they stand: `the crontab`, `the timers of systemd`, or both; for people.
    pub fn places(&self) -> String {
        let crontab = (!self.lines.is_empty()).then_some("the crontab");
        let timers = (!self.timers.is_empty()).then_some("the timers of systemd");
        crontab.into_iter().chain(timers).collect::<Vec<_>>().join(" and ")
    }

    /// The entries that they start.
    pub(super) fn names(&self) -> String {
        let lines = self.lines.iter().filter_map(|line| Block::entry_of(line));
        let names: BTreeSet<&str> =
            lines.chain(self.timers.iter().map(|timer| timer.entry.as_str())).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}
