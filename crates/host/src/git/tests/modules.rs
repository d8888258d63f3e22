use super::*;

/// Another repository beside the app's.
fn beside(scene: &Scene, name: &str) -> PathBuf {
    let place = scene.root.path().join(name);
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&place).args(["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]);
        assert!(command.args(args).output().unwrap().status.success(), "git {args:?}");
    };
    fs::create_dir(&place).unwrap();
    git(&["init", "-q", "-b", "main"]);
    fs::write(place.join("style.css"), name).unwrap();
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "first"]);
    place
}

fn add(scene: &Scene, at: &Path, url: &str, path: &str) {
    let mut command = Command::new("git");
    command.arg("-C").arg(at).args(["-c", "protocol.file.allow=always", "-c", "user.name=Ana"]);
    command.args(["-c", "user.email=ana@example.org", "submodule", "--quiet", "add", url, path]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut commit = Command::new("git");
    commit.arg("-C").arg(at).args(["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]);
    assert!(commit.args(["commit", "-q", "-m", "a submodule"]).status().unwrap().success());
    assert!(scene.root.path().exists());
}

/// A commit with a submodule at `vendor/theme`, and this `.gitmodules`.
fn with_gitmodules(scene: &Scene, text: &str) -> HostResult<PathBuf> {
    let other = scene.commit("first");
    fs::write(scene.work().join(".gitmodules"), text).unwrap();
    scene.git(&["add", ".gitmodules"]);
    scene.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{other},vendor/theme")]);
    scene.git(&["commit", "-q", "-m", "a submodule"]);
    let revision = scene.git(&["rev-parse", "HEAD"]).parse().unwrap();
    scene.fetch().unwrap();
    scene.checkout(&revision)
}

#[test]
fn submodules_come_from_mirrors_of_their_own_however_deep() {
    let scene = Scene::new();
    scene.commit("first");
    let theme = beside(&scene, "theme");
    let icons = beside(&scene, "icons");
    add(&scene, &theme, icons.to_str().unwrap(), "icons");
    // Relative, as git resolves it: against the address that we fetched from.
    scene.git(&["config", "remote.origin.url", scene.work().to_str().unwrap()]);
    add(&scene, &scene.work(), "../theme", "vendor/theme");
    let revision = scene.git(&["rev-parse", "HEAD"]).parse().unwrap();
    scene.fetch().unwrap();
    let into = scene.checkout(&revision).unwrap();
    let read = |path: &str| fs::read_to_string(into.join(path)).unwrap();
    assert_eq!(read("vendor/theme/style.css"), "theme");
    assert_eq!(read("vendor/theme/icons/style.css"), "icons");
    assert!(!into.join("vendor/theme/.git").exists());
    assert!(scene.mirror().join("modules/vendor%2Ftheme/modules/icons/HEAD").exists());
    // What is there already is not asked for again.
    fs::remove_dir_all(theme).unwrap();
    let again = scene.root.path().join("releases/again");
    scene.checkout_into(&revision, &again, &|_| {}).unwrap();
    assert!(again.join("vendor/theme/icons/style.css").exists());
}

#[test]
fn a_submodule_that_cannot_be_had_is_refused_by_name() {
    for (text, why) in [
        ("", "does not say where it comes from"),
        ("[submodule \"a\"]\npath = vendor/theme\nurl = ext::sh -c id\n", "of no kind"),
        ("[submodule \"../../hooks\"]\npath = vendor/theme\nurl = ../theme\n", "is no name"),
    ] {
        let scene = Scene::new();
        let error = with_gitmodules(&scene, text).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.to_string().contains("vendor/theme"), "{cause}");
        let last = cause.source().unwrap().to_string();
        assert!(last.contains(why), "{last}");
        assert!(error.help().unwrap().contains(".gitmodules"));
    }
}

#[test]
fn a_commit_that_nobody_pushed_is_told() {
    let scene = Scene::new();
    beside(&scene, "theme");
    let text = "[submodule \"theme\"]\npath = vendor/theme\nurl = ../theme\n";
    let error = with_gitmodules(&scene, text).unwrap_err();
    assert!(error.help().unwrap().starts_with("push it there"), "{error:?}");
}
