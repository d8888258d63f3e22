//! The facts of one run: what it does, to which release, from which configuration.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::command::Variables;
use crate::config::Config;
use crate::layout::Layout;
use crate::redact::Redactor;
use crate::release::{Generation, ReleaseId};
use crate::revision::Revision;

/// The name of a run in the journal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// The environment variable by which every child of a run is known.
    pub const VARIABLE: &'static str = "RELEASE_RUN";
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Builds a release from a revision and makes it active.
    Deploy,
    /// Makes a release active that exists already.
    Rollback,
    /// Boots the active release anew, with the configuration as it is now.
    Restart,
}

/// Everything that the steps of one run need to know.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name in the journal.
    pub id: RunId,
    /// What it does.
    pub action: Action,
    /// The processes it boots, and with them the release it makes active.
    pub generation: Generation,
    /// The commit of that release.
    pub revision: Revision,
    /// The generation that serves when the run begins.
    pub previous: Option<Generation>,
    /// The generation as which the previous release's workers come back, should they have been
    /// told to stop by a run that is taken back.
    pub stand_in: Option<Generation>,
    /// The release's effective configuration.
    pub config: Config,
    /// Where everything is.
    pub layout: Layout,
    /// The environment that the app's processes see, without what differs by service.
    pub env: Variables,
    /// Masks secret values in what commands print.
    pub redactor: Redactor,
    /// How the process manager calls `release`: `release exec --root … --boot …` and so on.
    pub door: Vec<String>,
    /// The processors that the app may use.
    pub cores: usize,
    /// Whether everything is built anew, whatever the cache has.
    pub no_cache: bool,
    /// Releases that pruning must not touch, besides current and previous: newest first.
    pub good: Vec<ReleaseId>,
    /// Every release that users have had, by its last activation, newest first.
    pub served: Vec<ReleaseId>,
}

impl Run {
    /// The release that the run makes active.
    pub fn release(&self) -> &ReleaseId {
        &self.generation.release
    }
}
