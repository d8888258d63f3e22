//! Watches `current`, and knows which release could have answered when.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// `current` came to point at a release at some moment between two.
#[derive(Clone, Debug)]
pub(crate) struct Switch {
    pub(crate) release: String,
    /// The last look that found the one before it.
    pub(crate) not_before: Instant,
    /// The first look that found it.
    pub(crate) by: Instant,
}

/// Every switch, the first being where `current` pointed at the beginning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) switches: Vec<Switch>,
    /// Looks that found no `current`.
    pub(crate) gaps: usize,
}

/// How a request stands to the switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Its release was active at some moment between its start and its end.
    InTime,
    /// It began after its release had been left.
    Stale,
    /// It ended before its release became active.
    Early,
}

impl Timeline {
    /// Looks at `current` until `over`.
    pub(crate) fn watch(current: &Path, over: &AtomicBool) -> Self {
        let mut timeline = Self::default();
        let mut last_look = Instant::now();
        while !over.load(Ordering::Relaxed) {
            let before = Instant::now();
            match target(current) {
                None => timeline.gaps += 1,
                Some(release) if timeline.switches.last().is_none_or(|last| last.release != release) => {
                    timeline.switches.push(Switch { release, not_before: last_look, by: Instant::now() });
                }
                Some(_) => {}
            }
            last_look = before;
            std::thread::sleep(Duration::from_micros(300));
        }
        timeline
    }

    /// Whether one of `releases` could answer a request from `start` to `end`.
    pub(crate) fn judge(&self, releases: &[&str], start: Instant, end: Instant) -> Answered {
        let left = |index: usize| self.switches.get(index + 1).map(|next| next.by);
        let served: Vec<_> = (self.switches.iter().enumerate())
            .filter(|(_, switch)| releases.contains(&switch.release.as_str()))
            // The first was active before anybody looked.
            .map(|(index, switch)| ((index > 0).then_some(switch.not_before), left(index)))
            .collect();
        let is_early = |from: &Option<Instant>| from.is_some_and(|from| end < from);
        let in_time =
            served.iter().any(|(from, left)| left.is_none_or(|left| start <= left) && !is_early(from));
        match served.first() {
            _ if in_time => Answered::InTime,
            Some((from, _)) if !is_early(from) => Answered::Stale,
            _ => Answered::Early,
        }
    }

    /// Whether `at` is within `reach` of a switch.
    pub(crate) fn is_near(&self, at: Instant, reach: Duration) -> bool {
        self.switches.iter().skip(1).any(|switch| at + reach >= switch.by && at <= switch.by + reach)
    }
}

fn target(current: &Path) -> Option<String> {
    let target: PathBuf = fs::read_link(current).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_when_its_release_was_active() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let switch = |release: &str, from, by| Switch {
            release: release.to_owned(),
            not_before: at(from),
            by: at(by),
        };
        // `b` became active between 99 and 100, `a` again between 199 and 200.
        let switches = vec![switch("a", 5, 6), switch("b", 99, 100), switch("a", 199, 200)];
        let timeline = Timeline { switches, gaps: 0 };
        let judge = |release, start, end| timeline.judge(&[release], at(start), at(end));
        assert_eq!(judge("a", 1, 2), Answered::InTime, "active before anybody looked");
        assert_eq!(judge("a", 50, 60), Answered::InTime);
        assert_eq!(judge("a", 90, 150), Answered::InTime, "in flight");
        assert_eq!(judge("a", 101, 102), Answered::Stale);
        assert_eq!(judge("a", 190, 199), Answered::InTime, "it may have become active by then");
        assert_eq!(judge("b", 50, 98), Answered::Early);
        assert_eq!(judge("b", 201, 202), Answered::Stale);
        assert_eq!(judge("c", 50, 60), Answered::Early, "never active at all");
        assert!(timeline.is_near(at(350), Duration::from_millis(300)));
        assert!(!timeline.is_near(at(501), Duration::from_millis(300)));
    }
}
