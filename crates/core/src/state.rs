//! What the journal adds up to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::journal::{End, Entry, Mark, Record};
use crate::release::{Generation, ReleaseId};
use crate::revision::Revision;
use crate::run::{Action, RunId};

/// A release became active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The release and its processes.
    pub generation: Generation,
    /// Its commit.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
}

/// A run that has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Its name.
    pub run: RunId,
    /// What it did.
    pub action: Action,
    /// What it was to make active.
    pub generation: Generation,
    /// The commit of that.
    pub revision: Revision,
    /// What served when it began.
    pub previous: Option<Generation>,
    /// As what its workers come back if the run is taken back.
    pub stand_in: Option<Generation>,
    /// The last mark of each step that began, in the order in which they began.
    pub steps: Vec<(String, Mark)>,
}

impl Interrupted {
    /// The step that was under way, or the last that was reached.
    pub fn step(&self) -> Option<&str> {
        let under_way = |mark: &Mark| matches!(mark, Mark::Started | Mark::UndoStarted);
        let found = self.steps.iter().rev().find(|(_, mark)| under_way(mark)).or(self.steps.last());
        found.map(|(step, _)| step.as_str())
    }

    /// The last mark of `step`; `None` if it never began.
    pub fn mark(&self, step: &str) -> Option<Mark> {
        self.steps.iter().find(|(name, _)| name == step).map(|(_, mark)| *mark)
    }
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was active at some time, and nobody went back from it.
    Good,
    /// It never became active.
    Failed,
    /// Somebody, or we ourselves, went back from it.
    RolledBack,
}

/// The journal, folded. Which release is active is not asked here: `current` alone knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Every activation, oldest first.
    pub activations: Vec<Activation>,
    /// What became of each release that ended a run.
    pub fates: BTreeMap<ReleaseId, Fate>,
    /// The run that has no end.
    pub interrupted: Option<Interrupted>,
    boots: BTreeMap<ReleaseId, u32>,
    revisions: BTreeMap<ReleaseId, Revision>,
}

