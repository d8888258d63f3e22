//! A run that is killed anywhere is finished or taken back by the next one, and `current` always
//! points at a whole release.

use std::panic::{AssertUnwindSafe, catch_unwind};

use release_core::host::Files;
use release_core::journal::{Entry, Journal};
use release_core::layout::Layout;
use release_core::pipeline::Ended;
use release_core::plan::Plan;
use release_core::release::Generation;
use release_core::run::Run;
use release_core::state::State;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};
use release_testkit::Killed;

use crate::Scene;
use crate::deeds::{Deed, deed};

struct Build;
struct Activate;

impl Step for Build {
    fn id(&self) -> &'static str {
        "build"
    }

    fn describe(&self, _: &Run) -> String {
        "build".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("remove it")
    }

    fn look(&self, _: &Context<'_>) -> Result<Look, StepError> {
        Ok(Look::Needed("it is new".to_owned()))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let release = cx.run.layout.release(cx.run.release());
        for part in ["app.py", "static.css", "whole"] {
            cx.host.write(&release.join(part), b"", 0o644)?;
        }
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        Ok(cx.host.remove(&cx.run.layout.release(cx.run.release()))?)
    }
}

fn point_at(cx: &Context<'_>, generation: &Generation) -> Result<(), StepError> {
    let layout = &cx.run.layout;
    Ok(cx.host.replace_link(&layout.current(), &layout.current_target(&generation.release))?)
}

impl Step for Activate {
    fn id(&self) -> &'static str {
        release_core::pipeline::ACTIVATE
    }

    fn describe(&self, _: &Run) -> String {
        "activate".to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("flip back")
    }

    fn look(&self, _: &Context<'_>) -> Result<Look, StepError> {
        Ok(Look::Needed("it is new".to_owned()))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        point_at(cx, &cx.run.generation)?;
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        point_at(cx, cx.run.previous.as_ref().expect("the tests have a release that serves"))
    }
}

fn plan(verify_fails: bool) -> Plan {
    Plan::default()
        .step(deed("record"))
        .step(Build)
        .together(deed("venv"), deed("frontend"))
        .step(Activate)
        .step(Deed { fails: verify_fails, ..deed("verify") })
        .afterwards(deed("drain"))
        .afterwards(deed("prune"))
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    let old = Generation { release: "20261119T101500Z-aaaaaaa".parse().unwrap(), number: 1 };
    let layout = Layout::new("/srv/shop");
    scene.host.put_file(layout.release(&old.release).join("whole"), "");
    scene.host.put_link(layout.current(), layout.current_target(&old.release));
    scene.run.previous = Some(old.clone());
    let begin = Entry::Begin {
        action: scene.run.action,
        generation: scene.run.generation.clone(),
        revision: scene.run.revision.clone(),
        stand_in: None,
        previous: Some(old),
        by: "ana".to_owned(),
    };
    scene.journal.append(&scene.run.id, begin).unwrap();
    scene
}

fn active(scene: &Scene) -> bool {
    let layout = &scene.run.layout;
    scene.host.read_link(&layout.current()).unwrap() == Some(layout.current_target(scene.run.release()))
}

/// Whether the run is killed before its end.
fn is_killed(scene: &Scene, plan: &Plan) -> bool {
    match catch_unwind(AssertUnwindSafe(|| scene.pipeline().run(plan))) {
        Ok(_) => false,
        Err(cause) if cause.is::<Killed>() => true,
        Err(cause) => std::panic::resume_unwind(cause),
    }
}

fn serves_a_whole_release(scene: &Scene) -> bool {
    scene.host.exists(scene.run.layout.current().join("whole"))
}

/// What the next run does, and what must be true afterwards.
fn recover(scene: &Scene, plan: &Plan, verify_fails: bool, at: &str) {
    assert!(serves_a_whole_release(scene), "{at}");
    scene.host.heal();
    scene.journal.heal();
    let state = State::fold(&scene.journal.records());
    let interrupted = state.interrupted.expect("the run has no end");
    let ended = scene.pipeline().resume(plan, &interrupted, active(scene));
    assert!(serves_a_whole_release(scene), "{at}: {ended:?}");
    assert_eq!(active(scene), matches!(ended, Ended::Completed), "{at}: {ended:?}");
    assert_eq!(
        scene.host.exists(scene.run.layout.release(scene.run.release())),
        active(scene),
        "{at}: {ended:?}"
    );
    assert!(!matches!(ended, Ended::Stuck { .. }), "{at}: {ended:?}");
    assert!(!(verify_fails && active(scene)), "{at}: {ended:?}");
}

/// Kills runs at point 0, 1, 2 … until one comes to its end, and recovers each.
fn kill_everywhere(verify_fails: bool, what: &str, kill: impl Fn(&Scene, usize)) -> usize {
    let plan = plan(verify_fails);
    for n in 0.. {
        let scene = scene();
        kill(&scene, n);
        if !is_killed(&scene, &plan) {
            return n;
        }
        recover(&scene, &plan, verify_fails, &format!("killed at {what} {n}"));
    }
    unreachable!("a run has an end");
}

#[test]
fn after_every_record() {
    for verify_fails in [false, true] {
        // Record 0 begins the run.
        let records = kill_everywhere(verify_fails, "record", |scene, n| scene.journal.die_after(n + 1));
        assert!(records >= 16, "only {records} records");
    }
}

#[test]
fn before_every_effect() {
    for verify_fails in [false, true] {
        let effects = kill_everywhere(verify_fails, "effect", |scene, n| scene.host.die_at(n));
        assert!(effects >= 14, "only {effects} effects");
    }
}

#[test]
fn again_while_it_recovers() {
    let plan = plan(true);
    for n in 0..40 {
        let scene = scene();
        scene.host.die_at(n);
        if !is_killed(&scene, &plan) {
            continue;
        }
        scene.host.heal();
        scene.host.die_at(scene.host.effects().len() + 1);
        let state = State::fold(&scene.journal.records());
        let interrupted = state.interrupted.expect("the run has no end");
        let again = AssertUnwindSafe(|| scene.pipeline().resume(&plan, &interrupted, active(&scene)));
        drop(catch_unwind(again));
        recover(&scene, &plan, true, &format!("killed at effect {n} and again"));
    }
}
