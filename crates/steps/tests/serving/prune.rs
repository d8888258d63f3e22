use std::path::PathBuf;

use release_core::release::{Generation, ReleaseId};
use release_core::step::{Look, Outcome};
use release_steps::prune::{Prune, waste};
use release_testkit::Scene;

fn release(day: u32) -> ReleaseId {
    format!("202611{day:02}T090000Z-aaaaaaa").parse().unwrap()
}

/// Releases of these days; the run has made the last one active, the one before is previous.
fn released(days: std::ops::RangeInclusive<u32>, keep: usize) -> Scene {
    let mut scene = Scene::new();
    let mut good: Vec<ReleaseId> = days.map(release).collect();
    for id in &good {
        scene.host.put_file(scene.facts.layout.release(id).join("manage.py"), "");
        scene.host.put_file(scene.facts.layout.release_record(id), "{}");
        scene.host.put_file(scene.facts.layout.migrations_record(id), "{}");
        scene.host.put_file(scene.facts.layout.step_log(id, "venv"), "");
        let generation = Generation { release: id.clone(), number: 2 };
        scene.host.put_file(scene.facts.layout.service_log(&generation.program("web")), "");
    }
    let active = good.pop().unwrap();
    good.reverse();
    scene.host.put_link(scene.facts.layout.current(), scene.facts.layout.current_target(&active));
    scene.facts.generation = Generation { release: active, number: 1 };
    scene.facts.previous = good.first().map(|id| Generation { release: id.clone(), number: 1 });
    scene.facts.good = good;
    scene.facts.config.keep = keep;
    scene
}

