//! The further signals of programs that do not end at the first.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// By program: the signals that are still to come, each so long after the first.
#[derive(Debug, Default)]
pub(crate) struct Climbs(BTreeMap<String, VecDeque<(Duration, String)>>);

impl Climbs {
    /// The signals of one more program.
    pub(crate) fn add(&mut self, program: &str, rungs: impl IntoIterator<Item = (Duration, String)>) {
        self.0.insert(program.to_owned(), rungs.into_iter().collect());
    }

    /// What is due now, one signal a program: each is given once.
    pub(crate) fn due(&mut self, elapsed: Duration) -> Vec<(String, String)> {
        let due = self.0.iter_mut().filter_map(|(program, rungs)| {
            rungs.front().filter(|(at, _)| *at <= elapsed)?;
            let (_, signal) = rungs.pop_front()?;
            Some((program.clone(), signal))
        });
        due.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_is_due_once_and_in_its_turn() {
        let mut climbs = Climbs::default();
        let at = Duration::from_secs;
        climbs.add("worker", [(at(10), "INT".to_owned()), (at(20), "QUIT".to_owned())]);
        climbs.add("web", []);
        assert_eq!(climbs.due(at(9)), []);
        assert_eq!(climbs.due(at(25)), [("worker".to_owned(), "INT".to_owned())]);
        assert_eq!(climbs.due(at(25)), [("worker".to_owned(), "QUIT".to_owned())]);
        assert_eq!(climbs.due(at(99)), []);
    }
}
