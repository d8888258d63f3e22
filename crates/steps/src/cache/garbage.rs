//! What nobody needs any more: found, told, and removed.

use std::path::{Path, PathBuf};

use release_core::host::HostResult;
use release_core::release::ReleaseId;
use release_core::run::Run;
use release_core::step::Context;

use super::gate::{aside, at_the_gate, holder};
use super::uses::{stale, used_without};
use super::{KINDS, entries};

/// What no release needs.
#[derive(Debug, Default)]
pub struct Garbage {
    /// What would go.
    pub unused: Vec<Unused>,
    /// What stays although no release needs it.
    pub in_use: Vec<InUse>,
}

/// An entry that no release needs, or what is left of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// `venv`, `bundle`, `node`, `static`, or `trash`.
    pub kind: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// The bytes that it takes on the disk.
    pub bytes: u64,
}

/// An entry that no release needs, but processes do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Where it is.
    pub path: PathBuf,
    /// Who runs from it.
    pub pids: Vec<u32>,
}

const TRASH: &str = "trash";

/// Everything in the cache that no release needs once those that are `going` are gone.
pub(crate) fn garbage(cx: &Context<'_>, going: &[ReleaseId]) -> HostResult<Garbage> {
    let mut garbage = Garbage::default();
    in_each_cache(cx, |cx| {
        let used = used_without(cx, going)?;
        for (kind, path) in candidates(cx)? {
            // What another user built is for that user to remove.
            if used.contains(&path) || !cx.host.is_writable(&path)? {
                continue;
            }
            let pids = cx.host.using(&path)?;
            if pids.is_empty() {
                let bytes = cx.host.size(&path)?;
                garbage.unused.push(Unused { kind, path, bytes });
            } else {
                garbage.in_use.push(InUse { path, pids });
            }
        }
        Ok(())
    })?;
    Ok(garbage)
}

/// Removes what no release needs, and says what that was.
pub(crate) fn collect(cx: &Context<'_>) -> HostResult<Garbage> {
    let mut found = garbage(cx, &[])?;
    let mut unwanted = Vec::new();
    in_each_cache(cx, |cx| {
        at_the_gate(cx, || {
            // Somebody may have taken one since.
            let used = used_without(cx, &[])?;
            found.unused.retain(|unused| !used.contains(&unused.path));
            for unused in found.unused.iter().filter(|unused| unused.path.starts_with(cx.run.layout.cache()))
            {
                unwanted.extend(if unused.kind == TRASH {
                    Some(unused.path.clone())
                } else {
                    aside(cx, &unused.path)?
                });
            }
            remove_stale(cx)
        })
    })?;
    unwanted.iter().try_for_each(|path| cx.host.remove(path))?;
    Ok(found)
}

/// The cache, and the root's own one where that was used before.
fn in_each_cache(cx: &Context<'_>, mut action: impl FnMut(&Context<'_>) -> HostResult<()>) -> HostResult<()> {
    let own = cx.run.layout.own_cache();
    if cx.run.layout.cache() != own && cx.host.kind(&own)?.is_some() {
        let run = Run { layout: cx.run.layout.clone().caching_in(own), ..cx.run.clone() };
        action(&Context { run: &run, ..*cx })?;
    }
    if cx.host.kind(&cx.run.layout.cache())?.is_some() { action(cx) } else { Ok(()) }
}

fn candidates(cx: &Context<'_>) -> HostResult<Vec<(&'static str, PathBuf)>> {
    let mut found = Vec::new();
    for kind in KINDS {
        found.extend(entries(cx, kind)?.into_iter().map(|path| (kind, path)));
    }
    found.extend(cx.host.list(&cx.run.layout.cache_trash())?.into_iter().map(|path| (TRASH, path)));
    Ok(found)
}

fn remove_stale(cx: &Context<'_>) -> HostResult<()> {
    for path in stale(cx)? {
        if cx.host.is_writable(&path)? {
            cx.host.remove(&path)?;
        }
    }
    for lock in cx.host.list(&cx.run.layout.cache_locks())? {
        // Removed while it is held: who waits for it notices.
        if !is_of_an_entry(cx, &lock)?
            && let Some(_held) = cx.host.try_hold(&lock, &holder(cx, "tidies up"))?
        {
            cx.host.remove(&lock)?;
        }
    }
    Ok(())
}

/// Whether something stands at the place whose lock it is.
fn is_of_an_entry(cx: &Context<'_>, lock: &Path) -> HostResult<bool> {
    let place = lock.file_name().and_then(|name| name.to_str()?.split_once('-'));
    let Some((kind, key)) = place else { return Ok(false) };
    Ok(cx.host.kind(&cx.run.layout.cached(kind, key))?.is_some())
}
