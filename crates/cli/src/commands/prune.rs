//! `release prune`: removes old releases and what only they used, or says what would go.

use std::path::Path;

use release_core::exit_code;
use release_core::host::Files;
use release_core::step::{Context, Step};
use release_steps::prune::{Kept, Prune, Waste, Wasted, waste};
use serde::Serialize;

use crate::commands::start;
use crate::error::Error;
use crate::output::{Screen, bytes};
use crate::recovery::recover;
use crate::road;
use crate::site::Site;

#[derive(Serialize)]
struct Pruned {
    dry_run: bool,
    removed: Vec<Removed>,
    kept: Vec<InUse>,
    bytes: u64,
}

#[derive(Serialize)]
struct Removed {
    kind: &'static str,
    path: String,
    bytes: u64,
    spare: bool,
}

#[derive(Serialize)]
struct InUse {
    path: String,
    pids: Vec<u32>,
}

/// Prunes, or only says what that would remove.
pub(crate) fn run(mut site: Site, screen: &Screen, dry_run: bool) -> Result<u8, Error> {
    let _lock = match dry_run {
        true => None,
        false => {
            let lock = road::lock(&site, screen, "prune", None, None)?;
            recover(&mut site, screen)?;
            Some(lock)
        }
    };
    let run = start::active(&site)?;
    let cx = Context { host: &site.host, run: &run, observer: screen, step: Prune.id() };
    let mut waste = waste(&cx)?;
    if !dry_run {
        Prune.run(&cx)?;
        // What could not be removed was warned of.
        waste.wasted.retain(|one| site.host.kind(&one.path).is_ok_and(|kind| kind.is_none()));
    }
    let facts = facts(waste, dry_run);
    screen.facts(&facts, || text(&facts, site.layout.root()));
    Ok(exit_code::DONE)
}

fn facts(waste: Waste, dry_run: bool) -> Pruned {
    let removed = |one: Wasted| Removed {
        kind: one.kind,
        path: one.path.display().to_string(),
        bytes: one.bytes,
        spare: one.spare,
    };
    let removed: Vec<Removed> = waste.wasted.into_iter().map(removed).collect();
    let kept = |one: Kept| InUse { path: one.path.display().to_string(), pids: one.pids };
    Pruned {
        dry_run,
        bytes: removed.iter().map(|one| one.bytes).sum(),
        removed,
        kept: waste.kept.into_iter().map(kept).collect(),
    }
}

fn text(pruned: &Pruned, root: &Path) -> String {
    let short =
        |path: &str| Path::new(path).strip_prefix(root).unwrap_or(path.as_ref()).display().to_string();
    let mut text = String::new();
    for one in &pruned.removed {
        let stays = if one.spare { " (its tree stays for the next checkout)" } else { "" };
        text.push_str(&format!("{:<8} {:>9}  {}{stays}\n", one.kind, bytes(one.bytes), short(&one.path)));
    }
    for one in &pruned.kept {
        let pids: Vec<String> = one.pids.iter().map(u32::to_string).collect();
        text.push_str(&format!("kept: {} is used by {}\n", short(&one.path), pids.join(", ")));
    }
    text.push_str(&match (pruned.removed.is_empty(), pruned.dry_run) {
        (true, _) => "there is nothing that nobody needs".to_owned(),
        (false, true) => format!("would free {}; `release prune` does it", bytes(pruned.bytes)),
        (false, false) => format!("freed {}", bytes(pruned.bytes)),
    });
    text
}
