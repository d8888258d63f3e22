//! The stamp of a whole entry: written last, and what it was built from.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use release_core::cache_key::Inputs;
use release_core::host::HostResult;
use release_core::step::Context;
use serde::{Deserialize, Serialize};

/// What the stamp of a whole entry says; nothing where an earlier version wrote it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stamp {
    pub(super) at: Option<Timestamp>,
    pub(super) of: String,
    pub(super) inputs: Inputs,
}

/// What people are told of an entry that is there.
pub(crate) fn since(cx: &Context<'_>, entry: &Path) -> HostResult<String> {
    let at = read_stamp(cx, entry)?.and_then(|stamp| stamp.at);
    Ok(at
        .map_or_else(|| "built earlier".to_owned(), |at| at.strftime("built %Y-%m-%d %H:%M UTC").to_string()))
}

pub(super) fn read_stamp(cx: &Context<'_>, entry: &Path) -> HostResult<Option<Stamp>> {
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
    // It holds digests of secrets; the group is of those who share the cache.
    cx.host.write(&stamp(entry), text, 0o640)
}

fn stamp(entry: &Path) -> PathBuf {
    entry.join(".complete")
}
