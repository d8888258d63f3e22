//! `release list`: the releases, newest first.

use std::collections::BTreeSet;

use jiff::Timestamp;
use release_core::exit_code;
use release_core::host::Files;
use release_core::release::ReleaseId;
use release_core::revision::Revision;
use release_core::state::Fate;
use serde::Serialize;

use crate::error::Error;
use crate::output::{Screen, bytes};
use crate::site::Site;

#[derive(Serialize)]
struct List {
    releases: Vec<Release>,
}

#[derive(Serialize)]
struct Release {
    id: ReleaseId,
    revision: Option<Revision>,
    state: &'static str,
    created_at: Timestamp,
    size_bytes: u64,
    pinned: bool,
}

/// Lists the releases.
pub(crate) fn run(site: &Site, screen: &Screen) -> Result<u8, Error> {
    let list = List { releases: releases(site)? };
    screen.facts(&list, || text(&list));
    Ok(exit_code::DONE)
}

fn releases(site: &Site) -> Result<Vec<Release>, Error> {
    let state = site.state()?;
    let current = site.current()?;
    let named = |path: &std::path::PathBuf| path.file_stem()?.to_str()?.parse().ok();
    let on_disk: Vec<ReleaseId> = site.host.list(&site.layout.releases())?.iter().filter_map(named).collect();
    // A failed release leaves no directory, but a record, until it is pruned.
    let recorded: Vec<ReleaseId> =
        site.host.list(&site.layout.release_records())?.iter().filter_map(named).collect();
    let all: BTreeSet<ReleaseId> = on_disk.into_iter().chain(recorded).collect();
    all.into_iter()
        .rev()
        .map(|id| {
            let fate = match state.fates.get(&id) {
                _ if current.as_ref() == Some(&id) => "active",
                Some(Fate::Good) => "good",
                Some(Fate::RolledBack) => "rolled_back",
                Some(Fate::Failed) | None => "failed",
            };
            let size_bytes = site.host.size(&site.layout.release(&id))?;
            Ok(Release {
                revision: state.revision(&id).cloned(),
                state: fate,
                created_at: id.created_at(),
                size_bytes,
                pinned: site.host.kind(&site.layout.pins().join(id.as_str()))?.is_some(),
                id,
            })
        })
        .collect()
}

fn text(list: &List) -> String {
    if list.releases.is_empty() {
        return "no releases yet; `release deploy main` makes the first".to_owned();
    }
    let line = |release: &Release| {
        let Release { id, state, created_at, size_bytes, pinned, .. } = release;
        format!(
            "{id}  {state:<11}  {}  {:>9}{}\n",
            created_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            if *size_bytes == 0 { "-".to_owned() } else { bytes(*size_bytes) },
            if *pinned { "  pinned" } else { "" }
        )
    };
    list.releases.iter().map(line).collect()
}
