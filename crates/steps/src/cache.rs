//! What is built once and used by many releases: Python environments and bundles, by content.
//!
//! An entry is whole when its stamp is there, is never changed from then on, and is kept while one
//! of the releases that are named in its `used-by/` exists.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use release_core::cache_key::{CacheKey, Inputs};
use release_core::host::HostResult;
use release_core::release::ReleaseId;
use release_core::step::{Context, StepError};
use serde::{Deserialize, Serialize};

use crate::place::discard;

/// The kinds of entries that releases use.
const KINDS: [&str; 2] = ["venv", "bundle"];

/// Something that is built once for equal ingredients.
pub(crate) struct Build {
    pub(crate) kind: &'static str,
    /// What it is built for, so that only likes are compared: a front end's directory.
    pub(crate) of: String,
    pub(crate) key: CacheKey,
}

/// What the stamp of a whole entry says; nothing where an earlier version wrote it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stamp {
    at: Option<Timestamp>,
    of: String,
    inputs: Inputs,
}

impl Build {
    /// The whole entry that this run may use: the one that was built last. A run that is to build
    /// everything anew takes only what it built itself.
    pub(crate) fn find(&self, cx: &Context<'_>) -> HostResult<Option<PathBuf>> {
        for (_, entry) in self.entries(cx)?.into_iter().rev() {
            let own = || cx.host.kind(&marker(&entry, cx.run.release()));
            if is_complete(cx, &entry)? && (!cx.run.no_cache || own()?.is_some()) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Makes room for a new entry and says where; what a killed build left there goes first.
    pub(crate) fn begin(&self, cx: &Context<'_>) -> HostResult<PathBuf> {
        let mut number = 1;
        for (taken, entry) in self.entries(cx)? {
            // A release may be running from it.
            number = if is_complete(cx, &entry)? { taken + 1 } else { taken };
        }
        let entry = self.place(cx, number);
        cx.host.remove(&entry)?;
        cx.host.make_dir(entry.parent().unwrap_or(&entry))?;
        Ok(entry)
    }

    /// Says that the entry is whole, once all of it is on the disk, and that the release uses it.
    pub(crate) fn complete(&self, cx: &Context<'_>, entry: &Path) -> HostResult<()> {
        let stamp = Stamp { at: Some(cx.host.now()), of: self.of.clone(), inputs: self.key.inputs().clone() };
        let text = serde_json::to_vec(&stamp).expect("a stamp is plain data");
        // First: a run that builds everything anew knows its own entries by it.
        mark_used(cx, entry)?;
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

/// What people are told of an entry that is there.
pub(crate) fn since(cx: &Context<'_>, entry: &Path) -> HostResult<String> {
    let at = read_stamp(cx, entry)?.and_then(|stamp| stamp.at);
    Ok(at
        .map_or_else(|| "built earlier".to_owned(), |at| at.strftime("built %Y-%m-%d %H:%M UTC").to_string()))
}

fn read_stamp(cx: &Context<'_>, entry: &Path) -> HostResult<Option<Stamp>> {
    Ok(stamp_text(cx, entry)?.map(|text| serde_json::from_slice(&text).unwrap_or_default()))
}

/// What the stamp says; `None` for an entry that is not whole.
pub(crate) fn stamp_text(cx: &Context<'_>, entry: &Path) -> HostResult<Option<Vec<u8>>> {
    cx.host.read(&stamp(entry))
}

/// Whether the entry was built to its end.
pub(crate) fn is_complete(cx: &Context<'_>, entry: &Path) -> HostResult<bool> {
    Ok(cx.host.kind(&stamp(entry))?.is_some())
}

/// Writes the stamp, once all of the entry is on the disk.
pub(crate) fn complete(cx: &Context<'_>, entry: &Path, text: &[u8]) -> HostResult<()> {
    cx.host.sync(entry)?;
    // It holds digests of secrets.
    cx.host.write(&stamp(entry), text, 0o600)
}

/// Says that the release uses the entry.
pub(crate) fn mark_used(cx: &Context<'_>, entry: &Path) -> HostResult<()> {
    cx.host.write(&marker(entry, cx.run.release()), b"", 0o644)
}

/// Takes back what a step did for the release: its markers, entries half built, and what it built
/// anew beside one that was whole, which the next deploy should find as it was.
pub(crate) fn forget(cx: &Context<'_>, kind: &str) -> HostResult<()> {
    for entry in entries(cx, kind)? {
        let own = marker(&entry, cx.run.release());
        let was_own = cx.host.kind(&own)?.is_some();
        if !is_complete(cx, &entry)? {
            discard(cx, &entry)?;
            continue;
        }
        cx.host.remove(&own)?;
        if was_own && is_rebuilt(&entry) && !is_used(cx, &entry)? {
            discard(cx, &entry)?;
        }
    }
    Ok(())
}

fn is_rebuilt(entry: &Path) -> bool {
    entry.file_name().is_some_and(|name| name.to_string_lossy().contains('-'))
}

/// Removes the entries that no release and no process uses any more, and says how many bytes that
/// freed.
pub fn prune_cache(cx: &Context<'_>) -> Result<u64, StepError> {
    let mut freed = 0;
    for kind in KINDS {
        for entry in entries(cx, kind)? {
            if !is_used(cx, &entry)? && !runs_something(cx, &entry)? {
                freed += cx.host.size(&entry)?;
                discard(cx, &entry)?;
            }
        }
    }
    Ok(freed)
}

/// Drops the markers of releases that are gone on the way.
fn is_used(cx: &Context<'_>, entry: &Path) -> HostResult<bool> {
    let mut used = false;
    for marker in cx.host.list(&entry.join(USED_BY))? {
        let name = marker.file_name().unwrap_or_default();
        if cx.host.kind(&cx.run.layout.releases().join(name))?.is_some() {
            used = true;
        } else {
            cx.host.remove(&marker)?;
        }
    }
    Ok(used)
}

/// A process may outlive its release's directory, or run from an entry that no release names.
fn runs_something(cx: &Context<'_>, entry: &Path) -> HostResult<bool> {
    let pids = cx.host.using(entry)?;
    if pids.is_empty() {
        return Ok(false);
    }
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    cx.warn(format!("kept {}: processes {} use it", entry.display(), pids.join(", ")));
    Ok(true)
}

const USED_BY: &str = "used-by";

fn stamp(entry: &Path) -> PathBuf {
    entry.join(".complete")
}

fn marker(entry: &Path, release: &ReleaseId) -> PathBuf {
    entry.join(USED_BY).join(release.as_str())
}

fn entries(cx: &Context<'_>, kind: &str) -> HostResult<Vec<PathBuf>> {
    cx.host.list(&cx.run.layout.cache().join(kind))
}

#[cfg(test)]
mod tests {
    use release_testkit::Scene;

    use super::*;

    #[test]
    fn an_entry_lives_as_long_as_a_release_that_uses_it() {
        let scene = Scene::new();
        let host = &scene.host;
        host.put_dir("/srv/shop/releases/20261119T101500Z-aaaaaaa");
        host.put_file("/srv/shop/cache/venv/kept/.complete", "");
        host.put_file("/srv/shop/cache/venv/kept/used-by/20261119T101500Z-aaaaaaa", "");
        host.put_file("/srv/shop/cache/venv/kept/used-by/20261118T101500Z-bbbbbbb", "");
        host.put_file("/srv/shop/cache/bundle/old/used-by/20261118T101500Z-bbbbbbb", "");
        host.put_file("/srv/shop/cache/bundle/old/app.js", "12345");
        host.put_file("/srv/shop/cache/venv/half/lib.py", "123");
        host.put_file("/srv/shop/cache/tool/supervisor/bin", "");
        let cx = scene.context("prune");
        assert_eq!(prune_cache(&cx).unwrap(), 8);
        assert!(host.exists("/srv/shop/cache/venv/kept/used-by/20261119T101500Z-aaaaaaa"));
        assert!(!host.exists("/srv/shop/cache/venv/kept/used-by/20261118T101500Z-bbbbbbb"));
        assert!(!host.exists("/srv/shop/cache/bundle/old") && !host.exists("/srv/shop/cache/venv/half"));
        assert!(host.exists("/srv/shop/cache/tool/supervisor/bin"), "a tool is used by no release");
        assert_eq!(prune_cache(&cx).unwrap(), 0);
    }

    #[test]
    fn an_entry_that_a_process_runs_from_stays_without_any_release() {
        let scene = Scene::new();
        scene.host.put_file("/srv/shop/cache/venv/old/lib.so", "123");
        scene.host.set_using("/srv/shop/cache/venv/old", vec![17]);
        let cx = scene.context("prune");
        assert_eq!(prune_cache(&cx).unwrap(), 0);
        assert!(scene.host.exists("/srv/shop/cache/venv/old/lib.so"));
        assert_eq!(scene.recorder.warnings(), ["kept /srv/shop/cache/venv/old: processes 17 use it"]);
        scene.host.set_using("/srv/shop/cache/venv/old", Vec::new());
        assert_eq!(prune_cache(&cx).unwrap(), 3);
    }
}
