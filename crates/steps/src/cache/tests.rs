use release_core::host::{HostError, HostResult};
use release_core::layout::Layout;
use release_core::release::ReleaseId;
use release_core::run::RunId;
use release_testkit::Scene;

use super::*;

const OWN: &str = "/srv/shop/releases/20261119T101500Z-aaaaaaa";
const OTHER: &str = "/srv/blog/releases/20261118T101500Z-bbbbbbb";

fn build() -> Build {
    Build { kind: "venv", of: String::new(), key: CacheKey::new("venv", 1).with("lock", "1") }
}

/// A root that shares its cache with `/srv/blog`.
fn shared() -> Scene {
    let mut scene = Scene::new();
    scene.facts.layout = Layout::new("/srv/shop").caching_in("/srv/cache");
    scene.host.put_dir(OWN);
    scene.host.put_dir(OTHER);
    scene
}

/// Says in the cache what a release uses.
fn mark(scene: &Scene, release: &str, entry: &str) {
    let (root, release) = release.split_once("/releases/").unwrap();
    let registration = Layout::new(root).caching_in("/srv/cache").cache_registration();
    scene.host.put_file(registration.join("root"), root);
    scene.host.put_file(registration.join(release).join(entry), "");
}

fn put(scene: &Scene, entry: &str) {
    scene.host.put_file(format!("/srv/cache/{entry}/.complete"), "");
}

/// Whether a release of the scene's root says that it uses the entry.
pub(crate) fn is_used(scene: &Scene, entry: &Path, release: &str) -> bool {
    let below = entry.strip_prefix(scene.facts.layout.cache()).unwrap();
    scene.host.exists(scene.facts.layout.cache_registration().join(release).join(below))
}

fn entries_left(scene: &Scene) -> Vec<String> {
    let cx = scene.context("prune");
    let left = KINDS.iter().flat_map(|kind| entries(&cx, kind).unwrap());
    left.map(|path| path.strip_prefix("/srv/cache").unwrap().display().to_string()).collect()
}

#[test]
fn an_entry_lives_as_long_as_a_release_of_any_root_that_uses_it() {
    let scene = shared();
    for entry in ["venv/own", "venv/other", "venv/gone", "venv/nobody's", "bundle/other"] {
        put(&scene, entry);
    }
    mark(&scene, OWN, "venv/own");
    mark(&scene, OTHER, "venv/other");
    mark(&scene, OTHER, "bundle/other");
    mark(&scene, "/srv/shop/releases/20261101T101500Z-ccccccc", "venv/gone");
    mark(&scene, "/srv/vanished/releases/20261101T101500Z-ccccccc", "venv/nobody's");
    scene.host.put_file("/srv/cache/venv/half/lib.py", "123");
    scene.host.put_file("/srv/cache/tool/supervisor/bin", "");
    let cx = scene.context("prune");
    let garbage = collect(&cx).unwrap();
    let names: Vec<_> =
        garbage.unused.iter().map(|unused| (unused.path.to_str().unwrap(), unused.bytes)).collect();
    assert_eq!(
        names,
        [("/srv/cache/venv/gone", 0), ("/srv/cache/venv/half", 3), ("/srv/cache/venv/nobody's", 0)]
    );
    assert_eq!(entries_left(&scene), ["venv/other", "venv/own", "bundle/other"]);
    assert!(scene.host.exists("/srv/cache/tool/supervisor/bin"), "a tool is used by no release");
    let vanished = Layout::new("/srv/vanished").caching_in("/srv/cache").cache_registration();
    assert!(!scene.host.exists(vanished), "a root that is gone no longer counts");
    assert_eq!(collect(&cx).unwrap().unused, []);
}

#[test]
fn what_a_release_leads_to_is_used_even_if_nobody_said_so() {
    let scene = shared();
    put(&scene, "venv/linked");
    put(&scene, "venv/by-the-other");
    scene.host.put_link(format!("{OWN}/venv"), "../../../cache/venv/linked");
    scene.host.put_link(format!("{OTHER}/venv"), "/srv/cache/venv/by-the-other");
    mark(&scene, OTHER, "bundle/any");
    collect(&scene.context("prune")).unwrap();
    assert_eq!(entries_left(&scene), ["venv/by-the-other", "venv/linked"]);
}

#[test]
fn what_processes_run_from_stays_and_so_does_what_another_user_built() {
    let scene = shared();
    put(&scene, "venv/running");
    put(&scene, "venv/theirs");
    scene.host.set_using("/srv/cache/venv/running", vec![17]);
    scene.host.set_unwritable("/srv/cache/venv/theirs");
    let garbage = collect(&scene.context("prune")).unwrap();
    assert_eq!((garbage.unused.len(), garbage.in_use.len()), (0, 1));
    assert_eq!(garbage.in_use[0].pids, [17]);
    assert_eq!(entries_left(&scene), ["venv/running", "venv/theirs"]);
}

