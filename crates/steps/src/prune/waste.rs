//! What a prune would remove, with what it takes on the disk, for people.

use std::path::PathBuf;

use release_core::host::HostResult;
use release_core::release::ReleaseId;
use release_core::step::Context;

use super::find::{Found, find, leftovers};
use crate::cache::garbage;

/// What nobody needs, and what stays although it is old.
#[derive(Debug, Default)]
pub struct Waste {
    /// What would go.
    pub wasted: Vec<Wasted>,
    /// What stays.
    pub kept: Vec<Kept>,
}

/// Something that would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wasted {
    /// `release`, `venv`, `bundle`, `node`, `mirror` or `trash`.
    pub kind: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// The bytes on the disk that this frees.
    pub bytes: u64,
    /// Its tree stays for the next checkout, in the place of the one that is there.
    pub spare: bool,
}

/// Something that is needed by running processes alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it is.
    pub path: PathBuf,
    /// Who uses it.
    pub pids: Vec<u32>,
}

/// Everything that [`super::Prune`] would remove. Changes nothing.
pub fn waste(cx: &Context<'_>) -> HostResult<Waste> {
    let found = find(cx)?;
    let garbage = garbage(cx, &found.old)?;
    let mut waste = Waste { wasted: releases(cx, &found)?, kept: Vec::new() };
    waste.wasted.extend(garbage.unused.into_iter().map(|one| Wasted {
        kind: one.kind,
        path: one.path,
        bytes: one.bytes,
        spare: false,
    }));
    for path in leftovers(cx)? {
        waste.wasted.push(wasted(cx, "mirror", path)?);
    }
    for path in cx.host.list(&cx.run.layout.trash())? {
        waste.wasted.push(wasted(cx, "trash", path)?);
    }
    let releases = found.in_use.into_iter().map(|(id, pids)| Kept { path: cx.run.layout.release(&id), pids });
    let entries = garbage.in_use.into_iter().map(|one| Kept { path: one.path, pids: one.pids });
    waste.kept.extend(releases.chain(entries));
    Ok(waste)
}

fn releases(cx: &Context<'_>, found: &Found) -> HostResult<Vec<Wasted>> {
    let layout = &cx.run.layout;
    let measure = |release: &ReleaseId| {
        let mut wasted = wasted(cx, "release", layout.release(release))?;
        wasted.spare =
            found.old.last() == Some(release) && cx.host.kind(&layout.checked_out(release).record)?.is_some();
        if wasted.spare {
            wasted.bytes = cx.host.size(&layout.spare().tree)?;
        }
        Ok(wasted)
    };
    found.old.iter().map(measure).collect()
}

fn wasted(cx: &Context<'_>, kind: &'static str, path: PathBuf) -> HostResult<Wasted> {
    let bytes = cx.host.size(&path)?;
    Ok(Wasted { kind, path, bytes, spare: false })
}
