//! What a prune may remove, and what it must leave alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use release_core::host::HostResult;
use release_core::release::ReleaseId;
use release_core::step::Context;

/// What stands in `releases/` besides what is kept.
#[derive(Default)]
pub(super) struct Found {
    pub(super) old: Vec<ReleaseId>,
    pub(super) in_use: Vec<(ReleaseId, Vec<u32>)>,
    pub(super) foreign: Vec<PathBuf>,
}

pub(super) fn find(cx: &Context<'_>) -> HostResult<Found> {
    let layout = &cx.run.layout;
    let kept = kept(cx)?;
    let active = cx.host.read_link(&layout.current())?;
    let mut found = Found::default();
    for path in cx.host.list(&layout.releases())? {
        let Some(release) = release_at(&path) else {
            found.foreign.push(path);
            continue;
        };
        if kept.contains(&release) || active == Some(layout.current_target(&release)) {
            continue;
        }
        match cx.host.using(&path)?.as_slice() {
            [] => found.old.push(release),
            pids => found.in_use.push((release, pids.to_vec())),
        }
    }
    Ok(found)
}

pub(super) fn release_at(path: &Path) -> Option<ReleaseId> {
    path.file_name()?.to_str()?.parse().ok()
}

/// The active release, the one to go back to, the newest good ones, and those that are pinned.
fn kept(cx: &Context<'_>) -> HostResult<BTreeSet<ReleaseId>> {
    let run = cx.run;
    let others = run.good.iter().filter(|release| *release != run.release());
    let newest = others.take(run.config.keep.saturating_sub(1));
    let previous = run.previous.iter().map(|previous| &previous.release);
    let mut kept: BTreeSet<ReleaseId> = newest.chain(previous).chain([run.release()]).cloned().collect();
    kept.extend(cx.host.list(&run.layout.pins())?.iter().filter_map(|pin| release_at(pin)));
    Ok(kept)
}

/// Half packs of fetches that did not come to their end, by git and by libgit2.
pub(super) fn leftovers(cx: &Context<'_>) -> HostResult<Vec<PathBuf>> {
    let mut packs = cx.host.list(&cx.run.layout.repo().join("objects/pack"))?;
    let is_half = |name: &str| name.starts_with("tmp_") || name.starts_with("pack_git2_");
    packs.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_half));
    Ok(packs)
}
