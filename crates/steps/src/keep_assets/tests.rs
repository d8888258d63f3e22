use release_core::config::Serving;
use release_core::release::Generation;
use release_testkit::Scene;

use super::*;

const DAYS: [&str; 4] = [
    "20261117T101500Z-aaaaaaa",
    "20261118T101500Z-bbbbbbb",
    "20261119T101500Z-ccccccc",
    "20261120T101500Z-ddddddd",
];

/// The release of one day after the other, each with a script of its own and one that changes.
fn deploy(scene: &mut Scene, number: usize) -> Outcome {
    let id: ReleaseId = DAYS[number].parse().unwrap();
    scene.facts.generation.release = id.clone();
    let top = format!("/srv/shop/releases/{id}/static_root");
    scene.host.put_file(format!("{top}/app.0000000{number}abcd.js"), &format!("script {number}"));
    scene.host.put_file(format!("{top}/app.js"), &format!("script {number}"));
    scene.host.put_file(format!("{top}/staticfiles.json"), &format!("manifest {number}"));
    scene.host.put_file(format!("{top}/removed-{number}.js"), "");
    let outcome = scene.run(&KeepAssets).unwrap();
    scene.facts.previous = Some(Generation { release: id.clone(), number: 1 });
    scene.facts.served.insert(0, id);
    outcome
}

fn files(scene: &Scene, number: usize) -> Vec<String> {
    let top = format!("/srv/shop/releases/{}/static_root/", DAYS[number]);
    let all = scene.host.all().into_keys();
    all.filter_map(|path| path.to_str()?.strip_prefix(&top).filter(|name| is_hashed(name)).map(str::to_owned))
        .collect()
}

fn scripts(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("app.0000000{number}abcd.js")).collect()
}

#[test]
fn an_app_that_moves_in_its_repository_keeps_what_it_had() {
    let mut scene = Scene::new();
    deploy(&mut scene, 0);
    scene.facts.config.directory = "services/shop".to_owned();
    let id: ReleaseId = DAYS[1].parse().unwrap();
    scene.facts.generation.release = id.clone();
    let top = format!("/srv/shop/releases/{id}/services/shop/static_root");
    scene.host.put_file(format!("{top}/app.00000001abcd.js"), "script 1");
    assert_eq!(scene.run(&KeepAssets).unwrap(), Outcome::DoneWith("1 file".to_owned()));
    assert_eq!(scene.host.text(format!("{top}/app.00000000abcd.js")).as_deref(), Some("script 0"));
}

#[test]
fn those_of_the_last_releases_are_added_and_the_older_ones_expire() {
    let mut scene = Scene::new();
    scene.facts.config.keep_assets.releases = 2;
    assert!(matches!(deploy(&mut scene, 0), Outcome::Skipped(_)));
    assert_eq!(deploy(&mut scene, 1), Outcome::DoneWith("1 file".to_owned()));
    assert_eq!(deploy(&mut scene, 2), Outcome::DoneWith("2 files".to_owned()));
    assert_eq!(deploy(&mut scene, 3), Outcome::DoneWith("2 files".to_owned()));
    let all = [0, 1, 2, 3].map(|number| files(&scene, number));
    assert_eq!(all, [scripts([0]), scripts(0..=1), scripts(0..=2), scripts(1..=3)]);
    let last = format!("/srv/shop/releases/{}/static_root", DAYS[3]);
    assert_eq!(scene.host.text(format!("{last}/app.00000001abcd.js")).unwrap(), "script 1");
    assert_eq!(scene.host.text(format!("{last}/staticfiles.json")).unwrap(), "manifest 3");
    assert!(!scene.host.exists(format!("{last}/removed-2.js")), "what has no digest is not kept");
}

#[test]
fn what_a_removed_release_brought_is_taken_from_one_that_kept_it() {
    let mut scene = Scene::new();
    for number in 0..=1 {
        deploy(&mut scene, number);
    }
    release_core::host::Files::remove(&scene.host, Path::new("/srv/shop/releases").join(DAYS[0]).as_ref())
        .unwrap();
    deploy(&mut scene, 2);
    assert_eq!(files(&scene, 2), scripts(0..=2));
}

#[test]
fn a_rollback_keeps_those_of_the_release_that_it_leaves() {
    let mut scene = Scene::new();
    for number in 0..=1 {
        deploy(&mut scene, number);
    }
    scene.facts.generation.release = DAYS[0].parse().unwrap();
    scene.run(&KeepAssets).unwrap();
    assert_eq!(files(&scene, 0), scripts(0..=1));
    let before = scene.host.all();
    scene.run(&KeepAssets).unwrap();
    scene.undo(&KeepAssets).unwrap();
    assert_eq!(scene.host.all(), before, "twice is once, and undo does nothing");
}

#[test]
fn it_can_be_switched_off_and_needs_static_files() {
    let mut scene = Scene::new();
    let skipped = |scene: &Scene| matches!(scene.run(&KeepAssets).unwrap(), Outcome::Skipped(_));
    assert!(skipped(&scene), "nothing was collected");
    scene.facts.config.static_files = Serving::Never;
    assert!(skipped(&scene) && matches!(scene.look(&KeepAssets).unwrap(), Look::Nothing(_)));
    scene.facts.config.static_files = Serving::Usual;
    scene.facts.config.keep_assets.releases = 0;
    deploy(&mut scene, 0);
    deploy(&mut scene, 1);
    assert_eq!(files(&scene, 1), scripts([1]));
}
