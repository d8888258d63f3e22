//! The app's entries in the crontab of the user who deploys.
//!
//! A line runs what the active release has for its name and time, and nothing where that has no
//! such entry. So the lines of two releases may stand there while one takes over from the other:
//! those of the new one are added before `activate`, and those of the old one go afterwards.

use std::collections::BTreeSet;

use release_core::cron::Block;
use release_core::host::{Host, HostResult};
use release_core::layout::Layout;
use release_core::run::{Run, RunId};
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};
use serde::{Deserialize, Serialize};

/// Adds the new release's entries.
#[derive(Clone, Copy, Debug)]
pub struct AddEntries;

/// Leaves the active release's entries alone.
#[derive(Clone, Copy, Debug)]
pub struct KeepEntries;

const NONE: &str = "the app has no entries of cron";
const THERE: &str = "the crontab has them";

impl Step for AddEntries {
    fn id(&self) -> &'static str {
        "cron-add"
    }

    fn describe(&self, _: &Run) -> String {
        "add the entries of cron".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("put the crontab's lines for this root back as they were")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        let Some(Lines { have, want }) = lines(cx)? else { return Ok(Look::Nothing(NONE.to_owned())) };
        let added = names(want.iter().filter(|line| !have.contains(line)));
        Ok(match added.as_str() {
            "" => Look::Nothing(THERE.to_owned()),
            names => Look::Needed(format!("add {names} to the crontab")),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some(Lines { have, want }) = lines(cx)? else { return Ok(Outcome::Skipped(NONE.to_owned())) };
        let new: Vec<String> = want.into_iter().filter(|line| !have.contains(line)).collect();
        if new.is_empty() {
            return Ok(Outcome::Skipped(THERE.to_owned()));
        }
        let block = block(cx.run);
        let note = format!("added {}", names(&new));
        Before { run: cx.run.id.clone(), lines: have }.write(cx)?;
        cx.host.change_crontab(&|crontab| {
            let all: Vec<String> = block.lines(crontab).into_iter().chain(new.clone()).collect();
            block.replace(crontab, &all)
        })?;
        Ok(Outcome::DoneWith(note))
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let Some(before) = Before::read(cx)? else { return Ok(()) };
        let block = block(cx.run);
        Ok(cx.host.change_crontab(&|crontab| block.replace(crontab, &before.lines))?)
    }
}

impl Step for KeepEntries {
    fn id(&self) -> &'static str {
        "cron"
    }

    fn describe(&self, _: &Run) -> String {
        "keep only the active release's entries of cron".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        let Some(Lines { have, want }) = lines(cx)? else { return Ok(Look::Nothing(NONE.to_owned())) };
        let old = names(have.iter().filter(|line| !want.contains(line)));
        Ok(match old.as_str() {
            "" => Look::Nothing("there are no others".to_owned()),
            names => Look::Needed(format!("take the old lines of {names} out of the crontab")),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some(Lines { have, want }) = lines(cx)? else { return Ok(Outcome::Skipped(NONE.to_owned())) };
        if have == want {
            return Ok(Outcome::Skipped(THERE.to_owned()));
        }
        // What tells later runs that there is something to look after.
        cx.host.make_dir(&cx.run.layout.cron())?;
        let block = block(cx.run);
        cx.host.change_crontab(&|crontab| block.replace(crontab, &want))?;
        Ok(Outcome::Done)
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Takes all lines of this root out of the crontab. True if there were any.
pub fn remove_entries(host: &dyn Host, layout: &Layout) -> HostResult<bool> {
    if host.kind(&layout.cron())?.is_none() {
        return Ok(false);
    }
    // Only the root tells the block.
    let block = Block::of(layout.root(), "release");
    let had_any = !block.lines(&host.crontab()?).is_empty();
    host.change_crontab(&|crontab| block.replace(crontab, &[]))?;
    Ok(had_any)
}

/// The names of the entries of this root that the crontab has, for their time.
pub fn installed(host: &dyn Host, layout: &Layout) -> HostResult<Vec<String>> {
    Ok(Block::of(layout.root(), "release").lines(&host.crontab()?))
}

/// What the crontab has for this root, and what it should have.
struct Lines {
    have: Vec<String>,
    want: Vec<String>,
}

/// `None` for an app that has no entries and never had one: its user may have no crontab.
fn lines(cx: &Context<'_>) -> HostResult<Option<Lines>> {
    if cx.run.config.cron.is_empty() && cx.host.kind(&cx.run.layout.cron())?.is_none() {
        return Ok(None);
    }
    let block = block(cx.run);
    let want = cx.run.config.cron.iter().map(|entry| block.line(entry)).collect();
    Ok(Some(Lines { have: block.lines(&cx.host.crontab()?), want }))
}

fn block(run: &Run) -> Block {
    let program = run.door.first().map_or("release", String::as_str);
    Block::of(run.layout.root(), program)
}

/// The entries that these lines run.
fn names<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let names: BTreeSet<&str> = lines.into_iter().filter_map(|line| Block::entry_of(line)).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// The lines as they were before a run changed them.
#[derive(Serialize, Deserialize)]
struct Before {
    run: RunId,
    lines: Vec<String>,
}

impl Before {
    fn write(&self, cx: &Context<'_>) -> HostResult<()> {
        let json = serde_json::to_vec(self).expect("it holds texts only");
        cx.host.write(&cx.run.layout.cron_before(), &json, 0o600)
    }

    /// `None` if this run changed nothing.
    fn read(cx: &Context<'_>) -> HostResult<Option<Self>> {
        let json = cx.host.read(&cx.run.layout.cron_before())?.unwrap_or_default();
        let before: Option<Self> = serde_json::from_slice(&json).ok();
        Ok(before.filter(|before| before.run == cx.run.id))
    }
}
