//! Migrates the database, and takes back what it applied where Django can.

use release_core::config::Django;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};
use serde::{Deserialize, Serialize};

use crate::django::{Migration, NO_DJANGO, Start, brief, inspect, manage, names};

/// Applies the pending migrations.
#[derive(Clone, Debug, Default)]
pub struct Migrate(pub(crate) Start);

const NONE_PENDING: &str = "no migrations are pending";
const SWITCHED_OFF: &str = "`migrate: false` in release.yml";

impl Step for Migrate {
    fn id(&self) -> &'static str {
        "migrate"
    }

    fn describe(&self, _: &Run) -> String {
        "migrate the database".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Cannot("data may depend on it: reversible migrations are reversed, others stand")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(match cx.run.config.django.as_ref().map(|django| django.migrate) {
            None => Look::Nothing(NO_DJANGO.to_owned()),
            Some(false) => Look::Nothing(SWITCHED_OFF.to_owned()),
            Some(true) => Look::Pending("the database is asked once the new code is there".to_owned()),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some(django) = &cx.run.config.django else { return Ok(Outcome::Skipped(NO_DJANGO.to_owned())) };
        if !django.migrate {
            return Ok(Outcome::Skipped(SWITCHED_OFF.to_owned()));
        }
        if self.0.knows_of_no_migration() {
            return Ok(Outcome::Skipped(NONE_PENDING.to_owned()));
        }
        // What is written down of the database must be as it is right before it changes.
        let found = inspect(cx, django)?;
        if found.pending.is_empty() {
            return Ok(Outcome::Skipped(NONE_PENDING.to_owned()));
        }
        let applied = brief(&found.pending);
        Before { version: 1, applied: found.applied, pending: found.pending }.write_once(cx)?;
        cx.run(&manage(cx, django, ["migrate", "--noinput"]))?;
        Ok(Outcome::DoneWith(format!("applied {applied}")))
    }

    /// Never fails: what cannot be reversed must not keep the old release from coming back.
    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let (Some(django), Some(before)) = (&cx.run.config.django, Before::read(cx)?) else { return Ok(()) };
        let now = match inspect(cx, django) {
            Ok(now) => now,
            Err(error) => {
                let pending = names(&before.pending);
                cx.warn(format!(
                    "cannot tell which of {pending} stand in the database: {}",
                    error.in_one_line()
                ));
                return Ok(());
            }
        };
        let back = WayBack::find(&before, &now.applied);
        if let [.., last] = back.standing.as_slice() {
            let standing = names(back.standing.iter().copied());
            cx.warn(format!("{standing} stand in the database: {} cannot be reversed", names([*last])));
        }
        // The record stays for the next undo, if this one did not get through.
        if !reverse(cx, django, &back) {
            return Ok(());
        }
        Ok(cx.host.remove(&cx.run.layout.migrations_record(cx.run.release()))?)
    }
}

fn reverse(cx: &Context<'_>, django: &Django, back: &WayBack<'_>) -> bool {
    let mut all = true;
    for (app, target) in &back.targets {
        if let Err(error) = cx.run(&manage(cx, django, ["migrate", app, target, "--noinput"])) {
            cx.warn(format!("cannot take {app} back to {target}: {}", error.in_one_line()));
            all = false;
        }
    }
    all
}

/// The database before the release's own migrations.
#[derive(Serialize, Deserialize)]
struct Before {
    version: u32,
    applied: Vec<(String, String)>,
    pending: Vec<Migration>,
}

impl Before {
    /// An older record stays: between it and now we may have been killed half way.
    fn write_once(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let path = cx.run.layout.migrations_record(cx.run.release());
        if cx.host.kind(&path)?.is_some() {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(self).expect("migrations have text keys only");
        Ok(cx.host.write(&path, &json, 0o600)?)
    }

    fn read(cx: &Context<'_>) -> Result<Option<Self>, StepError> {
        let path = cx.run.layout.migrations_record(cx.run.release());
        let Some(json) = cx.host.read(&path)? else { return Ok(None) };
        let before = serde_json::from_slice(&json).ok();
        if before.is_none() {
            cx.warn(format!("{} cannot be read: no migration is reversed", path.display()));
        }
        Ok(before)
    }
}

/// How the database gets back, as far as it can.
struct WayBack<'a> {
    /// The apps, and the migration that each goes back to, latest first.
    targets: Vec<(&'a str, &'a str)>,
    /// What stands: the last that cannot be reversed, and what came before it.
    standing: Vec<&'a Migration>,
}

impl<'a> WayBack<'a> {
    fn find(before: &'a Before, now: &[(String, String)]) -> Self {
        let applied = |migration: &&Migration| now.iter().any(|key| migration.is(key));
        let mut standing: Vec<&Migration> = before.pending.iter().filter(applied).collect();
        let split = standing.iter().rposition(|migration| !migration.reversible).map_or(0, |last| last + 1);
        let reversed = standing.split_off(split);
        let mut targets: Vec<(&str, &str)> = Vec::new();
        for migration in reversed.iter().rev() {
            if !targets.iter().any(|(app, _)| *app == migration.app) {
                targets.push((&migration.app, target(before, &standing, &migration.app)));
            }
        }
        Self { targets, standing }
    }
}

/// The last migration of `app` that is to stay.
fn target<'a>(before: &'a Before, standing: &[&'a Migration], app: &str) -> &'a str {
    let applied = before.applied.iter().map(|(app, name)| (app, name));
    let standing = standing.iter().map(|migration| (&migration.app, &migration.name));
    let last = applied.chain(standing).rfind(|(of, _)| *of == app);
    last.map_or("zero", |(_, name)| name)
}

#[cfg(test)]
mod tests;
