use release_testkit::{Node, Scene};

use super::*;

const RELEASE: &str = "/srv/shop/releases/20261120T101500Z-3f2c1a9";

fn scene(dirs: &[&str], files: &[&str]) -> Scene {
    let mut scene = Scene::new();
    scene.host.put_dir(RELEASE);
    scene.facts.config.linked_dirs = dirs.iter().map(|name| (*name).to_owned()).collect();
    scene.facts.config.linked_files = files.iter().map(|name| (*name).to_owned()).collect();
    scene
}

fn link_at(scene: &Scene, name: &str) -> String {
    match scene.host.node(format!("{RELEASE}/{name}")) {
        Some(Node::Link(target)) => target.display().to_string(),
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn links_are_relative_and_lead_to_shared() {
    let scene = scene(&["media", "var/log"], &["config/.env"]);
    scene.host.put_file("/srv/shop/shared/config/.env", "A=1");
    assert_eq!(scene.run(&LinkShared).unwrap(), Outcome::Done);
    assert_eq!(link_at(&scene, "media"), "../../shared/media");
    assert_eq!(link_at(&scene, "var/log"), "../../../shared/var/log");
    assert_eq!(scene.host.text(format!("{RELEASE}/config/.env")).as_deref(), Some("A=1"));
    assert_eq!(scene.host.node("/srv/shop/shared/var/log"), Some(Node::Directory));
}

#[test]
fn links_lie_where_the_app_is() {
    let mut scene = scene(&["media"], &["config/.env"]);
    scene.facts.config.directory = "services/shop".to_owned();
    scene.host.put_file("/srv/shop/shared/config/.env", "A=1");
    scene.host.put_file(format!("{RELEASE}/services/shop/media/logo.svg"), "tracked");
    scene.run(&LinkShared).unwrap();
    assert_eq!(link_at(&scene, "services/shop/media"), "../../../../shared/media");
    assert_eq!(link_at(&scene, "services/shop/config/.env"), "../../../../../shared/config/.env");
    assert_eq!(scene.host.text("/srv/shop/shared/media/logo.svg").as_deref(), Some("tracked"));
}

#[test]
fn a_second_run_changes_nothing_and_undo_keeps_what_is_shared() {
    let scene = scene(&["media"], &[]);
    scene.host.put_file(format!("{RELEASE}/media/logo.svg"), "tracked");
    scene.run(&LinkShared).unwrap();
    let before = scene.host.all();
    assert_eq!(scene.run(&LinkShared).unwrap(), Outcome::Done);
    scene.undo(&LinkShared).unwrap();
    assert_eq!(scene.host.all(), before);
}

#[test]
fn tracked_content_is_the_first_content_of_a_new_shared_directory() {
    for empty_one_exists in [false, true] {
        let scene = scene(&["media"], &[]);
        scene.host.put_file(format!("{RELEASE}/media/logo.svg"), "tracked");
        if empty_one_exists {
            scene.host.put_dir("/srv/shop/shared/media");
        }
        let note = "copied the repository's media to shared/media, which was new";
        assert_eq!(scene.run(&LinkShared).unwrap(), Outcome::DoneWith(note.to_owned()));
        assert_eq!(scene.host.text("/srv/shop/shared/media/logo.svg").as_deref(), Some("tracked"));
        assert_eq!(link_at(&scene, "media"), "../../shared/media");
    }
}

#[test]
fn a_copy_that_failed_half_way_is_made_again() {
    let scene = scene(&["media"], &[]);
    scene.host.put_file(format!("{RELEASE}/media/logo.svg"), "tracked");
    scene.host.fail_at("rename", ".media.new");
    assert!(scene.run(&LinkShared).is_err());
    scene.host.heal();
    assert!(matches!(scene.run(&LinkShared).unwrap(), Outcome::DoneWith(_)));
    assert!(!scene.host.exists("/srv/shop/shared/.media.new"));
}

#[test]
fn what_is_shared_already_wins_over_what_is_tracked() {
    let scene = scene(&["media"], &["db.sqlite3"]);
    scene.host.put_file("/srv/shop/shared/media/upload.png", "a user's");
    scene.host.put_file("/srv/shop/shared/db.sqlite3", "live");
    scene.host.put_file(format!("{RELEASE}/media/logo.svg"), "tracked");
    scene.host.put_file(format!("{RELEASE}/db.sqlite3"), "tracked");
    assert_eq!(scene.run(&LinkShared).unwrap(), Outcome::Done);
    assert_eq!(scene.host.text(format!("{RELEASE}/db.sqlite3")).as_deref(), Some("live"));
    assert!(!scene.host.exists("/srv/shop/shared/media/logo.svg"));
}

#[test]
fn a_shared_directory_may_lead_to_another_disk() {
    let scene = scene(&["media"], &[]);
    scene.host.put_file("/mnt/big/upload.png", "");
    scene.host.put_link("/srv/shop/shared/media", "/mnt/big");
    assert_eq!(scene.run(&LinkShared).unwrap(), Outcome::Done);
    assert!(scene.host.text(format!("{RELEASE}/media/upload.png")).is_some());
}

#[test]
fn a_shared_directory_that_is_none_is_refused() {
    let scene = scene(&["media"], &[]);
    scene.host.put_link("/srv/shop/shared/media", "/mnt/gone");
    let error = scene.run(&LinkShared).unwrap_err();
    assert_eq!(error.to_string(), "linked directory media leads to no directory");
}

#[test]
fn links_that_escape_are_refused() {
    let scene = scene(&["assets/media"], &[]);
    scene.host.put_dir("/etc");
    scene.host.put_link(format!("{RELEASE}/assets"), "/etc");
    let error = scene.run(&LinkShared).unwrap_err();
    assert!(error.to_string().contains("escapes the release"), "{error}");
    assert!(!scene.host.exists("/etc/media"));
}

#[test]
fn a_link_within_the_release_is_followed() {
    let scene = scene(&["assets/media"], &[]);
    scene.host.put_dir(format!("{RELEASE}/web/assets"));
    scene.host.put_link(format!("{RELEASE}/assets"), "web/assets");
    scene.run(&LinkShared).unwrap();
    assert_eq!(link_at(&scene, "web/assets/media"), "../../../../shared/assets/media");
}

#[test]
fn missing_files_are_named_with_what_to_type() {
    let scene = scene(&[], &[".env"]);
    let before = scene.host.all();
    let error = scene.run(&LinkShared).unwrap_err();
    assert_eq!(error.to_string(), "linked file .env is missing");
    assert!(error.help().unwrap().contains("install -D -m 600 /dev/null /srv/shop/shared/.env"));
    assert!(scene.look(&LinkShared).is_err());
    assert_eq!(scene.host.all(), before);
}

#[test]
fn nothing_shared_is_nothing_to_do() {
    let scene = scene(&[], &[]);
    assert_eq!(scene.run(&LinkShared).unwrap(), Outcome::Skipped(NOTHING.to_owned()));
    assert_eq!(scene.look(&LinkShared).unwrap(), Look::Nothing(NOTHING.to_owned()));
}
