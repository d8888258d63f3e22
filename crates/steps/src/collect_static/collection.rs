//! Static files that were collected from equal inputs before, for this release or another one.

use std::path::{Path, PathBuf};

use release_core::cache_key::CacheKey;
use release_core::host::HostResult;
use release_core::release::ReleaseId;
use release_core::step::{Context, StepError};
use serde::{Deserialize, Serialize};

use crate::cache::{self, Build};
use crate::django::Inspection;
use crate::place::{below, in_release};

/// The kind of its entries.
const KIND: &str = "static";

/// What a project collects, and where, as the project itself says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Collection {
    /// The digest of all that the files are made of.
    pub(crate) inputs: String,
    /// Where they lie in the release.
    directory: String,
}

impl Collection {
    /// What the project says it collects; `None` where that depends on more than can be known, or
    /// lies outside of the release.
    pub(crate) fn of(cx: &Context<'_>, found: &Inspection) -> HostResult<Option<Self>> {
        let (Some(inputs), Some(place)) = (&found.static_inputs, &found.static_place) else {
            return Ok(None);
        };
        let top = cx.host.resolve(&in_release(cx, "."))?;
        let directory = top.and_then(|top| Some(place.strip_prefix(top).ok()?.to_str()?.to_owned()));
        Ok(directory
            .filter(|directory| !directory.is_empty())
            .map(|directory| Self { inputs: inputs.clone(), directory }))
    }

    /// Everything in the cache that this run may take.
    pub(crate) fn known(cx: &Context<'_>) -> HostResult<Vec<Self>> {
        let entries = cache::entries(cx, KIND)?;
        let known = entries.iter().map(|entry| Self::at(cx, entry)).collect::<HostResult<Vec<_>>>()?;
        let known = known.into_iter().flatten();
        let mut takable = Vec::new();
        for collection in known {
            if collection.build().find(cx)?.is_some() {
                takable.push(collection);
            }
        }
        Ok(takable)
    }

    /// What the release that serves has, if this one may have the same put there: nothing else is.
    pub(crate) fn of_release(cx: &Context<'_>, release: &ReleaseId) -> HostResult<Option<Self>> {
        for entry in cache::marks_of(cx, release, KIND)? {
            if let Some(collection) = Self::at(cx, &entry)?
                && collection.build().find(cx)?.is_some()
                && visible(cx, &collection.place(cx))?.is_empty()
            {
                return Ok(Some(collection));
            }
        }
        Ok(None)
    }

    fn at(cx: &Context<'_>, entry: &Path) -> HostResult<Option<Self>> {
        let text = cx.host.read(&entry.join(ABOUT))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    fn build(&self) -> Build {
        let key = CacheKey::new(KIND, 1).with("inputs", &self.inputs).shown("directory", &self.directory);
        Build { kind: KIND, of: self.directory.clone(), key }
    }

    /// Since when the cache has the files; `None` if it has them no more.
    pub(crate) fn since(&self, cx: &Context<'_>) -> HostResult<Option<String>> {
        self.build().find(cx)?.map(|entry| cache::since(cx, &entry)).transpose()
    }

    /// Puts the files into the release, if the cache has them.
    pub(crate) fn take(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let Some(entry) = self.build().take(cx)? else { return Ok(false) };
        let place = self.place(cx);
        cx.host.make_dir(&place)?;
        for file in cx.host.list(&entry.join(FILES))? {
            let to = place.join(file.file_name().unwrap_or_default());
            if cx.host.kind(&to)?.is_none() {
                cx.host.copy_tree(&file, &to, &|progress| cx.progress(progress))?;
            }
        }
        Ok(true)
    }

    /// Keeps what was collected for later releases.
    pub(crate) fn keep(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let build = self.build();
        build.provide(cx, |entry| {
            let about = serde_json::to_vec(self).expect("two texts are plain data");
            cx.host.write(&entry.join(ABOUT), &about, 0o644)?;
            Ok(cx.host.copy_tree(&self.place(cx), &entry.join(FILES), &|progress| cx.progress(progress))?)
        })?;
        Ok(())
    }

    /// Removes from the release what [`Collection::take`] has put there.
    pub(crate) fn clear(&self, cx: &Context<'_>) -> HostResult<()> {
        visible(cx, &self.place(cx))?.iter().try_for_each(|path| cx.host.remove(path))?;
        self.build().leave(cx)
    }

    fn place(&self, cx: &Context<'_>) -> PathBuf {
        below(&in_release(cx, "."), &self.directory)
    }
}

const ABOUT: &str = "about.json";
const FILES: &str = "files";

/// What is in a directory but hidden files: one of these keeps an empty directory in git.
fn visible(cx: &Context<'_>, directory: &Path) -> HostResult<Vec<PathBuf>> {
    if cx.host.kind(directory)?.is_none() {
        return Ok(Vec::new());
    }
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
    Ok(cx.host.list(directory)?.into_iter().filter(|path| !is_hidden(path)).collect())
}
