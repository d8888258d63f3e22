use release_testkit::{Answer, Scene};

use super::*;
use crate::django::testing::{Known, project};

const RECORD: &str = "/srv/shop/.release/releases/20261120T101500Z-3f2c1a9.migrations.json";

const KNOWN: Known = &[
    ("catalog", "0001_initial", true),
    ("orders", "0001_initial", true),
    ("catalog", "0002_price", true),
    ("orders", "0002_total", true),
    ("orders", "0003_index", true),
];

fn migrations(scene: &Scene) -> Vec<String> {
    let commands = scene.host.commands_with("manage.py migrate");
    commands.iter().map(|command| command.args[1..].join(" ")).collect()
}

#[test]
fn pending_migrations_are_applied_after_it_is_written_what_stood() {
    let (scene, database) = project(KNOWN, None);
    database.apply("catalog", "0001_initial");
    let note = "applied orders.0001_initial, catalog.0002_price, orders.0002_total, orders.0003_index";
    assert_eq!(scene.run(&Migrate::default()).unwrap(), Outcome::DoneWith(note.to_owned()));
    assert_eq!(database.applied().len(), 5);
    let effects = scene.host.effects();
    let at = |part: &str| effects.iter().position(|effect| effect.contains(part)).unwrap();
    assert!(at(".migrations.json") < at("manage.py migrate --noinput"));
}

#[test]
fn a_second_run_is_skipped() {
    let (scene, _) = project(KNOWN, None);
    scene.run(&Migrate::default()).unwrap();
    let before = scene.host.all();
    assert_eq!(
        scene.run(&Migrate::default()).unwrap(),
        Outcome::Skipped("no migrations are pending".to_owned())
    );
    assert_eq!(scene.host.all(), before);
}

#[test]
fn undo_reverses_per_app_in_reverse_order_and_only_what_the_run_applied() {
    let (scene, database) = project(KNOWN, None);
    database.apply("catalog", "0001_initial");
    scene.run(&Migrate::default()).unwrap();
    scene.undo(&Migrate::default()).unwrap();
    assert_eq!(database.applied(), ["catalog.0001_initial"]);
    assert_eq!(
        migrations(&scene)[1..],
        ["migrate orders zero --noinput", "migrate catalog 0001_initial --noinput"]
    );
    assert!(!scene.host.exists(RECORD));
    assert!(scene.recorder.warnings().is_empty());
    scene.undo(&Migrate::default()).unwrap();
    assert_eq!(migrations(&scene).len(), 3, "a second undo does nothing");
}

#[test]
fn a_migration_that_fails_half_way_is_taken_back_as_far_as_it_came() {
    let (scene, database) = project(KNOWN, Some("0002_total"));
    database.apply("catalog", "0001_initial");
    let error = scene.run(&Migrate::default()).unwrap_err();
    assert_eq!(error.output(), ["django.db.utils.IntegrityError: no"]);
    scene.undo(&Migrate::default()).unwrap();
    assert_eq!(database.applied(), ["catalog.0001_initial"]);
}

#[test]
fn what_cannot_be_reversed_stands_and_is_named() {
    const KNOWN: Known = &[
        ("catalog", "0001_initial", true),
        ("orders", "0001_initial", true),
        ("orders", "0002_data", false),
        ("orders", "0003_index", true),
        ("catalog", "0002_price", true),
    ];
    let (scene, database) = project(KNOWN, None);
    scene.run(&Migrate::default()).unwrap();
    scene.undo(&Migrate::default()).unwrap();
    assert_eq!(database.applied(), ["catalog.0001_initial", "orders.0001_initial", "orders.0002_data"]);
    let standing = "catalog.0001_initial, orders.0001_initial, orders.0002_data";
    assert_eq!(
        scene.recorder.warnings(),
        [format!("{standing} stand in the database: orders.0002_data cannot be reversed")]
    );
}

#[test]
fn undo_goes_on_when_the_database_does_not_answer_or_refuses() {
    let (scene, database) = project(KNOWN, None);
    scene.run(&Migrate::default()).unwrap();
    scene.host.on("manage.py migrate orders zero", Answer::code(1).says("no"));
    scene.undo(&Migrate::default()).unwrap();
    let warning = scene.recorder.warnings().remove(0);
    assert!(warning.starts_with("cannot take orders back to zero: "), "{warning}");
    assert_eq!(database.applied(), ["orders.0001_initial", "orders.0002_total", "orders.0003_index"]);
    let before = scene.host.commands_with("migrate orders zero").len();
    scene.undo(&Migrate::default()).unwrap();
    assert_eq!(scene.host.commands_with("migrate orders zero").len(), before + 1, "it is tried again");

    let (scene, _) = project(KNOWN, None);
    scene.run(&Migrate::default()).unwrap();
    scene.host.on("python -c ", Answer::code(1).says("OperationalError"));
    scene.undo(&Migrate::default()).unwrap();
    assert!(scene.recorder.warnings()[0].starts_with("cannot tell which of catalog.0001_initial"));
    assert!(scene.host.exists(RECORD), "the next undo may know more");
}

#[test]
fn a_run_that_was_killed_half_way_is_undone_to_where_it_began() {
    let (scene, database) = project(KNOWN, None);
    scene.run(&Migrate::default()).unwrap();
    let written = scene.host.text(RECORD);
    // As if it had been killed after the first two, and run again.
    database.forget("0002_price");
    database.forget("0002_total");
    database.forget("0003_index");
    scene.run(&Migrate::default()).unwrap();
    assert_eq!(scene.host.text(RECORD), written);
    scene.undo(&Migrate::default()).unwrap();
    assert!(database.applied().is_empty());
}

#[test]
fn without_pending_migrations_there_is_nothing_to_undo() {
    let (scene, database) = project(&[("orders", "0001_initial", true)], None);
    database.apply("orders", "0001_initial");
    assert!(matches!(scene.run(&Migrate::default()).unwrap(), Outcome::Skipped(_)));
    scene.undo(&Migrate::default()).unwrap();
    assert!(migrations(&scene).is_empty() && !scene.host.exists(RECORD));
}

#[test]
fn it_can_be_switched_off() {
    let (mut scene, _) = project(KNOWN, None);
    scene.facts.config.django.as_mut().unwrap().migrate = false;
    assert_eq!(scene.run(&Migrate::default()).unwrap(), Outcome::Skipped(SWITCHED_OFF.to_owned()));
    assert_eq!(scene.look(&Migrate::default()).unwrap(), Look::Nothing(SWITCHED_OFF.to_owned()));
    scene.facts.config.django = None;
    assert_eq!(scene.run(&Migrate::default()).unwrap(), Outcome::Skipped(NO_DJANGO.to_owned()));
    assert!(scene.host.commands().is_empty());
}
