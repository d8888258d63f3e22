//! Collects the static files into the release.

mod collection;

use release_core::config::Django;
use release_core::host::HostResult;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::django::{NO_DJANGO, Start, manage};
pub(crate) use collection::Collection;

/// Runs `collectstatic`, or tells of it where the start of the project that checked the app has
/// run it already.
#[derive(Clone, Debug, Default)]
pub struct CollectStatic(pub(crate) Start);

const FROM_CACHE: &str = "from the cache";
const SWITCHED_OFF: &str = "`collectstatic: false` in release.yml";

impl CollectStatic {
    /// Its name in the journal.
    pub(crate) const ID: &'static str = "collect-static";

    /// Whether it is to be tried.
    pub(crate) fn is_wanted(django: &Django) -> bool {
        django.collectstatic != Some(false)
    }

    /// What to tell of the files; those of equal inputs are not collected again.
    fn provide(&self, cx: &Context<'_>, django: &Django) -> Result<Option<String>, StepError> {
        let collection = self.0.collection();
        if let Some(placed) = self.0.placed() {
            if collection.as_ref() == Some(&placed) {
                return Ok(Some(FROM_CACHE.to_owned()));
            }
            placed.clear(cx)?;
        }
        let collected = self.0.collected();
        if collected.is_none()
            && let Some(known) = &collection
            && known.take(cx)?
        {
            return Ok(Some(FROM_CACHE.to_owned()));
        }
        let started = || cx.output(&manage(cx, django, ["collectstatic", "--noinput"]));
        let lines = collected.unwrap_or_else(started)?;
        collection.iter().try_for_each(|collection| collection.keep(cx))?;
        Ok(summary(&lines))
    }
}

impl Step for CollectStatic {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn describe(&self, _: &Run) -> String {
        "collect static files".to_owned()
    }

    /// They are part of the release's directory.
    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(match cx.run.config.django.as_ref().map(|django| django.collectstatic) {
            None => Look::Nothing(NO_DJANGO.to_owned()),
            Some(Some(false)) => Look::Nothing(SWITCHED_OFF.to_owned()),
            Some(wanted) => {
                let condition = if wanted.is_none() { "if the settings have a STATIC_ROOT: " } else { "" };
                Look::Pending(format!("{condition}{}", outlook(cx)?))
            }
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some(django) = &cx.run.config.django else { return Ok(Outcome::Skipped(NO_DJANGO.to_owned())) };
        if !Self::is_wanted(django) {
            return Ok(Outcome::Skipped(SWITCHED_OFF.to_owned()));
        }
        match self.provide(cx, django) {
            Ok(note) => Ok(note.map_or(Outcome::Done, Outcome::DoneWith)),
            Err(error) => match needless(&error).filter(|_| django.collectstatic.is_none()) {
                Some(why) => Ok(Outcome::Skipped(why.to_owned())),
                None => Err(error),
            },
        }
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// What is likely to happen. What the files are made of is known only when Django has been started.
fn outlook(cx: &Context<'_>) -> HostResult<String> {
    if cx.run.no_cache {
        return Ok("collected anew".to_owned());
    }
    let previous = cx.run.previous.as_ref().map(|previous| Collection::of_release(cx, &previous.release));
    let since = previous.transpose()?.flatten().map(|last| last.since(cx)).transpose()?;
    Ok(match since.flatten() {
        Some(since) => format!("taken from the cache ({since}) if nothing of them changed"),
        None => "taken from the cache if they were collected before".to_owned(),
    })
}

/// Why a project that was not asked to collect static files has none. Trying is cheaper than
/// starting Django once more to ask.
fn needless(error: &StepError) -> Option<&'static str> {
    let says =
        |words: [&str; 2]| error.output().iter().any(|line| words.iter().all(|word| line.contains(word)));
    if says(["ImproperlyConfigured", "STATIC_ROOT"]) {
        Some("the settings have no STATIC_ROOT")
    } else if says(["Unknown command", "collectstatic"]) {
        Some("django.contrib.staticfiles is not installed")
    } else {
        None
    }
}

/// `125 static files copied to '/srv/…/static', 3 unmodified.` without the path.
fn summary(lines: &[String]) -> Option<String> {
    let (copied, _) = lines.iter().rev().find_map(|line| line.trim().split_once(" copied"))?;
    Some(copied.to_owned())
}

#[cfg(test)]
mod tests {
    use release_testkit::{Answer, Scene};

    use super::*;

    fn scene(answer: Answer, wanted: Option<bool>) -> Scene {
        let mut scene = Scene::new();
        scene.host.on("manage.py collectstatic --noinput", answer);
        scene.facts.config.django.as_mut().unwrap().collectstatic = wanted;
        scene
    }

    #[test]
    fn static_files_are_collected_and_counted() {
        let answer = Answer::ok().says("\n125 static files copied to '/srv/static', 375 post-processed.");
        for wanted in [None, Some(true)] {
            let scene = scene(answer.clone(), wanted);
            assert_eq!(
                scene.run(&CollectStatic::default()).unwrap(),
                Outcome::DoneWith("125 static files".to_owned())
            );
        }
    }

    #[test]
    fn twice_is_the_same_and_undo_does_nothing() {
        let scene = scene(Answer::ok(), None);
        assert_eq!(scene.run(&CollectStatic::default()).unwrap(), Outcome::Done);
        let before = scene.host.all();
        assert_eq!(scene.run(&CollectStatic::default()).unwrap(), Outcome::Done);
        scene.undo(&CollectStatic::default()).unwrap();
        assert_eq!(scene.host.all(), before);
    }

    #[test]
    fn a_project_without_static_files_is_skipped_unless_it_should_have_some() {
        let answers = [
            "django.core.exceptions.ImproperlyConfigured: You're using the staticfiles app without having set \
             the STATIC_ROOT setting to a filesystem path.",
            "Unknown command: 'collectstatic'",
        ];
        for text in answers {
            let answer = Answer::code(1).says(text);
            assert!(matches!(
                scene(answer.clone(), None).run(&CollectStatic::default()).unwrap(),
                Outcome::Skipped(_)
            ));
            assert!(scene(answer, Some(true)).run(&CollectStatic::default()).is_err());
        }
    }

    #[test]
    fn another_failure_stops_the_run() {
        let text = "ValueError: Missing staticfiles manifest entry for 'shop/logo.svg'";
        let error = scene(Answer::code(1).says(text), None).run(&CollectStatic::default()).unwrap_err();
        assert_eq!(error.to_string(), "`python manage.py collectstatic --noinput` failed (exit code 1)");
        assert_eq!(error.output(), [text]);
    }

    #[test]
    fn it_can_be_switched_off() {
        let scene = scene(Answer::ok(), Some(false));
        assert_eq!(scene.run(&CollectStatic::default()).unwrap(), Outcome::Skipped(SWITCHED_OFF.to_owned()));
        assert_eq!(scene.look(&CollectStatic::default()).unwrap(), Look::Nothing(SWITCHED_OFF.to_owned()));
        assert!(scene.host.commands().is_empty());
        let mut scene = Scene::new();
        scene.facts.config.django = None;
        assert_eq!(scene.run(&CollectStatic::default()).unwrap(), Outcome::Skipped(NO_DJANGO.to_owned()));
    }
}
