//! Records the release and its effective configuration, so that a rollback runs it as it was.

use release_core::release_record::ReleaseRecord;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

/// Writes the release's record.
#[derive(Clone, Copy, Debug)]
pub struct Record;

const THERE: &str = "the record is there";

impl Step for Record {
    fn id(&self) -> &'static str {
        "record"
    }

    fn describe(&self, run: &Run) -> String {
        format!("record {}", run.release())
    }

    /// A failed release keeps its record: it tells what failed.
    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(match is_there(cx)? {
            true => Look::Nothing(THERE.to_owned()),
            false => Look::Needed("it is a new release".to_owned()),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if is_there(cx)? {
            return Ok(Outcome::Skipped(THERE.to_owned()));
        }
        ReleaseRecord::of(cx.run, cx.host.now()).write(cx.host, &cx.run.layout)?;
        Ok(Outcome::Done)
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

fn is_there(cx: &Context<'_>) -> Result<bool, StepError> {
    let found = ReleaseRecord::read(cx.host, &cx.run.layout, cx.run.release())?;
    Ok(found.is_some_and(|found| found == ReleaseRecord::of(cx.run, found.created_at)))
}

#[cfg(test)]
mod tests {
    use release_testkit::{Node, Scene};

    use super::*;

    #[test]
    fn the_record_tells_the_release_as_it_is_built() {
        let scene = Scene::new();
        assert!(matches!(scene.look(&Record), Ok(Look::Needed(_))));
        assert_eq!(scene.run(&Record).unwrap(), Outcome::Done);
        let facts = &scene.facts;
        let record = ReleaseRecord::read(&scene.host, &facts.layout, facts.release()).unwrap().unwrap();
        assert_eq!((&record.config, &record.revision), (&facts.config, &facts.revision));
        assert_eq!(record.created_at.to_string(), "2026-11-20T10:15:00Z");
        let node = scene.host.node(facts.layout.release_record(facts.release()));
        assert!(matches!(node, Some(Node::File(_, 0o600))), "{node:?}");
    }

    #[test]
    fn a_second_run_changes_nothing_and_undo_keeps_the_record() {
        let scene = Scene::new();
        scene.run(&Record).unwrap();
        let before = scene.host.all();
        scene.host.advance(std::time::Duration::from_secs(5));
        assert_eq!(scene.run(&Record).unwrap(), Outcome::Skipped(THERE.to_owned()));
        scene.undo(&Record).unwrap();
        assert_eq!(scene.host.all(), before);
    }

    #[test]
    fn another_configuration_is_recorded_again() {
        let mut scene = Scene::new();
        scene.run(&Record).unwrap();
        scene.facts.config.keep = 9;
        assert_eq!(scene.run(&Record).unwrap(), Outcome::Done);
    }

    #[test]
    fn a_record_from_before_a_key_was_added_is_read() {
        let scene = Scene::new();
        let path = scene.facts.layout.release_record(scene.facts.release());
        scene.run(&Record).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&scene.host.text(&path).unwrap()).unwrap();
        json["config"].as_object_mut().unwrap().remove("warm");
        scene.host.put_file(&path, &json.to_string());
        assert!(
            ReleaseRecord::read(&scene.host, &scene.facts.layout, scene.facts.release()).unwrap().is_some()
        );
        scene.host.put_file(&path, "{");
        let error = scene.run(&Record).unwrap_err();
        assert!(
            error.to_string().starts_with("the record of 20261120T101500Z-3f2c1a9 cannot be read"),
            "{error}"
        );
    }
}
