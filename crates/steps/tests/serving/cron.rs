//! The entries of cron, in a fake crontab.

use release_core::config::{Config, CronBy, Manager, Scope};
use release_core::cron::{Entry, Schedule};
use release_core::host::{Crontab, Timers};
use release_core::step::{Look, Outcome, Step};
use release_steps::cron::{AddEntries, KeepEntries, remove_entries};
use release_steps::preflight;
use release_testkit::{Scene, a_config};

const MINE: &str = "17 3 * * * mine\n";

fn entry(name: &str, at: &str) -> Entry {
    let at = Schedule::parse(at).unwrap();
    Entry { name: name.to_owned(), at, run: "true".to_owned(), env: Default::default(), user: None }
}

fn config(entries: &[Entry]) -> Config {
    Config { cron: entries.to_vec(), ..a_config() }
}

/// A server where the entry `old` is installed, and a run to a release that has `new`.
fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.host.set_crontab(MINE);
    scene.facts.config = config(&[entry("old", "@daily")]);
    scene.run(&KeepEntries).unwrap();
    scene.facts.config = config(&[entry("new", "0 5 * * *")]);
    scene
}

fn crontab(scene: &Scene) -> String {
    String::from_utf8(scene.host.crontab().unwrap()).unwrap()
}

/// The names that the crontab has, in order.
fn names(scene: &Scene) -> Vec<String> {
    let crontab = crontab(scene);
    let names = crontab.lines().filter_map(|line| line.split_once(" cron run ")?.1.split(' ').next());
    names.map(str::to_owned).collect()
}

/// Where something was that `release stop` removes.
fn removed(scene: &Scene) -> String {
    remove_entries(&scene.host, &scene.facts.layout, &scene.facts.config).unwrap().places()
}

#[test]
fn lines_are_added_first_and_old_ones_go_afterwards() {
    let scene = scene();
    assert_eq!(scene.look(&AddEntries).unwrap(), Look::Needed("add new to the crontab".to_owned()));
    assert_eq!(scene.run(&AddEntries).unwrap(), Outcome::DoneWith("added new".to_owned()));
    assert_eq!(names(&scene), ["old", "new"]);
    let old = "take the old lines of old out of the crontab";
    assert_eq!(scene.look(&KeepEntries).unwrap(), Look::Needed(old.to_owned()));
    assert_eq!(scene.run(&KeepEntries).unwrap(), Outcome::Done);
    assert_eq!(names(&scene), ["new"]);
    assert!(crontab(&scene).starts_with(MINE));
}

#[test]
fn a_second_run_writes_nothing() {
    let scene = scene();
    for step in [&AddEntries as &dyn Step, &KeepEntries] {
        scene.run(step).unwrap();
        let before = (crontab(&scene), scene.host.effects());
        assert!(matches!(scene.run(step).unwrap(), Outcome::Skipped(_)), "{}", step.id());
        assert!(matches!(scene.look(step).unwrap(), Look::Nothing(_)), "{}", step.id());
        assert_eq!((crontab(&scene), scene.host.effects()), before);
    }
}

#[test]
fn undo_puts_back_what_was_there_and_only_what_this_run_changed() {
    let mut scene = scene();
    let before = crontab(&scene);
    scene.undo(&AddEntries).unwrap();
    assert_eq!(crontab(&scene), before, "it has not begun");
    for _ in 0..2 {
        scene.run(&AddEntries).unwrap();
        scene.undo(&AddEntries).unwrap();
        scene.undo(&AddEntries).unwrap();
        assert_eq!(crontab(&scene), before);
    }
    scene.run(&AddEntries).unwrap();
    let after = crontab(&scene);
    scene.facts.id.0.push('x');
    scene.undo(&AddEntries).unwrap();
    assert_eq!(crontab(&scene), after, "another run added it");
}

#[test]
fn a_stopped_app_has_no_lines_and_a_deploy_that_fails_brings_none_back() {
    let scene = scene();
    assert_eq!(removed(&scene), "the crontab");
    assert_eq!(removed(&scene), "");
    assert_eq!(crontab(&scene), MINE);
    scene.run(&AddEntries).unwrap();
    scene.undo(&AddEntries).unwrap();
    assert_eq!(crontab(&scene), MINE);
}

#[test]
fn an_app_without_entries_needs_no_crontab() {
    let scene = Scene::new();
    scene.host.forbid_crontab();
    for step in [&AddEntries as &dyn Step, &KeepEntries] {
        assert!(matches!(scene.look(step).unwrap(), Look::Nothing(_)));
        assert!(matches!(scene.run(step).unwrap(), Outcome::Skipped(_)));
        scene.undo(step).unwrap();
    }
    assert_eq!(removed(&scene), "");
    assert!(scene.host.effects().is_empty(), "{:?}", scene.host.effects());
}

