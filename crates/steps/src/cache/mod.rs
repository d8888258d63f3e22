//! What is built once and used by many releases: Python environments, bundles and static files, by content.
//!
//! An entry is whole when its stamp is there, is never changed from then on, and is kept while one
//! of the releases that use it exists, in any root that shares the cache. One run at a time builds
//! what is of one key; whoever takes or removes an entry holds the gate.

mod garbage;
mod gate;
mod stamp;
mod uses;

use std::path::{Path, PathBuf};
use std::slice;

use release_core::cache_key::CacheKey;
use release_core::host::HostResult;
use release_core::step::{Context, StepError};

pub use garbage::{Garbage, InUse, Unused};
pub(crate) use garbage::{collect, garbage};
pub(crate) use gate::build_lock;
use gate::{aside, at_the_gate};
use stamp::{Stamp, read_stamp};
pub(crate) use stamp::{complete, is_complete, since, stamp_text};
pub(crate) use uses::marks_of;
use uses::{is_marked, mark_used, unmark, used_without};

/// The kinds of entries that releases use.
const KINDS: [&str; 4] = ["venv", "bundle", "node", "static"];

/// Something that is built once for equal ingredients.
pub(crate) struct Build {
    pub(crate) kind: &'static str,
    /// What it is built for, so that only likes are compared: a front end's directory.
    pub(crate) of: String,
    pub(crate) key: CacheKey,
}

/// An entry that the release may use from now on.
pub(crate) struct Provided {
    pub(crate) entry: PathBuf,
    /// Whether it was there already.
    pub(crate) cached: bool,
}

impl Build {
    /// The whole entry that this run may use: the one that was built last. A run that is to build
    /// everything anew takes only what it built itself.
    pub(crate) fn find(&self, cx: &Context<'_>) -> HostResult<Option<PathBuf>> {
        for (_, entry) in self.entries(cx)?.into_iter().rev() {
            if is_complete(cx, &entry)? && (!cx.run.no_cache || is_marked(cx, &entry)?) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Finds the entry, or lets `make` build it in its final place, as nobody else does meanwhile.
    pub(crate) fn provide(
        &self,
        cx: &Context<'_>,
        make: impl FnOnce(&Path) -> Result<(), StepError>,
    ) -> Result<Provided, StepError> {
        if let Some(entry) = self.take(cx)? {
            return Ok(Provided { entry, cached: true });
        }
        let _lock = build_lock(cx, self.kind, &self.key.finish())?;
        // Whom we waited for has built it.
        if let Some(entry) = self.take(cx)? {
            return Ok(Provided { entry, cached: true });
        }
        let entry = self.begin(cx)?;
        make(&entry)?;
        self.complete(cx, &entry)?;
        Ok(Provided { entry, cached: false })
    }

    /// Keeps the entry, if there is one, as long as the release.
    pub(crate) fn keep(&self, cx: &Context<'_>) -> HostResult<()> {
        self.take(cx).map(drop)
    }

    /// The whole entry, if there is one: from here on nobody removes it.
    pub(crate) fn take(&self, cx: &Context<'_>) -> HostResult<Option<PathBuf>> {
        at_the_gate(cx, || {
            let found = self.find(cx)?;
            found.iter().try_for_each(|entry| mark_used(cx, entry))?;
            Ok(found)
        })
    }

    /// The release does not use it after all.
    pub(crate) fn leave(&self, cx: &Context<'_>) -> HostResult<()> {
        self.entries(cx)?.iter().try_for_each(|(_, entry)| unmark(cx, entry))
    }

    /// Makes room for a new entry and says where; what a killed build left there goes first.
    fn begin(&self, cx: &Context<'_>) -> HostResult<PathBuf> {
        let mut number = 1;
        for (taken, entry) in self.entries(cx)? {
            // A release may be running from it.
            number = if is_complete(cx, &entry)? { taken + 1 } else { taken };
        }
        let entry = self.place(cx, number);
        let half = at_the_gate(cx, || {
            let half = aside(cx, &entry)?;
            mark_used(cx, &entry)?;
            Ok(half)
        })?;
        half.iter().try_for_each(|half| cx.host.remove(half))?;
        cx.host.make_dir(entry.parent().unwrap_or(&entry))?;
        Ok(entry)
    }

    /// Says that the entry is whole, once all of it is on the disk.
    fn complete(&self, cx: &Context<'_>, entry: &Path) -> HostResult<()> {
        let stamp = Stamp { at: Some(cx.host.now()), of: self.of.clone(), inputs: self.key.inputs().clone() };
        let text = serde_json::to_vec(&stamp).expect("a stamp is plain data");
        complete(cx, entry, &text)
    }

    /// Why a release has to wait for it: what changed since the last one that was like it.
    pub(crate) fn why_needed(&self, cx: &Context<'_>) -> HostResult<String> {
        if cx.run.no_cache {
            return Ok("everything is to be built anew".to_owned());
        }
        let mut last: Option<Stamp> = None;
        for entry in entries(cx, self.kind)? {
            let stamp = read_stamp(cx, &entry)?.filter(|stamp| stamp.of == self.of && stamp.at.is_some());
            if let Some(stamp) = stamp.filter(|stamp| last.as_ref().is_none_or(|last| last.at < stamp.at)) {
                last = Some(stamp);
            }
        }
        let changes = last.map(|last| self.key.inputs().changes_since(&last.inputs));
        Ok(match changes {
            Some(changes) if !changes.is_empty() => changes.join(", "),
            _ => "nothing like it has been built here yet".to_owned(),
        })
    }

    /// Every entry of this key, with its number.
    fn entries(&self, cx: &Context<'_>) -> HostResult<Vec<(u32, PathBuf)>> {
        let key = self.key.finish();
        let number = |entry: &Path| match entry.file_name()?.to_str()?.strip_prefix(&key)? {
            "" => Some(1),
            rest => rest.strip_prefix('-')?.parse().ok(),
        };
        let all = entries(cx, self.kind)?.into_iter();
        let mut found: Vec<_> = all.filter_map(|entry| Some((number(&entry)?, entry))).collect();
        found.sort();
        Ok(found)
    }

    fn place(&self, cx: &Context<'_>, number: u32) -> PathBuf {
        let key = self.key.finish();
        let name = if number == 1 { key } else { format!("{key}-{number}") };
        cx.run.layout.cached(self.kind, &name)
    }
}

/// Takes back what a step did for the release: its marks, what it built half, and what it built
/// anew beside one that was whole, which the next deploy should find as it was.
pub(crate) fn forget(cx: &Context<'_>, kind: &str) -> HostResult<()> {
    let unwanted = at_the_gate(cx, || {
        let mut unwanted = Vec::new();
        for entry in marks_of(cx, cx.run.release(), kind)? {
            unmark(cx, &entry)?;
            let keep = is_complete(cx, &entry)? && !is_rebuilt(&entry);
            // Its own link is still there, and goes with its directory.
            if !keep && !used_without(cx, slice::from_ref(cx.run.release()))?.contains(&entry) {
                unwanted.extend(aside(cx, &entry)?);
            }
        }
        Ok(unwanted)
    })?;
    unwanted.iter().try_for_each(|path| cx.host.remove(path))
}

fn is_rebuilt(entry: &Path) -> bool {
    entry.file_name().is_some_and(|name| name.to_string_lossy().contains('-'))
}

/// Every entry of a kind, whole or not.
pub(crate) fn entries(cx: &Context<'_>, kind: &str) -> HostResult<Vec<PathBuf>> {
    cx.host.list(&cx.run.layout.cache().join(kind))
}

#[cfg(test)]
pub(crate) mod tests;
