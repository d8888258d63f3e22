//! Orders as clients were told, against orders in the database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::Sample;

/// The keys of the orders in the database that the load `name` wrote.
pub(super) fn written(root: &Path, name: &str) -> Vec<String> {
    let script = "import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=20)
for row in database.execute('SELECT key FROM orders_order WHERE key LIKE ?', (sys.argv[2] + '-%',)): print(row[0])";
    let database = root.join("shared/data/db.sqlite3");
    let done = Command::new("python3").args(["-c", script]).arg(database).arg(name).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Orders as clients were told, against orders in the database.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) taken: usize,
    /// Answered with 201, and not there exactly once.
    pub(super) lost: Vec<String>,
    /// There, and never asked for.
    pub(super) invented: usize,
}

impl Orders {
    pub(super) fn compare(samples: &[Sample], written: &[String]) -> Self {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for key in written {
            *times.entry(key).or_default() += 1;
        }
        let asked: BTreeSet<&str> = samples.iter().filter_map(|sample| sample.key.as_deref()).collect();
        let taken: Vec<&str> = samples
            .iter()
            .filter(|sample| sample.answer.is_ok())
            .filter_map(|sample| sample.key.as_deref())
            .collect();
        let lost = taken.iter().filter(|key| times.get(**key) != Some(&1)).map(|key| (*key).to_owned());
        let invented = times.keys().filter(|key| !asked.contains(**key)).count();
        Self { taken: taken.len(), lost: lost.collect(), invented }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::{Answer, Kind};
    use super::*;

    #[test]
    fn a_lost_order_is_noticed() {
        let now = Instant::now();
        let order = |key: &str, answer| Sample {
            kind: Kind::Order,
            start: now,
            end: now,
            answer,
            key: Some(key.to_owned()),
        };
        let samples = [
            order("a", Ok(Answer::default())),
            order("b", Ok(Answer::default())),
            order("c", Err("502".to_owned())),
        ];
        let orders = Orders::compare(&samples, &["a".to_owned(), "c".to_owned(), "x".to_owned()]);
        assert_eq!((orders.taken, orders.lost, orders.invented), (2, vec!["b".to_owned()], 1));
    }
}
