//! One start of the project for all that a deploy asks of it: to start Django costs more than most
//! of what it is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use release_core::command::Exit;
use release_core::config::Django;
use release_core::step::{Context, StepError, tail};

use super::{A_DAY, Inspection, MARK, failed, inspector};
use crate::collect_static::{CollectStatic, Collection};

/// What collecting static files is called by people.
const COLLECT: &str = "python manage.py collectstatic --noinput";

/// What one start of the project told: the steps of a plan that hold clones of it share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    inspection: Option<Inspection>,
    /// What there is to collect.
    collection: Option<Collection>,
    /// What was started before the project was asked.
    ahead: Option<Ahead>,
    collected: Option<Collected>,
}

/// What web servers were started with that nobody had checked.
#[derive(Clone, Debug)]
struct Ahead {
    /// The static files that they found.
    placed: Option<Collection>,
}

/// How `collectstatic` ended, and all that it printed.
#[derive(Debug)]
struct Collected {
    exit: Exit,
    lines: Vec<String>,
}

impl Start {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the project and asks; then, in the same process, its static files are collected
    /// unless its checks find errors. What that prints is told as a step of its own.
    pub(crate) fn ask(&self, cx: &Context<'_>, django: &Django) -> Result<Inspection, StepError> {
        let collects = CollectStatic::is_wanted(django);
        let ahead = self.told().ahead.clone();
        let is_placed = ahead.as_ref().is_some_and(|ahead| ahead.placed.is_some());
        let known = if collects && !is_placed { Collection::known(cx)? } else { Vec::new() };
        let command = inspector(cx, django)
            .args(collects.then_some(if is_placed { "collected" } else { "and-collect" }))
            .args(known.iter().map(|known| &known.inputs))
            .limit(A_DAY);
        let collecting = Context { step: CollectStatic::ID, ..*cx };
        let (mut json, mut answer, mut printed, mut collected) =
            (String::new(), None, Vec::new(), Vec::new());
        let exit = cx.host.run(&command, &mut |line| match line.strip_prefix(MARK) {
            Some(piece) => {
                json += piece;
                // What is printed behind the last piece is of `collectstatic`.
                answer = serde_json::from_str(&json).ok();
            }
            None if answer.is_some() => collected.push(collecting.line(line)),
            None => printed.push(cx.line(line)),
        })?;
        let inspection: Inspection = match answer {
            Some(answer) if collects || exit.success() => answer,
            _ => return Err(failed(cx.run, exit, &printed)),
        };
        let collection = Collection::of(cx, &inspection)?;
        let is_known = known.iter().any(|known| Some(&known.inputs) == inspection.static_inputs.as_ref());
        let has_collected = collects && inspection.checks.is_empty() && !is_known && !is_placed;
        *self.told() = Told {
            inspection: Some(inspection.clone()),
            collection,
            ahead,
            collected: has_collected.then_some(Collected { exit, lines: collected }),
        };
        Ok(inspection)
    }

    /// Whether nothing was pending when the project was asked.
    pub(crate) fn knows_of_no_migration(&self) -> bool {
        self.told().inspection.as_ref().is_some_and(|found| found.pending.is_empty())
    }

    /// Web servers are started before the project is asked, with these static files.
    pub(crate) fn is_preceded(&self, placed: Option<Collection>) {
        self.told().ahead = Some(Ahead { placed });
    }

    /// The static files that were there before the project was asked.
    pub(crate) fn placed(&self) -> Option<Collection> {
        self.told().ahead.as_ref()?.placed.clone()
    }

    /// Why what was started ahead has to be started anew, if it has.
    pub(crate) fn was_too_early(&self, migrates: bool) -> Option<&'static str> {
        let told = self.told();
        let ahead = told.ahead.as_ref()?;
        if migrates && told.inspection.as_ref().is_some_and(|found| !found.pending.is_empty()) {
            return Some("the database is migrated first");
        }
        (ahead.placed.is_some() && ahead.placed != told.collection).then_some("its static files changed")
    }

    /// What there is to collect, where that can be told.
    pub(crate) fn collection(&self) -> Option<Collection> {
        self.told().collection.clone()
    }

    /// What `collectstatic` printed when it ran at the end of this start, or its failure; `None`
    /// if it did not. It is told but once.
    pub(crate) fn collected(&self) -> Option<Result<Vec<String>, StepError>> {
        let Collected { exit, lines } = self.told().collected.take()?;
        let command = || COLLECT.to_owned();
        Some(match exit.success() {
            true => Ok(lines),
            false => Err(StepError::Command { command: command(), exit, output: tail(&lines), help: None }),
        })
    }
}

