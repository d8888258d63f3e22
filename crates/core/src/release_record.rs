//! What is known of a release besides its directory: kept beside it, so that a rollback runs it as it was.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::host::Host;
use crate::layout::Layout;
use crate::release::{Generation, ReleaseId};
use crate::revision::Revision;
use crate::run::Run;
use crate::step::StepError;

/// The format that is written today.
pub const VERSION: u32 = 1;

/// A release, its commit and its effective configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// The format, [`VERSION`].
    pub version: u32,
    /// The release.
    pub release: ReleaseId,
    /// Its commit.
    pub revision: Revision,
    /// Its effective configuration.
    pub config: Config,
    /// When it was recorded.
    pub created_at: Timestamp,
}

impl ReleaseRecord {
    /// The record of the release that `run` builds.
    pub fn of(run: &Run, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            release: run.release().clone(),
            revision: run.revision.clone(),
            config: run.config.clone(),
            created_at: now,
        }
    }

    /// The record of `release`; `None` when there is none.
    pub fn read(host: &dyn Host, layout: &Layout, release: &ReleaseId) -> Result<Option<Self>, StepError> {
        Self::read_at(host, layout.release_record(release), release)
    }

    /// The record by which `generation` runs: its release's, but while that is being restarted.
    pub fn of_generation(
        host: &dyn Host,
        layout: &Layout,
        generation: &Generation,
    ) -> Result<Option<Self>, StepError> {
        let own = Self::read_at(host, layout.generation_record(generation), &generation.release)?;
        if own.is_some() { Ok(own) } else { Self::read(host, layout, &generation.release) }
    }

    fn read_at(host: &dyn Host, path: PathBuf, release: &ReleaseId) -> Result<Option<Self>, StepError> {
        let Some(json) = host.read(&path)? else { return Ok(None) };
        serde_json::from_slice(&json).map(Some).map_err(|error| StepError::Refused {
            what: format!("the record of {release} cannot be read: {error}"),
            help: format!("look at {}; deploy its revision again", path.display()),
        })
    }

    /// Writes it where [`ReleaseRecord::read`] finds it, for nobody else to read: `env` may hold secrets.
    pub fn write(&self, host: &dyn Host, layout: &Layout) -> Result<(), StepError> {
        self.write_at(host, &layout.release_record(&self.release))
    }

    /// Writes it for the generation `number` alone, where [`ReleaseRecord::of_generation`] finds it.
    pub fn write_for(&self, host: &dyn Host, layout: &Layout, number: u32) -> Result<(), StepError> {
        let generation = Generation { release: self.release.clone(), number };
        self.write_at(host, &layout.generation_record(&generation))
    }

    fn write_at(&self, host: &dyn Host, path: &Path) -> Result<(), StepError> {
        let json = serde_json::to_vec_pretty(self).expect("a record has text keys only");
        Ok(host.write(path, &json, 0o600)?)
    }
}