impl State {
    /// Adds up `records`, oldest first.
    pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = Self::default();
        for record in records {
            state.add(record);
        }
        state
    }

    fn add(&mut self, record: &Record) {
        match &record.entry {
            Entry::Begin { action, generation, revision, previous, stand_in, .. } => {
                for booted in std::iter::once(generation).chain(stand_in) {
                    let boots = self.boots.entry(booted.release.clone()).or_default();
                    *boots = (*boots).max(booted.number);
                }
                self.revisions.insert(generation.release.clone(), revision.clone());
                self.interrupted = Some(Interrupted {
                    run: record.run.clone(),
                    action: *action,
                    generation: generation.clone(),
                    revision: revision.clone(),
                    previous: previous.clone(),
                    stand_in: stand_in.clone(),
                    steps: Vec::new(),
                });
            }
            Entry::Step { step, mark, .. } => {
                let Some(run) = self.interrupted.as_mut().filter(|run| run.run == record.run) else { return };
                match run.steps.iter_mut().find(|(name, _)| name == step) {
                    Some((_, last)) => *last = *mark,
                    None => run.steps.push((step.clone(), *mark)),
                }
            }
            Entry::End { outcome, .. } => {
                if let Some(run) = self.interrupted.take_if(|run| run.run == record.run) {
                    self.end(run, *outcome, record.at);
                }
            }
        }
    }

    fn end(&mut self, run: Interrupted, outcome: End, at: Timestamp) {
        let release = run.generation.release.clone();
        match (outcome, run.action) {
            (End::Activated, action) => {
                // Names sort by time: going forward again says nothing against what is left.
                if action == Action::Rollback
                    && let Some(left) = &run.previous
                    && left.release > release
                {
                    self.fates.insert(left.release.clone(), Fate::RolledBack);
                }
                self.fates.insert(release, Fate::Good);
                self.activations.push(Activation { generation: run.generation, revision: run.revision, at });
            }
            (End::Undone, Action::Deploy) => {
                self.fates.insert(release, Fate::Failed);
            }
            // Whatever became of a restart, the release itself served before and does so again.
            (End::Undone | End::FlippedBack, Action::Restart) => {}
            (End::FlippedBack, _) => {
                self.fates.insert(release, Fate::RolledBack);
            }
            // A rollback that did not get as far says nothing of its target.
            (End::Undone, Action::Rollback) => {}
        }
    }

    /// Every release the journal has heard of.
    pub fn known(&self) -> impl Iterator<Item = &ReleaseId> {
        self.boots.keys()
    }

    /// The commit of a release.
    pub fn revision(&self, release: &ReleaseId) -> Option<&Revision> {
        self.revisions.get(release)
    }

    /// The last activation of `release`.
    pub fn activation(&self, release: &ReleaseId) -> Option<&Activation> {
        self.activations.iter().rev().find(|activation| activation.generation.release == *release)
    }

    /// The generation that the next boot of `release` is.
    pub fn next_generation(&self, release: &ReleaseId) -> Generation {
        let number = self.boots.get(release).copied().unwrap_or(0) + 1;
        Generation { release: release.clone(), number }
    }

    /// What served before `current`: the latest activation before its own of another release
    /// that is still good and that `exists`. Never the second newest by name or age.
    pub fn previous(&self, current: &ReleaseId, exists: impl Fn(&ReleaseId) -> bool) -> Option<&Activation> {
        let is_current = |activation: &Activation| activation.generation.release == *current;
        let last = self.activations.iter().rposition(is_current).unwrap_or(self.activations.len());
        self.activations[..last].iter().rev().find(|activation| {
            let release = &activation.generation.release;
            release != current && self.fates.get(release) == Some(&Fate::Good) && exists(release)
        })
    }

    /// Good releases by their last activation, newest first.
    pub fn good(&self) -> Vec<ReleaseId> {
        let mut served = self.served();
        served.retain(|release| self.fates.get(release) == Some(&Fate::Good));
        served
    }

    /// Every release that was active, by its last activation, newest first; also one that was gone
    /// back from.
    pub fn served(&self) -> Vec<ReleaseId> {
        let mut seen = BTreeSet::new();
        let releases = self.activations.iter().rev().map(|activation| &activation.generation.release);
        releases.filter(|release| seen.insert(*release)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "20261120T101500Z-aaaaaaa";
    const SECOND: &str = "20261120T101600Z-bbbbbbb";

    fn run(number: usize, action: Action, to: &str, from: Option<&str>) -> [Record; 2] {
        let generation = |id: &str| Generation { release: id.parse().unwrap(), number: 1 };
        let record = |entry| Record {
            version: crate::journal::VERSION,
            at: Timestamp::UNIX_EPOCH,
            run: RunId(number.to_string()),
            entry,
        };
        let begin = Entry::Begin {
            action,
            generation: generation(to),
            revision: "3f2c1a9d0c5b4e6f7a8b9c0d1e2f3a4b5c6d7e8f".parse().unwrap(),
            previous: from.map(generation),
            stand_in: None,
            by: "ana".to_owned(),
        };
        [record(begin), record(Entry::End { outcome: End::Activated, note: None })]
    }

    #[test]
    fn going_forward_again_leaves_the_older_release_to_go_back_to() {
        let mut records = Vec::new();
        records.extend(run(1, Action::Deploy, FIRST, None));
        records.extend(run(2, Action::Deploy, SECOND, Some(FIRST)));
        records.extend(run(3, Action::Rollback, FIRST, Some(SECOND)));
        let previous = |records: &[Record], current: &str| {
            let state = State::fold(records);
            let found = state.previous(&current.parse().unwrap(), |_| true);
            found.map(|activation| activation.generation.release.to_string())
        };
        assert_eq!(previous(&records, FIRST), None, "what was gone back from is passed over");
        let names = |releases: Vec<ReleaseId>| releases.iter().map(ReleaseId::to_string).collect::<Vec<_>>();
        let state = State::fold(&records);
        assert_eq!(
            (names(state.good()), names(state.served())),
            (vec![FIRST.to_owned()], vec![FIRST.to_owned(), SECOND.to_owned()])
        );
        records.extend(run(4, Action::Rollback, SECOND, Some(FIRST)));
        assert_eq!(previous(&records, SECOND).as_deref(), Some(FIRST));
    }
}
