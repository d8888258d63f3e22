//! Several front ends in one app, with the real npm.

use crate::project::Project;

/// What the pages of the shop and of its admin load; each says when it was built.
fn bundles(project: &Project) -> [String; 2] {
    ["static/shop/bundle.js", "static/admin.js"].map(|file| project.text(file))
}

#[track_caller]
fn assert_made_with(bundles: &[String; 2], api: &str) {
    let [shop, admin] = bundles;
    assert!(shop.starts_with(&format!("is-number 7.0.0, {api}, undefined, ")), "{shop}");
    assert!(admin.starts_with(&format!("admin, {api}, undefined, ")), "{admin}");
}

#[test]
fn two_front_ends_beside_their_outputs_and_with_variables() {
    let project = Project::new("fronts", "");
    project.variables("API=https://one.example\n");
    // npm would leave out what the build needs, and keep it so in the cache.
    let shell = [("SHELL_ONLY", "one"), ("NODE_ENV", "production")];
    project.release_with(&shell, &["deploy"]).exits(0);
    let first = bundles(&project);
    assert_made_with(&first, "https://one.example");

    project.commit("notes.txt", "of no matter");
    let second = project.release_with(&[("SHELL_ONLY", "two")], &["deploy", "--json"]).exits(0);
    assert!(!second.built("frontend"), "{second}");
    assert_eq!(bundles(&project), first, "a variable of the shell is none of the app's");
    assert_eq!(
        [project.text("static/kept.css"), project.text("admin/dist/index.html")],
        ["kept\n", "admin\n"]
    );

    project.commit("admin/more.js", "");
    project.deploy();
    let third = bundles(&project);
    assert!(third[0] == first[0] && third[1] != first[1], "one of the two is built: {third:?}");

    project.variables("API=https://two.example\n");
    let (state, why) = project.plan("frontend");
    let both = ["shop", "admin"].map(|name| format!("{name}: the variable API changed"));
    assert!(state == "needed" && both.iter().all(|text| why.contains(text)), "{state}: {why}");
    project.sandbox.release(&["deploy", "--force"]).exits(0);
    assert_made_with(&bundles(&project), "https://two.example");
}
