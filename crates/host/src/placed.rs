//! What was written down of the programs that run under a manager which is not ours alone.

use std::path::PathBuf;
use std::time::Duration;

use release_core::config::Manager;
use release_core::host::{Files, HostError, HostResult};
use release_core::service::Program;
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
    /// How long it may take to end.
    pub(crate) stop_wait: Duration,
    /// Its further signals.
    pub(crate) climb: Vec<(Duration, String)>,
}

impl Placed {
    /// `program`, which `manager` calls `name`.
    pub(crate) fn new(program: &Program, manager: Manager, name: String, file: PathBuf) -> Self {
        Self {
            program: program.name.clone(),
            manager,
            name,
            file,
            stop_wait: program.stop_wait,
            climb: program.climb.clone(),
        }
    }
}

impl UnixHost {
    /// Everything that is written down.
    pub(crate) fn all_placed(&self) -> HostResult<Vec<Placed>> {
        let mut all = Vec::new();
        for path in self.list(&self.layout.placed_programs())? {
            // Another process may forget one meanwhile.
            let Some(json) = self.read(&path)? else { continue };
            let placed = serde_json::from_slice(&json).map_err(|error| HostError::Io {
                action: "understand",
                path,
                source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
            })?;
            all.push(placed);
        }
        Ok(all)
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