fn left(scene: &Scene) -> Vec<String> {
    let releases = scene.facts.layout.releases();
    let names = scene.host.all().into_keys().filter(|path| path.parent() == Some(&releases));
    names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn days(days: impl IntoIterator<Item = u32>) -> Vec<String> {
    days.into_iter().map(|day| release(day).to_string()).collect()
}

fn mentions(scene: &Scene, day: u32) -> Vec<PathBuf> {
    let id = release(day).to_string();
    scene.host.all().into_keys().filter(|path| path.to_string_lossy().contains(&id)).collect()
}

#[test]
fn keeps_as_many_as_it_is_told_and_nothing_of_the_others() {
    let scene = released(1..=6, 3);
    let names = format!("{}, {}, {}", release(1), release(2), release(3));
    assert_eq!(scene.look(&Prune).unwrap(), Look::Needed(format!("remove {names}")));
    assert_eq!(scene.run(&Prune).unwrap(), Outcome::DoneWith(format!("removed {names}")));
    assert_eq!(left(&scene), days(4..=6));
    assert_eq!(mentions(&scene, 1), [""; 0].map(PathBuf::from));
    assert_eq!(mentions(&scene, 4).len(), 7);

    let before = scene.host.all();
    assert_eq!(scene.run(&Prune).unwrap(), Outcome::Skipped("there is no old release".to_owned()));
    assert_eq!(scene.host.all(), before);
}

#[test]
fn a_single_release_stays() {
    let scene = released(1..=1, 2);
    assert_eq!(scene.look(&Prune).unwrap(), Look::Nothing("there is no old release".to_owned()));
    assert_eq!(scene.run(&Prune).unwrap(), Outcome::Skipped("there is no old release".to_owned()));
    assert_eq!(left(&scene), days(1..=1));
}

#[test]
fn the_previous_release_stays_however_old_it_is() {
    let mut scene = released(1..=6, 2);
    scene.facts.previous = Some(Generation { release: release(1), number: 1 });
    scene.run(&Prune).unwrap();
    assert_eq!(left(&scene), days([1, 5, 6]));
}

#[test]
fn what_current_points_at_stays_whatever_the_run_thinks() {
    let scene = released(1..=6, 2);
    scene.host.put_link(scene.facts.layout.current(), scene.facts.layout.current_target(&release(2)));
    scene.run(&Prune).unwrap();
    assert_eq!(left(&scene), days([2, 5, 6]));
}

#[test]
fn a_release_that_was_never_good_goes() {
    let mut scene = released(1..=4, 3);
    scene.facts.good.retain(|id| *id != release(2));
    scene.run(&Prune).unwrap();
    assert_eq!(left(&scene), days([1, 3, 4]));
}

#[test]
fn a_release_that_is_in_use_stays_and_is_named() {
    let scene = released(1..=4, 2);
    scene.host.set_using(scene.facts.layout.release(&release(1)), vec![17, 18]);
    let note = format!("removed {}; kept {}: processes 17, 18 use it", release(2), release(1));
    assert_eq!(scene.run(&Prune).unwrap(), Outcome::DoneWith(note));
    assert_eq!(left(&scene), days([1, 3, 4]));
}

#[test]
fn names_that_are_no_releases_are_left_alone_with_a_word() {
    let scene = released(1..=1, 2);
    scene.host.put_dir("/srv/shop/releases/20251001080000");
    scene.run(&Prune).unwrap();
    assert!(scene.host.exists("/srv/shop/releases/20251001080000"));
    let warning = "/srv/shop/releases/20251001080000 is no release, and is left alone";
    assert_eq!(scene.recorder.warnings(), [warning]);
}

#[test]
fn a_removal_that_fails_is_a_warning_and_is_made_up_for_later() {
    let scene = released(1..=4, 2);
    scene.host.fail_at("remove", "trash/20261101");
    let note = format!("removed {}", release(2));
    assert_eq!(scene.run(&Prune).unwrap(), Outcome::DoneWith(note));
    assert_eq!(scene.recorder.warnings().len(), 1);
    assert_eq!(left(&scene), days([3, 4]));
    let trash = scene.facts.layout.trash().join(release(1).as_str());
    assert!(scene.host.exists(&trash));

    scene.host.heal();
    scene.run(&Prune).unwrap();
    assert!(!scene.host.exists(&trash));
    assert_eq!(mentions(&scene, 1), [""; 0].map(PathBuf::from));
}

#[test]
fn what_only_removed_releases_used_leaves_the_cache() {
    let scene = released(1..=3, 2);
    for day in 1..=3 {
        let entry = scene.facts.layout.cached("venv", &format!("key{day}"));
        scene.host.put_file(entry.join(".complete"), "");
        let registration = scene.facts.layout.cache_registration();
        scene.host.put_file(registration.join("root"), "/srv/shop");
        scene.host.put_file(registration.join(format!("{}/venv/key{day}", release(day))), "");
    }
    let note = format!("removed {}", release(1));
    assert_eq!(scene.run(&Prune).unwrap(), Outcome::DoneWith(note));
    let kept = [1, 2, 3].map(|day| scene.host.exists(format!("/srv/shop/cache/venv/key{day}")));
    assert_eq!(kept, [false, true, true]);
}

#[test]
fn logs_of_failed_deploys_go_with_the_releases_from_before_them() {
    let scene = released(3..=6, 3);
    scene.host.put_file(scene.facts.layout.step_log(&release(2), "venv"), "");
    scene
        .host
        .put_file(scene.facts.layout.step_log(&"20261105T100000Z-bbbbbbb".parse().unwrap(), "venv"), "");
    scene.run(&Prune).unwrap();
    assert_eq!([mentions(&scene, 1), mentions(&scene, 2)], [const { Vec::<PathBuf>::new() }; 2]);
    assert!(scene.host.exists("/srv/shop/.release/log/20261105T100000Z-bbbbbbb/venv.log"));
}

#[test]
fn the_newest_that_goes_is_where_the_next_checkout_begins() {
    let scene = released(1..=4, 2);
    for day in 1..=2 {
        scene.host.put_file(scene.facts.layout.checked_out(&release(day)).record, "");
    }
    let spare = scene.facts.layout.spare();
    scene.host.put_file(spare.tree.join("of-an-earlier-one.py"), "");
    scene.run(&Prune).unwrap();
    assert_eq!(left(&scene), days(3..=4));
    assert!(scene.host.exists(spare.tree.join("manage.py")) && scene.host.exists(&spare.record));
    assert!(!scene.host.exists(spare.tree.join("of-an-earlier-one.py")));
    assert_eq!(mentions(&scene, 1), [""; 0].map(PathBuf::from));
    assert_eq!(mentions(&scene, 2), [""; 0].map(PathBuf::from));
}

#[test]
fn a_pinned_release_stays_until_its_pin_is_taken_away() {
    let scene = released(1..=4, 2);
    let pin = scene.facts.layout.pins().join(release(1).as_str());
    scene.host.put_file(&pin, "");
    scene.run(&Prune).unwrap();
    assert_eq!(left(&scene), days([1, 3, 4]));
    release_core::host::Files::remove(&scene.host, &pin).unwrap();
    scene.run(&Prune).unwrap();
    assert_eq!(left(&scene), days(3..=4));
}

#[test]
fn what_would_go_is_what_goes() {
    let scene = released(1..=4, 2);
    let layout = &scene.facts.layout;
    scene.host.put_file(layout.release(&release(1)).join("big"), "12345");
    scene.host.put_file(layout.checked_out(&release(2)).record, "");
    scene.host.put_file(layout.spare().tree.join("old"), "123");
    scene.host.put_file(layout.cached("venv", "unused").join("lib"), "1234567");
    scene.host.put_file(layout.trash().join("left/over"), "12");
    scene.host.put_file(layout.repo().join("objects/pack/tmp_pack_1"), "1");
    scene.host.put_file(layout.repo().join("objects/pack/pack-1.pack"), "1");
    let before = scene.host.all();
    let found = waste(&scene.context("prune")).unwrap();
    assert_eq!(scene.host.all(), before);
    let told: Vec<_> = found.wasted.iter().map(|one| (one.kind, one.bytes)).collect();
    assert_eq!(told, [("release", 5), ("release", 3), ("venv", 7), ("mirror", 1), ("trash", 2)]);
    scene.run(&Prune).unwrap();
    assert!(found.wasted.iter().all(|one| !scene.host.exists(&one.path)));
    assert!(scene.host.exists(layout.repo().join("objects/pack/pack-1.pack")));
    assert_eq!(waste(&scene.context("prune")).unwrap().wasted, []);
}