#[cfg(test)]
mod tests {
    use release_core::event::Event;
    use release_core::step::Outcome;
    use release_testkit::{Answer, Scene};
    use serde_json::json;

    use super::*;
    use crate::check_app::CheckApp;
    use crate::django::testing::{printed, project};
    use crate::migrate::Migrate;

    /// A project without pending migrations that prints `text`, and ends with `code`, when it goes
    /// on to collect static files.
    fn scene(text: &'static str, code: i32) -> Scene {
        let scene = Scene::new();
        let well = json!({"static_root": "static", "applied": [], "pending": [], "checks": []});
        let told = Answer::code(code).says(&printed(&well)).says(text);
        scene.host.on_call("python -c ", move |_, _| told.clone());
        scene
    }

    #[test]
    fn one_start_answers_three_steps_each_with_its_own_words() {
        let (scene, start) = (scene("5 static files copied to 'static'.", 0), Start::default());
        assert_eq!(scene.run(&CheckApp(start.clone())).unwrap(), Outcome::Done);
        let collected = scene.run(&CollectStatic(start.clone())).unwrap();
        assert_eq!(collected, Outcome::DoneWith("5 static files".to_owned()));
        assert!(matches!(scene.run(&Migrate(start)).unwrap(), Outcome::Skipped(_)));
        assert_eq!(scene.host.commands().len(), 1);
        let told = |wanted: &str| {
            let events = scene.recorder.events();
            let lines = events.into_iter().filter_map(|event| match event {
                Event::Line { step, text } if step == wanted => Some(text),
                _ => None,
            });
            lines.filter(|text| !text.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(told("check-app"), ["junk from the settings"]);
        assert_eq!(told("collect-static"), ["5 static files copied to 'static'."]);
    }

    #[test]
    fn static_files_that_cannot_be_collected_fail_their_own_step() {
        let (scene, start) = (scene("ValueError: Missing staticfiles manifest entry", 1), Start::default());
        assert_eq!(scene.run(&CheckApp(start.clone())).unwrap(), Outcome::Done);
        let error = scene.run(&CollectStatic(start)).unwrap_err();
        assert_eq!(error.to_string(), "`python manage.py collectstatic --noinput` failed (exit code 1)");
        assert_eq!(error.output(), ["ValueError: Missing staticfiles manifest entry"]);
    }

    #[test]
    fn what_is_switched_off_is_not_asked_for() {
        let mut scene = scene("", 0);
        scene.facts.config.django.as_mut().unwrap().collectstatic = Some(false);
        scene.run(&CheckApp::default()).unwrap();
        let last =
            |scene: &Scene| scene.host.commands().pop().and_then(|command| command.args.last().cloned());
        assert_ne!(last(&scene).as_deref(), Some("and-collect"));
        scene.facts.config.django.as_mut().unwrap().collectstatic = None;
        scene.run(&CheckApp::default()).unwrap();
        assert_eq!(last(&scene).as_deref(), Some("and-collect"));
    }

    #[test]
    fn static_files_that_are_collected_again_need_a_start_of_their_own() {
        let (scene, start) = (scene("5 static files copied.", 0), Start::default());
        scene.run(&CheckApp(start.clone())).unwrap();
        scene.run(&CollectStatic(start.clone())).unwrap();
        scene.host.on("manage.py collectstatic --noinput", Answer::ok());
        assert_eq!(scene.run(&CollectStatic(start)).unwrap(), Outcome::Done);
        assert_eq!(scene.host.commands().len(), 2);
    }

    #[test]
    fn pending_migrations_are_looked_at_once_more_before_they_are_applied() {
        let (scene, database) = project(&[("orders", "0001_initial", true)], None);
        let start = Start::default();
        scene.run(&CheckApp(start.clone())).unwrap();
        database.apply("orders", "0001_initial");
        assert!(matches!(scene.run(&Migrate(start)).unwrap(), Outcome::Skipped(_)));
        assert!(scene.host.commands_with("manage.py migrate").is_empty());
    }
}
