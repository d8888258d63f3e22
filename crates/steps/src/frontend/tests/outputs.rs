//! Outputs beside the front end's directory, and bundles that were built elsewhere.

use super::*;

fn scene_with(frontend: Frontend) -> Scene {
    let mut scene = scene(app().file("static/kept.css", "kept"));
    scene.facts.config.frontend = Some(vec![frontend]);
    scene
}

fn outputs(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn an_output_outside_of_the_front_ends_directory_is_kept_and_restored() {
    let mut scene = scene_with(Frontend {
        outputs: outputs(&["../static/bundle", "dist"]),
        ..Frontend::usual("frontend")
    });
    scene.host.on_call("npm run build", |host, command| {
        host.put_file(command.directory.parent().unwrap().join("static/bundle/app.js"), "built");
        host.put_file(command.directory.join("dist/index.html"), "");
        Answer::ok()
    });
    scene.run(&Frontends).unwrap();
    let release = next_release(&mut scene);
    assert_eq!(scene.run(&Frontends).unwrap(), Outcome::DoneWith("frontend from the cache".to_owned()));
    assert_eq!(scene.host.text(format!("{release}/static/bundle/app.js")).as_deref(), Some("built"));
    assert_eq!(scene.host.text(format!("{release}/static/kept.css")).as_deref(), Some("kept"));
    assert!(scene.host.exists(format!("{release}/frontend/dist/index.html")));
}

#[test]
fn an_output_behind_a_link_out_of_the_release_is_refused() {
    let mut scene = scene(app().link("static", "/etc/x"));
    scene.host.put_dir("/etc/x");
    scene.facts.config.frontend =
        Some(vec![Frontend { outputs: outputs(&["../static/bundle"]), ..Frontend::usual("frontend") }]);
    let error = scene.run(&Frontends).unwrap_err();
    assert_eq!(error.to_string(), "the front end's output ../static/bundle leads out of the release");
}

#[test]
fn a_prebuilt_directory_is_put_in_place_without_node() {
    let prebuilt = Some("shared/bundles/{revision}".to_owned());
    let scene = scene_with(Frontend { prebuilt, ..Frontend::usual("frontend") });
    scene.host.on("node --version", Answer::code(1));
    let error = scene.look(&Frontends).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the prebuilt bundle /srv/shop/shared/bundles/{REVISION} does not exist")
    );
    scene.host.put_file(format!("/srv/shop/shared/bundles/{REVISION}/dist/app.js"), "theirs");
    scene.host.put_file(format!("{RELEASE}/frontend/dist/stale.js"), "");
    for _ in 0..2 {
        assert_eq!(scene.run(&Frontends).unwrap(), Outcome::DoneWith("frontend prebuilt".to_owned()));
        assert_eq!(scene.host.text(format!("{RELEASE}/frontend/dist/app.js")).as_deref(), Some("theirs"));
        assert!(!scene.host.exists(format!("{RELEASE}/frontend/dist/stale.js")));
    }
    assert!(scene.host.exists(format!("/srv/shop/shared/bundles/{REVISION}/dist/app.js")), "it is copied");
    assert!(scene.host.commands().is_empty());
}

#[test]
fn a_prebuilt_archive_is_unpacked_and_must_hold_the_outputs() {
    let prebuilt = Some("shared/bundle.tar.gz".to_owned());
    let scene = scene_with(Frontend { prebuilt, ..Frontend::usual("frontend") });
    scene.host.put_file("/srv/shop/shared/bundle.tar.gz", "");
    scene.host.on_call("tar -xf", |host, command| {
        host.put_file(format!("{}/dist/app.js", command.args[4]), "theirs");
        Answer::ok()
    });
    scene.run(&Frontends).unwrap();
    assert_eq!(scene.host.text(format!("{RELEASE}/frontend/dist/app.js")).as_deref(), Some("theirs"));
    scene.host.on("tar -xf", Answer::ok());
    let error = scene.run(&Frontends).unwrap_err();
    assert_eq!(error.to_string(), "/srv/shop/shared/bundle.tar.gz holds no dist");
}
