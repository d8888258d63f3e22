//! The pipeline's promises: order, undoing in reverse, intents before effects, going on after a kill.

#[cfg(test)]
mod deeds;
#[cfg(test)]
mod killed;

use release_core::event::Event;
use release_core::journal::Mark;
use release_core::pipeline::{Ended, Pipeline};
use release_core::plan::Plan;
use release_core::run::Run;
use release_testkit::{FakeHost, MemoryJournal, Recorder, a_run};

use deeds::{Deed, HostJournal, deed};

struct Scene {
    host: FakeHost,
    run: Run,
    recorder: Recorder,
    journal: MemoryJournal,
}

impl Scene {
    fn new() -> Self {
        Self {
            host: FakeHost::new(),
            run: a_run(),
            recorder: Recorder::default(),
            journal: MemoryJournal::new(),
        }
    }

    fn pipeline(&self) -> Pipeline<'_> {
        Pipeline { host: &self.host, run: &self.run, observer: &self.recorder, journal: &self.journal }
    }

    fn marks(&self) -> Vec<String> {
        self.journal.marks().into_iter().map(|(step, mark)| format!("{step} {mark:?}")).collect()
    }

    fn stands(&self, deed: &str) -> bool {
        self.host.exists(deeds::place(deed))
    }
}

fn three() -> Plan {
    Plan::default().step(deed("one")).step(deed("two")).step(deed("three"))
}

#[test]
fn steps_run_in_order_each_between_its_marks() {
    let scene = Scene::new();
    assert!(matches!(scene.pipeline().run(&three()), Ended::Completed));
    let marks =
        ["one Started", "one Succeeded", "two Started", "two Succeeded", "three Started", "three Succeeded"];
    assert_eq!(scene.marks(), marks);
    assert!(scene.stands("one") && scene.stands("three"));
}

#[test]
fn finished_work_is_skipped_with_a_reason() {
    let scene = Scene::new();
    scene.pipeline().run(&three());
    assert!(matches!(scene.pipeline().run(&three()), Ended::Completed));
    assert_eq!(scene.journal.marks().last().unwrap().1, Mark::Skipped);
}

#[test]
fn a_failure_undoes_in_reverse_and_the_failed_step_too() {
    let scene = Scene::new();
    let plan = three().step(Deed { fails: true, ..deed("four") }).step(deed("five"));
    let Ended::Undone { failure, after_activate: false } = scene.pipeline().run(&plan) else { panic!() };
    assert_eq!(failure.step, "four");
    let undone: Vec<String> = scene.marks().into_iter().filter(|mark| mark.ends_with("Undone")).collect();
    assert_eq!(undone, ["four Undone", "three Undone", "two Undone", "one Undone"]);
    assert!(["one", "two", "three", "four", "five"].iter().all(|deed| !scene.stands(deed)));
    assert!(scene.host.ignores_interruptions(), "what turns back is not to be stopped half way");
}

#[test]
fn undoing_stops_at_the_first_that_cannot_be_undone() {
    let scene = Scene::new();
    let plan = Plan::default()
        .step(deed("one"))
        .step(Deed { undo_fails: true, ..deed("two") })
        .step(deed("three"))
        .step(Deed { fails: true, ..deed("four") });
    let Ended::Stuck { failure, undo, remaining } = scene.pipeline().run(&plan) else { panic!() };
    assert_eq!(failure.unwrap().step, "four");
    assert_eq!((undo.step, remaining), ("two", vec!["two".to_owned(), "one".to_owned()]));
    assert!(scene.stands("one") && !scene.stands("three"));
    assert_eq!(scene.marks().last().unwrap(), "two UndoFailed");
}

#[test]
fn a_failure_after_activate_says_so() {
    let scene = Scene::new();
    let plan = Plan::default().step(deed("activate")).step(Deed { fails: true, ..deed("verify") });
    let layout = &scene.run.layout;
    scene.host.put_link(layout.current(), layout.current_target(scene.run.release()));
    assert!(matches!(scene.pipeline().run(&plan), Ended::Undone { after_activate: true, .. }));
}

