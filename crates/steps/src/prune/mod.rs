//! Removes old releases, and what only they used.

mod find;
mod waste;

use std::path::Path;

use release_core::host::HostResult;
use release_core::release::ReleaseId;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::cache;
use find::{find, release_at};

pub use waste::{Kept, Waste, Wasted, waste};

/// Removes the releases that `keep` does not keep.
#[derive(Clone, Copy, Debug)]
pub struct Prune;

const NOTHING: &str = "there is no old release";

impl Step for Prune {
    fn id(&self) -> &'static str {
        "prune"
    }

    fn describe(&self, run: &Run) -> String {
        format!("keep {} releases", run.config.keep)
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Cannot("a removed release is gone; `release deploy` builds its revision again")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        let found = find(cx)?;
        if found.old.is_empty() {
            return Ok(Look::Nothing(NOTHING.to_owned()));
        }
        Ok(Look::Needed(format!("remove {}", names(&found.old))))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        warn_of(cx, empty_trash(cx));
        let found = find(cx)?;
        for path in &found.foreign {
            cx.warn(format!("{} is no release, and is left alone", path.display()));
        }
        let mut notes = Vec::new();
        let newest = found.old.last();
        let remove =
            |release: &&ReleaseId| warn_of(cx, remove_or_spare(cx, release, newest == Some(release)));
        let removed: Vec<ReleaseId> = found.old.iter().filter(remove).cloned().collect();
        if !removed.is_empty() {
            notes.push(format!("removed {}", names(&removed)));
        }
        let garbage = cache::collect(cx)?;
        let freed: u64 = garbage.unused.iter().map(|unused| unused.bytes).sum();
        warn_of(cx, remove_leftovers(cx));
        if freed > 0 {
            notes.push(format!("freed {} MB of the cache", freed.div_ceil(1_000_000)));
        }
        warn_of(cx, forget_gone(cx));
        warn_of(cx, tidy(cx));
        notes.extend(found.in_use.iter().map(|(release, pids)| in_use(release, pids)));
        notes.extend(garbage.in_use.iter().map(|entry| in_use(entry.path.display(), &entry.pids)));
        if notes.is_empty() {
            Ok(Outcome::Skipped(NOTHING.to_owned()))
        } else {
            Ok(Outcome::DoneWith(notes.join("; ")))
        }
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// The tree of the newest is where the next checkout begins, without what became of it since.
fn remove_or_spare(cx: &Context<'_>, release: &ReleaseId, newest: bool) -> HostResult<()> {
    let old = cx.run.layout.checked_out(release);
    if !newest || cx.host.kind(&old.record)?.is_none() {
        return remove(cx, release);
    }
    let spare = cx.run.layout.spare();
    cx.host.remove(&spare.record)?;
    cx.host.remove(&spare.tree)?;
    cx.host.rename(&old.tree, &spare.tree)?;
    cx.host.rename(&old.record, &spare.record)?;
    cx.host.strip(&spare)?;
    forget(cx, release)
}

/// A rename is quick: whatever happens later, no half release stands in `releases/`.
fn remove(cx: &Context<'_>, release: &ReleaseId) -> HostResult<()> {
    let trash = cx.run.layout.trash().join(release.as_str());
    cx.host.rename(&cx.run.layout.release(release), &trash)?;
    forget(cx, release)?;
    cx.host.remove(&trash)
}

/// Removes what is known of a release, and what it printed.
fn forget(cx: &Context<'_>, release: &ReleaseId) -> HostResult<()> {
    let layout = &cx.run.layout;
    cx.host.remove(&layout.release_record(release))?;
    cx.host.remove(&layout.migrations_record(release))?;
    cx.host.remove(&layout.checked_out(release).record)?;
    cx.host.remove(&layout.log_dir(release))?;
    let of_generation = format!("{release}-g");
    for record in cx.host.list(&layout.release_records())? {
        if record.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&of_generation)) {
            cx.host.remove(&record)?;
        }
    }
    let mark = format!("-{release}-g");
    for log in cx.host.list(parent(&layout.service_log("any")))? {
        if log.file_name().is_some_and(|name| name.to_string_lossy().contains(&mark)) {
            cx.host.remove(&log)?;
        }
    }
    Ok(())
}

/// What a killed run did not get to.
fn empty_trash(cx: &Context<'_>) -> HostResult<()> {
    cx.host.list(&cx.run.layout.trash())?.iter().try_for_each(|path| cx.host.remove(path))
}

/// What fetches that were killed left in the mirror. The caller holds the root's lock.
fn remove_leftovers(cx: &Context<'_>) -> HostResult<()> {
    find::leftovers(cx)?.iter().try_for_each(|path| cx.host.remove(path))
}

/// What is known of a release that is gone, such as a deploy that failed, stays as long as there
/// is a release from before it.
fn forget_gone(cx: &Context<'_>) -> HostResult<()> {
    let layout = &cx.run.layout;
    let Some(oldest) = oldest(cx)? else { return Ok(()) };
    let mut known = cx.host.list(parent(&layout.log_dir(&oldest)))?;
    let records = cx.host.list(parent(&layout.release_record(&oldest)))?;
    known.extend(records.iter().map(|record| record.with_extension("")));
    let mut gone = known.iter().filter_map(|path| release_at(path)).filter(|release| *release < oldest);
    gone.try_for_each(|release| forget(cx, &release))
}

/// What the mirror keeps for releases that are gone, goes.
fn tidy(cx: &Context<'_>) -> HostResult<()> {
    let oldest = oldest(cx)?.map_or_else(|| cx.run.release().created_at(), |oldest| oldest.created_at());
    cx.host.tidy(&cx.run.layout.repo(), oldest)
}

fn oldest(cx: &Context<'_>) -> HostResult<Option<ReleaseId>> {
    Ok(cx.host.list(&cx.run.layout.releases())?.iter().find_map(|path| release_at(path)))
}

fn parent(path: &Path) -> &Path {
    path.parent().expect("everything lies below the root")
}

/// What cannot be removed today is removed after the next deploy.
fn warn_of(cx: &Context<'_>, result: HostResult<()>) -> bool {
    let failed = result.map_err(StepError::from).err();
    if let Some(error) = &failed {
        cx.warn(error.in_one_line());
    }
    failed.is_none()
}

fn in_use(what: impl std::fmt::Display, pids: &[u32]) -> String {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    format!("kept {what}: processes {} use it", pids.join(", "))
}

fn names(releases: &[ReleaseId]) -> String {
    releases.iter().map(ReleaseId::as_str).collect::<Vec<_>>().join(", ")
}
