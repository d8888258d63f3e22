//! What a restart follows: the configuration as it is now, for the new generation alone until it
//! has proved well, and then for the release.

use release_core::release_record::ReleaseRecord;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

/// Writes the configuration by which the new generation runs.
#[derive(Clone, Copy, Debug)]
pub struct Configure;

/// Makes it the release's own.
#[derive(Clone, Copy, Debug)]
pub struct Adopt;

const ADOPTED: &str = "the release has it already";

impl Step for Configure {
    fn id(&self) -> &'static str {
        "configure"
    }

    fn describe(&self, _: &Run) -> String {
        "read release.yml".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("forget what release.yml says now")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(Look::Needed(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        record(cx)?.write_for(cx.host, &cx.run.layout, cx.run.generation.number)?;
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        Ok(cx.host.remove(&cx.run.layout.generation_record(&cx.run.generation))?)
    }
}

impl Step for Adopt {
    fn id(&self) -> &'static str {
        "adopt"
    }

    fn describe(&self, _: &Run) -> String {
        "store the configuration with the release".to_owned()
    }

    /// It is the last that can fail, and then nothing has changed.
    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(Look::Needed(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let own = cx.run.layout.generation_record(&cx.run.generation);
        if cx.host.kind(&own)?.is_none() {
            return Ok(Outcome::Skipped(ADOPTED.to_owned()));
        }
        record(cx)?.write(cx.host, &cx.run.layout)?;
        cx.host.remove(&own)?;
        Ok(Outcome::Done)
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// The release's record, with the configuration of this run.
fn record(cx: &Context<'_>) -> Result<ReleaseRecord, StepError> {
    let known = ReleaseRecord::read(cx.host, &cx.run.layout, cx.run.release())?;
    let created_at = known.map_or_else(|| cx.run.release().created_at(), |known| known.created_at);
    Ok(ReleaseRecord::of(cx.run, created_at))
}

#[cfg(test)]
mod tests {
    use release_core::config::Config;
    use release_core::host::Clock;
    use release_testkit::Scene;

    use super::*;

    /// The second generation of a release, with another `keep` than the first.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        let first = ReleaseRecord::of(&scene.facts, scene.host.now());
        first.write(&scene.host, &scene.facts.layout).unwrap();
        scene.facts.generation.number = 2;
        scene.facts.config.keep = 9;
        scene
    }

    fn kept(scene: &Scene) -> [usize; 2] {
        let (layout, generation) = (&scene.facts.layout, &scene.facts.generation);
        let own = ReleaseRecord::of_generation(&scene.host, layout, generation);
        let of_release = ReleaseRecord::read(&scene.host, layout, &generation.release);
        [own, of_release].map(|record| record.unwrap().unwrap().config.keep)
    }

    #[test]
    fn the_release_follows_only_when_the_new_generation_is_well() {
        let scene = scene();
        let before = Config::default().keep;
        assert_eq!(kept(&scene), [before, before]);
        scene.run(&Configure).unwrap();
        scene.run(&Configure).unwrap();
        assert_eq!(kept(&scene), [9, before]);
        scene.run(&Adopt).unwrap();
        assert_eq!(kept(&scene), [9, 9]);
        assert_eq!(scene.run(&Adopt).unwrap(), Outcome::Skipped(ADOPTED.to_owned()));
    }

    #[test]
    fn what_is_taken_back_leaves_nothing() {
        let scene = scene();
        let before = scene.host.all();
        scene.run(&Configure).unwrap();
        scene.undo(&Configure).unwrap();
        assert_eq!(scene.host.all(), before);
        scene.undo(&Configure).unwrap();
    }
}
