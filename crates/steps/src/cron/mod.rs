//! What starts the app's entries: lines in the crontab of the user who deploys, or timers of systemd.
//!
//! A line runs what the active release has for its name and time, and nothing where that has no
//! such entry; so does a timer. So those of two releases may stand there while one takes over from the
//! other: those of the new one are added before `activate`, and those of the old one go afterwards.

mod installed;

use release_core::config::Config;
use release_core::host::{Host, HostResult};
use release_core::layout::Layout;
use release_core::run::{Run, RunId};
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};
use serde::{Deserialize, Serialize};

pub use installed::{Installed, installed};

/// Adds the new release's entries.
#[derive(Clone, Copy, Debug)]
pub struct AddEntries;

/// Leaves the active release's entries alone.
#[derive(Clone, Copy, Debug)]
pub struct KeepEntries;

const NONE: &str = "the app has no entries of cron";

impl Step for AddEntries {
    fn id(&self) -> &'static str {
        "cron-add"
    }

    fn describe(&self, _: &Run) -> String {
        "add the entries of cron".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("put this root's lines in the crontab, and its timers, back as they were")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        let Some(Entries { have, want }) = entries(cx)? else { return Ok(Look::Nothing(NONE.to_owned())) };
        let new = want.without(&have);
        Ok(match new.is_empty() {
            true => Look::Nothing(there(&cx.run.config)),
            false => Look::Needed(format!("add {} to {}", new.names(), new.places())),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some(Entries { have, want }) = entries(cx)? else { return Ok(Outcome::Skipped(NONE.to_owned())) };
        let new = want.without(&have);
        if new.is_empty() {
            return Ok(Outcome::Skipped(there(&cx.run.config)));
        }
        let note = format!("added {}", new.names());
        Before { run: cx.run.id.clone(), installed: have.clone() }.write(cx)?;
        have.and(&new).replace(&have, cx.host, cx.run.layout.root())?;
        Ok(Outcome::DoneWith(note))
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let Some(before) = Before::read(cx)? else { return Ok(()) };
        let now = installed(cx.host, &cx.run.layout, &cx.run.config)?;
        Ok(before.installed.replace(&now, cx.host, cx.run.layout.root())?)
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
        let Some(Entries { have, want }) = entries(cx)? else { return Ok(Look::Nothing(NONE.to_owned())) };
        let old = have.without(&want);
        Ok(match old.is_empty() {
            true => Look::Nothing("there are no others".to_owned()),
            false => Look::Needed(format!("take the old lines of {} out of {}", old.names(), old.places())),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some(Entries { have, want }) = entries(cx)? else { return Ok(Outcome::Skipped(NONE.to_owned())) };
        if have == want {
            return Ok(Outcome::Skipped(there(&cx.run.config)));
        }
        // What tells later runs that there is something to look after.
        cx.host.make_dir(&cx.run.layout.cron())?;
        want.replace(&have, cx.host, cx.run.layout.root())?;
        Ok(Outcome::Done)
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Nothing starts an entry of this root any more. What did, where `config` is the active release's.
pub fn remove_entries(host: &dyn Host, layout: &Layout, config: &Config) -> HostResult<Installed> {
    if host.kind(&layout.cron())?.is_none() {
        return Ok(Installed::default());
    }
    let removed = installed(host, layout, config)?;
    Installed::default().replace(&removed, host, layout.root())?;
    Ok(removed)
}

/// What starts entries of this root, and what should.
struct Entries {
    have: Installed,
    want: Installed,
}

/// `None` for an app that has no entries and never had one: its user may have no crontab.
fn entries(cx: &Context<'_>) -> HostResult<Option<Entries>> {
    let Run { config, layout, .. } = cx.run;
    if config.cron.is_empty() && cx.host.kind(&layout.cron())?.is_none() {
        return Ok(None);
    }
    let program = cx.run.door.first().map_or("release", String::as_str);
    let want = Installed::wanted(cx.host, layout.root(), config, program);
    Ok(Some(Entries { have: installed(cx.host, layout, config)?, want }))
}

fn there(config: &Config) -> String {
    let who = if config.timers().is_some() { "systemd has timers of" } else { "the crontab has" };
    format!("{who} them")
}

/// What there was before a run changed it.
#[derive(Serialize, Deserialize)]
struct Before {
    run: RunId,
    #[serde(flatten)]
    installed: Installed,
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