#[test]
fn nobody_saw_a_release_that_could_not_be_activated() {
    let scene = Scene::new();
    scene.host.put_link(scene.run.layout.current(), "releases/20261119T101500Z-aaaaaaa");
    let plan = Plan::default().step(deed("boot")).step(Deed { fails: true, ..deed("activate") });
    assert!(matches!(scene.pipeline().run(&plan), Ended::Undone { after_activate: false, .. }));
}

#[test]
fn steps_afterwards_only_warn() {
    let scene = Scene::new();
    let plan = Plan::default()
        .step(deed("activate"))
        .afterwards(Deed { fails: true, ..deed("drain") })
        .afterwards(deed("prune"));
    assert!(matches!(scene.pipeline().run(&plan), Ended::Completed));
    assert!(scene.stands("activate") && scene.stands("prune"));
    assert_eq!(scene.recorder.warnings(), ["drain: drain was told to fail"]);
}

#[test]
fn steps_together_both_run_and_are_both_undone_when_one_fails() {
    let scene = Scene::new();
    assert!(matches!(
        scene.pipeline().run(&Plan::default().together(deed("venv"), deed("frontend"))),
        Ended::Completed
    ));
    assert!(scene.stands("venv") && scene.stands("frontend"));

    for (one, other) in [(true, false), (false, true)] {
        let scene = Scene::new();
        let plan = Plan::default()
            .step(deed("checkout"))
            .together(Deed { fails: one, ..deed("venv") }, Deed { fails: other, ..deed("frontend") });
        let Ended::Undone { failure, .. } = scene.pipeline().run(&plan) else { panic!() };
        assert_eq!(failure.step, if one { "venv" } else { "frontend" });
        let ends =
            scene.recorder.events().into_iter().filter(|event| matches!(event, Event::StepEnded { .. }));
        assert_eq!(ends.count(), 3, "the other one comes to its end");
        assert!(["checkout", "venv", "frontend"].iter().all(|deed| !scene.stands(deed)));
    }
}

#[test]
fn every_effect_comes_after_its_intent_is_on_the_disk() {
    let scene = Scene::new();
    let journal = HostJournal(&scene.host);
    let plan = three().step(Deed { fails: true, ..deed("four") });
    Pipeline { journal: &journal, ..scene.pipeline() }.run(&plan);
    let effects = scene.host.effects();
    let first = |effect: String| effects.iter().position(|done| *done == effect);
    for id in ["one", "two", "three", "four"] {
        let place = deeds::place(id).display().to_string();
        let (intent, effect) = (HostJournal::effect(id, Mark::Started), format!("write {place}.half"));
        assert!(first(intent).unwrap() < first(effect).unwrap(), "{id}");
        let (intent, effect) = (HostJournal::effect(id, Mark::UndoStarted), format!("remove {place}"));
        assert!(first(intent).unwrap() < first(effect).unwrap(), "{id}");
    }
}

#[test]
fn a_journal_that_cannot_be_written_turns_the_run_back() {
    // Two records a step: its intent, and its end.
    for n in 0..6 {
        let scene = Scene::new();
        scene.journal.fail_at(n);
        let Ended::Undone { failure, .. } = scene.pipeline().run(&three()) else { panic!("record {n}") };
        assert_eq!(failure.step, ["one", "two", "three"][n / 2]);
        assert!(["one", "two", "three"].iter().all(|deed| !scene.stands(deed)), "record {n}");
        let begun = scene.journal.marks().into_iter().filter(|(_, mark)| *mark == Mark::Started).count();
        let acted = scene
            .host
            .effects()
            .into_iter()
            .filter(|effect| effect.ends_with(".half") && effect.starts_with("write"));
        assert_eq!(acted.count(), begun, "an effect without its intent, record {n}");
    }
}

#[test]
fn a_full_disk_keeps_nobody_from_the_steps_that_make_room() {
    // The first mark is that of `activate`; from number 2 on it is those of `drain` and `prune`.
    for refused in 2..6 {
        let scene = Scene::new();
        scene.journal.fail_at(refused);
        let plan = Plan::default().step(deed("activate")).afterwards(deed("drain")).afterwards(deed("prune"));
        assert!(matches!(scene.pipeline().run(&plan), Ended::Completed));
        assert!(scene.stands("drain") && scene.stands("prune"), "mark {refused}");
        assert!(scene.recorder.warnings().is_empty());
    }
}
