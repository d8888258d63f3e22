//! A server on which one release serves and another is to follow.

use std::path::PathBuf;

use release_core::config::{Log, Manager};
use release_core::host::{Address, Clock, Files, Services};
use release_core::layout::Layout;
use release_core::release::Generation;
use release_core::release_record::ReleaseRecord;
use release_core::service::{Program, programs_of};
use release_steps::boot::Boot;
use release_testkit::Scene;

/// The generation that serves before the run.
pub(crate) fn old() -> Generation {
    Generation { release: "20261119T090000Z-aaaaaaa".parse().expect("a release id"), number: 1 }
}

/// An app that was never deployed; the new release is built.
pub(crate) fn first_deploy() -> Scene {
    let scene = Scene::new();
    build(&scene, &scene.facts.generation);
    scene
}

/// The old release serves, and the new one is built.
pub(crate) fn second_deploy() -> Scene {
    let mut scene = first_deploy();
    let layout = &scene.facts.layout;
    build(&scene, &old());
    start(&scene, &old());
    scene.host.put_link(layout.socket_link(&old().release, "web"), layout.socket_name(&old(), "web"));
    scene.host.put_link(layout.current(), layout.current_target(&old().release));
    scene.facts.previous = Some(old());
    scene
}

/// [`second_deploy`], the new generation being started.
pub(crate) fn booted() -> Scene {
    let scene = second_deploy();
    scene.run(&Boot).expect("it boots");
    scene.host.put_file(new_socket(&scene), "");
    scene
}

fn build(scene: &Scene, generation: &Generation) {
    scene.host.put_dir(scene.facts.layout.run(&generation.release));
    let mut facts = scene.facts.clone();
    facts.generation = generation.clone();
    ReleaseRecord::of(&facts, scene.host.now()).write(&scene.host, &facts.layout).expect("it is recorded");
}

/// Starts `web` of `generation`.
pub(crate) fn start(scene: &Scene, generation: &Generation) {
    let (layout, name) = (&scene.facts.layout, generation.program("web"));
    let program = Program {
        command: vec!["release".to_owned()],
        directory: layout.release(&generation.release),
        stop_signal: "TERM".to_owned(),
        stop_wait: std::time::Duration::from_secs(40),
        climb: Vec::new(),
        log: layout.service_log(&name),
        rotation: Log::default(),
        order: 1,
        restart: true,
        notifies: false,
        manager: Manager::Supervisord,
        name,
    };
    scene.host.ensure_manager().expect("the manager starts");
    scene.host.start(&[program]).expect("the program starts");
    scene.host.put_file(layout.socket(generation, "web"), "");
}

/// The name of the new generation's `web`.
pub(crate) fn new_web(scene: &Scene) -> String {
    scene.facts.generation.program("web")
}

/// Where the new generation's `web` listens.
pub(crate) fn new_socket(scene: &Scene) -> PathBuf {
    scene.facts.layout.socket(&scene.facts.generation, "web")
}

/// The new generation's `web` as one is asked about it.
pub(crate) fn new_address(scene: &Scene) -> Address {
    Address::Socket(new_socket(scene))
}

/// `web` as the proxy reaches it, which answers by the release that `current` leads to; `None`
/// is no answer.
pub(crate) fn serve_through_current(scene: &Scene, by_old: Option<u16>, by_new: Option<u16>) {
    let layout = scene.facts.layout.clone();
    let new = scene.facts.generation.clone();
    scene.host.serve(Address::Socket(layout.current_socket("web")), move |host, _| {
        let socket = host.resolve(&layout.current_socket("web")).ok().flatten()?;
        let (generation, status) =
            if socket == layout.socket(&new, "web") { (new.clone(), by_new) } else { (old(), by_old) };
        let states = host.states().ok()?;
        let runs = programs_of(&states, &generation).any(|state| state.state.is_alive());
        status.filter(|_| runs)
    });
}

/// What `current` holds.
pub(crate) fn current(scene: &Scene) -> Option<PathBuf> {
    scene.host.read_link(&scene.facts.layout.current()).expect("a link can be read")
}

/// What `current` holds when `generation` is active.
pub(crate) fn target(layout: &Layout, generation: &Generation) -> Option<PathBuf> {
    Some(layout.current_target(&generation.release))
}

/// The programs that the manager knows, by name.
pub(crate) fn known(scene: &Scene) -> Vec<String> {
    scene.host.programs().into_iter().map(|program| program.name).collect()
}