#[test]
fn who_may_have_no_crontab_is_told_before_anything_happens() {
    let scene = Scene::new();
    scene.host.forbid_crontab();
    let problems = |config: &Config| preflight::problems(&scene.host, &scene.facts.layout, config);
    let found = problems(&config(&[entry("new", "@daily")]));
    assert!(found.iter().any(|problem| problem.what.contains("not allowed")), "{found:?}");
    assert!(!problems(&config(&[])).iter().any(|problem| problem.what.contains("crontab")));
    let piped = Entry { run: "dump | gzip".to_owned(), ..entry("dump", "@daily") };
    let found = problems(&config(&[piped]));
    let what = "cron entry dump: its command uses `|`, and no shell runs it";
    assert!(found.iter().any(|problem| problem.what == what), "{found:?}");
    // A client of a database may name its port.
    let port = Entry { run: "pg_dump --port 5432".to_owned(), ..entry("dump", "@daily") };
    assert!(!problems(&config(&[port])).iter().any(|problem| problem.what.contains("port")));
}

#[test]
fn a_daemon_that_does_not_run_is_told_where_there_are_entries() {
    let scene = scene();
    let found = || preflight::cron_problems(&scene.host, &scene.facts.config);
    scene.host.set_cron_runs(Some(false));
    assert!(found()[0].help.as_ref().unwrap().contains("sudo service cron start"), "{:?}", found());
    assert_eq!(preflight::cron_problems(&scene.host, &config(&[])), []);
    for runs in [Some(true), None] {
        scene.host.set_cron_runs(runs);
        assert_eq!(found(), []);
    }
}

/// The timers, in order.
fn timers(scene: &Scene) -> Vec<String> {
    let timers = scene.host.timers().unwrap();
    timers.iter().map(|timer| format!("{} at {}", timer.entry, timer.at)).collect()
}

/// The same server, whose user has no crontab but a systemd of their own.
fn timed_scene() -> Scene {
    let mut scene = Scene::new();
    scene.host.forbid_crontab();
    let by_timers = |entries: &[Entry]| Config { cron_by: Some(CronBy::Timers), ..config(entries) };
    scene.facts.config = by_timers(&[entry("old", "@daily"), entry("both", "@daily")]);
    scene.run(&KeepEntries).unwrap();
    scene.facts.config = by_timers(&[entry("new", "0 5 * * *"), entry("both", "@weekly")]);
    scene
}

#[test]
fn timers_come_and_go_as_lines_do() {
    let scene = timed_scene();
    let before = ["both at @daily", "old at @daily"];
    assert_eq!(timers(&scene), before);
    let add = "add both, new to the timers of systemd";
    assert_eq!(scene.look(&AddEntries).unwrap(), Look::Needed(add.to_owned()));
    assert_eq!(scene.run(&AddEntries).unwrap(), Outcome::DoneWith("added both, new".to_owned()));
    assert_eq!(timers(&scene).len(), 4);
    scene.undo(&AddEntries).unwrap();
    assert_eq!(timers(&scene), before);
    scene.run(&AddEntries).unwrap();
    let old = "take the old lines of both, old out of the timers of systemd";
    assert_eq!(scene.look(&KeepEntries).unwrap(), Look::Needed(old.to_owned()));
    assert_eq!(scene.run(&KeepEntries).unwrap(), Outcome::Done);
    assert_eq!(timers(&scene), ["both at @weekly", "new at 0 5 * * *"]);
    for step in [&AddEntries as &dyn Step, &KeepEntries] {
        assert_eq!(scene.run(step).unwrap(), Outcome::Skipped("systemd has timers of them".to_owned()));
    }
    assert_eq!(removed(&scene), "the timers of systemd");
    assert!(timers(&scene).is_empty() && removed(&scene).is_empty());
}

#[test]
fn a_change_between_crontab_and_timers_is_a_handover_too() {
    let mut scene = scene();
    scene.run(&AddEntries).unwrap();
    scene.run(&KeepEntries).unwrap();
    let lines = crontab(&scene);
    scene.facts.config.manager = Manager::Systemd(Scope::Auto);
    scene.run(&AddEntries).unwrap();
    assert_eq!((crontab(&scene), timers(&scene).len()), (lines.clone(), 1));
    scene.undo(&AddEntries).unwrap();
    assert_eq!((crontab(&scene), timers(&scene).len()), (lines.clone(), 0));
    scene.run(&AddEntries).unwrap();
    scene.run(&KeepEntries).unwrap();
    assert_eq!((crontab(&scene).as_str(), timers(&scene).len()), (MINE, 1));
    scene.facts.config.cron_by = Some(CronBy::Crontab);
    scene.run(&AddEntries).unwrap();
    scene.run(&KeepEntries).unwrap();
    assert_eq!((crontab(&scene), timers(&scene).len()), (lines, 0));
}

#[test]
fn timers_need_a_systemd_and_no_cron() {
    let scene = timed_scene();
    let found = || preflight::problems(&scene.host, &scene.facts.layout, &scene.facts.config);
    assert!(!found().iter().any(|problem| problem.what.contains("crontab")), "{:?}", found());
    scene.host.set_cron_runs(Some(false));
    assert_eq!(preflight::cron_problems(&scene.host, &scene.facts.config), []);
    scene.host.fail_at("check_manager", "systemd");
    assert!(found().iter().any(|problem| problem.what.contains("systemd")), "{:?}", found());
}