#[test]
fn what_would_go_is_told_without_changing_anything() {
    let scene = shared();
    put(&scene, "venv/own");
    mark(&scene, OWN, "venv/own");
    let before = scene.host.all();
    let going: ReleaseId = OWN.rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(garbage(&scene.context("prune"), &[]).unwrap().unused, []);
    assert_eq!(garbage(&scene.context("prune"), &[going]).unwrap().unused.len(), 1);
    assert_eq!(scene.host.all(), before);
}

#[test]
fn the_cache_that_the_root_used_before_is_looked_after_too() {
    let scene = shared();
    scene.host.put_file("/srv/shop/cache/venv/old/.complete", "12");
    scene.host.put_file("/srv/shop/cache/venv/live/.complete", "");
    scene.host.put_link(format!("{OWN}/venv"), "../../cache/venv/live");
    let garbage = collect(&scene.context("prune")).unwrap();
    assert_eq!(garbage.unused[0].path, Path::new("/srv/shop/cache/venv/old"));
    assert!(!scene.host.exists("/srv/shop/cache/venv/old"));
    assert!(scene.host.exists("/srv/shop/cache/venv/live"));
}

fn make(scene: &Scene) -> impl Fn(&Path) -> Result<(), StepError> {
    |entry: &Path| {
        scene.host.put_file(entry.join("lib.py"), "");
        Ok(())
    }
}

#[test]
fn it_is_built_once_and_then_found() {
    let scene = shared();
    let cx = scene.context("venv");
    let first = build().provide(&cx, make(&scene)).unwrap();
    assert!(!first.cached && scene.host.exists(first.entry.join(".complete")));
    let second = build().provide(&cx, |_| panic!("it is there")).unwrap();
    assert!(second.cached && second.entry == first.entry);
}

#[test]
fn what_a_killed_run_left_is_not_used_and_what_it_started_ends_first() {
    let scene = shared();
    let cx = scene.context("venv");
    let key = build().key.finish();
    let entry = scene.facts.layout.cached("venv", &key);
    scene.host.put_file(entry.join("half.py"), "");
    scene.host.set_killed(scene.facts.layout.cache_lock("venv", &key), RunId("killed".to_owned()));
    let provided = build().provide(&cx, make(&scene)).unwrap();
    assert_eq!(provided.entry, entry);
    assert!(!provided.cached && !scene.host.exists(entry.join("half.py")));
    let effects = scene.host.effects();
    let place = |text: &str| effects.iter().position(|effect| effect.contains(text)).unwrap();
    assert!(place("end_left_behind killed") < place("rename"));
}

#[test]
fn who_waits_says_for_whom_and_can_be_interrupted() {
    let scene = shared();
    let path = scene.facts.layout.cache_lock("venv", &build().key.finish());
    let holder = release_core::host::Holder {
        run: RunId("r-2".to_owned()),
        what: "/srv/blog, which builds the same venv".to_owned(),
    };
    scene.host.set_held(path, holder);
    scene.host.interrupt();
    let waited = build().provide(&scene.context("venv"), |_| panic!("somebody else builds it"));
    assert!(matches!(waited, Err(StepError::Host(HostError::Interrupted(_)))));
    assert_eq!(scene.recorder.lines(), ["waiting for /srv/blog, which builds the same venv"]);
}

#[test]
fn a_build_that_failed_leaves_nothing_once_it_is_taken_back() -> HostResult<()> {
    let scene = shared();
    let cx = scene.context("venv");
    let refused = || StepError::Refused { what: "no".to_owned(), help: String::new() };
    assert!(
        build()
            .provide(&cx, |entry| {
                make(&scene)(entry)?;
                Err(refused())
            })
            .is_err()
    );
    assert_eq!(entries_left(&scene).len(), 1);
    forget(&cx, "venv")?;
    assert_eq!(entries_left(&scene), [""; 0]);
    assert_eq!(cx.host.list(&scene.facts.layout.cache_trash())?, [""; 0].map(PathBuf::from));
    Ok(())
}

#[test]
fn what_another_root_builds_is_not_taken_from_it() {
    let scene = shared();
    let cx = scene.context("venv");
    let refused = || StepError::Refused { what: "no".to_owned(), help: String::new() };
    build().provide(&cx, |_| Err(refused())).err().unwrap();
    let key = build().key.finish();
    scene.host.put_file(format!("/srv/cache/venv/{key}/lib.py"), "");
    mark(&scene, OTHER, &format!("venv/{key}"));
    forget(&cx, "venv").unwrap();
    assert_eq!(entries_left(&scene), [format!("venv/{key}")]);
}
