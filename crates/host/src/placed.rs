//! What was written down of the programs that run under a manager which is not ours alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use release_core::config::Manager;
use release_core::host::{Before, Files, HostError, HostResult};
use release_core::service::{Climb, Program};
use serde::{Deserialize, Serialize};

use crate::UnixHost;

/// A program, and who was told to run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    /// As we call it.
    pub(crate) program: String,
    /// Who runs it, with no scope left open.
    pub(crate) manager: Manager,
    /// As that manager calls it.
    pub(crate) name: String,
    /// The file that makes the manager bring it back.
    pub(crate) file: PathBuf,
    /// Where it stands among the others: what is more ends earlier.
    #[serde(default)]
    pub(crate) order: u32,
    /// How long it may take to end.
    pub(crate) stop_wait: Duration,
    /// Its further signals.
    pub(crate) climb: Climb,
}

impl Placed {
    /// `program`, which `manager` calls `name`.
    pub(crate) fn new(program: &Program, manager: Manager, name: String, file: PathBuf) -> Self {
        Self {
            program: program.name.clone(),
            manager,
            name,
            file,
            order: program.order,
            stop_wait: program.stop_wait,
            climb: program.climb.clone(),
        }
    }
}

/// Those that end together, the last to start first.
fn latest_first(placed: Vec<Placed>) -> Vec<Vec<Placed>> {
    let mut by_order = BTreeMap::<u32, Vec<Placed>>::new();
    for placed in placed {
        by_order.entry(placed.order).or_default().push(placed);
    }
    by_order.into_values().rev().collect()
}

/// Ends them all, the last to start first: what others depend on ends after them. Those that are next
/// are told to `before`.
pub(crate) fn end_in_turn(
    placed: Vec<Placed>,
    before: Before<'_>,
    end: impl Fn(&[Placed]) -> HostResult<()>,
) -> HostResult<()> {
    latest_first(placed).iter().try_for_each(|group| {
        before(&programs(group))?;
        end(group)
    })
}

/// Their names.
fn programs(placed: &[Placed]) -> Vec<String> {
    placed.iter().map(|placed| placed.program.clone()).collect()
}

impl UnixHost {
    /// Everything that is written down.
    pub(crate) fn all_placed(&self) -> HostResult<Vec<Placed>> {
        let mut all = Vec::new();
        for path in self.list(&self.layout.placed_programs())? {
            // Another process may forget one meanwhile.
            let Some(json) = self.read(&path)? else { continue };
            all.push(understand(&json, path)?);
        }
        Ok(all)
    }

    /// How `program` ends, whoever runs it; `None` when nobody was told to.
    pub(crate) fn placed_program(&self, program: &str) -> HostResult<Option<Placed>> {
        let path = self.layout.placed_program(program);
        match self.read(&path)? {
            Some(json) => understand(&json, path).map(Some),
            None => self.private_program(program),
        }
    }

    /// What `manager` was told to run.
    pub(crate) fn placed(&self, manager: &Manager) -> HostResult<Vec<Placed>> {
        let mut all = self.all_placed()?;
        all.retain(|placed| placed.manager == *manager);
        Ok(all)
    }

    /// Writes it down, before the manager is told.
    pub(crate) fn write_placed(&self, placed: &Placed) -> HostResult<()> {
        let json = serde_json::to_vec(placed).expect("it has text keys only");
        self.write(&self.layout.placed_program(&placed.program), &json, 0o644)
    }

    /// Forgets a program that its manager does not know any more.
    pub(crate) fn forget_placed(&self, placed: &Placed) -> HostResult<()> {
        self.remove(&self.layout.placed_program(&placed.program))
    }
}

fn understand(json: &[u8], path: PathBuf) -> HostResult<Placed> {
    let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    serde_json::from_slice(json).map_err(|error| HostError::Io {
        action: "understand",
        path,
        source: invalid(error),
    })
}

#[cfg(test)]
mod tests {
    use release_core::config::Scope;

    use super::*;

    fn placed(program: &str, order: u32) -> Placed {
        Placed {
            program: program.to_owned(),
            manager: Manager::Systemd(Scope::User),
            name: format!("{program}.service"),
            file: PathBuf::from("/srv"),
            order,
            stop_wait: Duration::ZERO,
            climb: Vec::new(),
        }
    }

    #[test]
    fn what_starts_last_ends_first() {
        let groups = latest_first(vec![
            placed("port", 0),
            placed("worker.1", 2),
            placed("web", 1),
            placed("worker.2", 2),
        ]);
        let names: Vec<Vec<String>> = groups
            .into_iter()
            .map(|group| group.into_iter().map(|placed| placed.program).collect())
            .collect();
        assert_eq!(names, [vec!["worker.1", "worker.2"], vec!["web"], vec!["port"]]);
    }
}
