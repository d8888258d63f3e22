//! Whatever kills a run, wherever: `current` leads to a generation that serves, then and after
//! the next run has gone on with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use release_core::host::Services;
use release_core::journal::{Entry, Journal};
use release_core::pipeline::{Ended, Pipeline};
use release_core::plan::Plan;
use release_core::release::Generation;
use release_core::service::{Running, programs_of};
use release_core::state::State;
use release_steps::recipe;
use release_testkit::{Killed, MemoryJournal, Scene};

use crate::stage::{current, known, new_address, old, second_deploy, serve_through_current, target};

struct Server {
    scene: Scene,
    journal: MemoryJournal,
    plan: Plan,
}

/// The old release serves; the new one is as well as `status` says, once users reach it.
fn server(status: u16) -> Server {
    let scene = second_deploy();
    scene.host.serve_in_turn(new_address(&scene), &[200]);
    serve_through_current(&scene, Some(200), Some(status));
    let layout = scene.facts.layout.clone();
    scene.host.on_start(move |host, program| {
        let (service, generation) = Generation::of_program(&program.name).unwrap();
        host.put_file(layout.socket(&generation, &service), "");
        Running::Running
    });
    let journal = MemoryJournal::new();
    let run = &scene.facts;
    let begin = Entry::Begin {
        action: run.action,
        generation: run.generation.clone(),
        revision: run.revision.clone(),
        stand_in: None,
        previous: run.previous.clone(),
        by: "ana".to_owned(),
    };
    journal.append(&run.id, begin).unwrap();
    Server { scene, journal, plan: recipe::rollback() }
}

impl Server {
    fn pipeline(&self) -> Pipeline<'_> {
        let Scene { host, facts, recorder } = &self.scene;
        Pipeline { host, run: facts, observer: recorder, journal: &self.journal }
    }

    /// Runs until it is killed; whether it was.
    fn is_killed(&self) -> bool {
        let ended = catch_unwind(AssertUnwindSafe(|| self.pipeline().run(&self.plan)));
        ended.is_err_and(|panic| panic.downcast::<Killed>().is_ok())
    }

    fn recover(&self) -> Ended {
        self.scene.host.heal();
        self.journal.heal();
        let state = State::fold(&self.journal.records());
        let interrupted = state.interrupted.expect("the run has no end");
        self.pipeline().resume(&self.plan, &interrupted, self.new_is_active())
    }

    fn new_is_active(&self) -> bool {
        current(&self.scene) == target(&self.scene.facts.layout, &self.scene.facts.generation)
    }

    fn active(&self) -> Generation {
        if self.new_is_active() { self.scene.facts.generation.clone() } else { old() }
    }

    fn serves(&self) -> bool {
        let states = self.scene.host.states().unwrap();
        programs_of(&states, &self.active()).any(|state| state.state.is_alive())
    }

    /// Nothing is left but what is active.
    fn is_clean(&self) -> bool {
        known(&self.scene) == [self.active().program("web")] && self.serves()
    }
}

/// Kills run after run, each a little later, until one comes to its end; how many it were.
fn kill_everywhere(status: u16, power_fails: bool, set: impl Fn(&Server, usize)) -> usize {
    for n in 0.. {
        let server = server(status);
        set(&server, server.scene.host.effects().len() + n);
        if !server.is_killed() {
            assert!(server.is_clean(), "without a kill: {:?}", known(&server.scene));
            assert_eq!(server.new_is_active(), status == 200);
            return n;
        }
        assert!(server.serves(), "killed at {n}: {:?}", server.scene.host.effects());
        if power_fails {
            server.scene.host.heal();
            server.scene.host.stop_manager(&|_| Ok(())).unwrap();
        }
        let ended = server.recover();
        assert!(!matches!(ended, Ended::Stuck { .. }), "killed at {n}: {ended:?}");
        assert_eq!(matches!(ended, Ended::Completed), server.new_is_active(), "killed at {n}: {ended:?}");
        assert!(status == 200 || !server.new_is_active(), "killed at {n}");
        // A server that comes up again starts its manager.
        server.scene.host.ensure_manager().unwrap();
        assert!(server.is_clean(), "killed at {n}: {:?}", known(&server.scene));
    }
    unreachable!("some run comes to its end")
}

#[test]
fn at_every_effect() {
    let kills = kill_everywhere(200, false, |server, n| server.scene.host.die_at(n));
    assert!(kills > 8, "{kills}");
}

#[test]
fn at_every_effect_of_the_way_back() {
    let kills = kill_everywhere(500, false, |server, n| server.scene.host.die_at(n));
    assert!(kills > 8, "{kills}");
}

#[test]
fn at_every_record_of_the_journal() {
    for status in [200, 500] {
        let kills = kill_everywhere(status, false, |server, n| {
            server.journal.die_after(n - server.scene.host.effects().len());
        });
        assert!(kills > 9, "{kills}");
    }
}

#[test]
fn by_a_power_failure() {
    for status in [200, 500] {
        kill_everywhere(status, true, |server, n| server.scene.host.die_at(n));
    }
}
