//! Who may do what when: the gate, which is held for moments, and a lock for each key.

use std::path::{Path, PathBuf};

use release_core::host::{Held, Holder, HostResult};
use release_core::step::Context;

/// Does what must not meet another run that takes or removes entries.
pub(crate) fn at_the_gate<T>(cx: &Context<'_>, action: impl FnOnce() -> HostResult<T>) -> HostResult<T> {
    let _gate = cx.host.hold(&cx.run.layout.cache_gate(), &holder(cx, "takes an entry"), &|_| {})?;
    action()
}

/// The right to build what is of `key`, once nobody else does. Says whom it waits for.
pub(crate) fn build_lock(cx: &Context<'_>, kind: &str, key: &str) -> HostResult<Held> {
    let path = cx.run.layout.cache_lock(kind, key);
    let waiting = |who: &str| drop(cx.line(&format!("waiting for {who}")));
    let held = cx.host.hold(&path, &holder(cx, &format!("builds the same {kind}")), &waiting)?;
    if let Some(killed) = &held.killed {
        // What it started may still write into what it left.
        cx.host.end_left_behind(killed)?;
    }
    Ok(held)
}

/// Takes an entry out of everybody's sight and says where it is, to be removed without haste.
pub(crate) fn aside(cx: &Context<'_>, entry: &Path) -> HostResult<Option<PathBuf>> {
    if cx.host.kind(entry)?.is_none() {
        return Ok(None);
    }
    let parts = [entry.parent(), Some(entry)].map(|part| part.and_then(Path::file_name).unwrap_or_default());
    let name = parts.map(|part| part.to_string_lossy().into_owned()).join("-");
    let trash = cx.run.layout.cache_trash().join(format!("{name}-{}", cx.run.id));
    cx.host.remove(&trash)?;
    cx.host.rename(entry, &trash)?;
    Ok(Some(trash))
}

pub(super) fn holder(cx: &Context<'_>, what: &str) -> Holder {
    let what = format!("{}, which {what}", cx.run.layout.root().display());
    Holder { run: cx.run.id.clone(), what }
}
