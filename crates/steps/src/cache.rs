//! What is built once and used by many releases: Python environments and bundles, by content.
//!
//! An entry is whole when its stamp is there, and is kept while one of the releases that are
//! named in its `used-by/` exists.

use std::path::{Path, PathBuf};

use release_core::host::HostResult;
use release_core::release::ReleaseId;
use release_core::step::{Context, StepError};

use crate::place::discard;

/// The kinds of entries that releases use.
const KINDS: [&str; 2] = ["venv", "bundle"];

/// Whether the entry was built to its end.
pub(crate) fn is_complete(cx: &Context<'_>, entry: &Path) -> HostResult<bool> {
    Ok(cx.host.kind(&stamp(entry))?.is_some())
}

/// Makes way for an entry: removes what a killed build left.
pub(crate) fn begin(cx: &Context<'_>, entry: &Path) -> HostResult<()> {
    cx.host.remove(entry)?;
    cx.host.make_dir(entry.parent().unwrap_or(entry))
}

/// Says that the entry is whole, once all of it is on the disk.
pub(crate) fn complete(cx: &Context<'_>, entry: &Path) -> HostResult<()> {
    cx.host.sync(entry)?;
    cx.host.write(&stamp(entry), b"", 0o644)
}

/// Says that the release uses the entry.
pub(crate) fn mark_used(cx: &Context<'_>, entry: &Path) -> HostResult<()> {
    cx.host.write(&marker(entry, cx.run.release()), b"", 0o644)
}

/// Takes back what a step did for the release: its markers, and entries half built.
pub(crate) fn forget(cx: &Context<'_>, kind: &str) -> HostResult<()> {
    for entry in entries(cx, kind)? {
        if is_complete(cx, &entry)? {
            cx.host.remove(&marker(&entry, cx.run.release()))?;
        } else {
            discard(cx, &entry)?;
        }
    }
    Ok(())
}

/// Removes the entries that no release uses any more, and says how many bytes that freed.
pub fn prune_cache(cx: &Context<'_>) -> Result<u64, StepError> {
    let mut freed = 0;
    for kind in KINDS {
        for entry in entries(cx, kind)? {
            if !is_used(cx, &entry)? {
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
}
