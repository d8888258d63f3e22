use release_core::config::{Bound, Config, Frontend, Resource, Size};
use release_core::layout::Layout;
use release_steps::preflight::{Problem, builder_problems, problems};
use release_testkit::{Answer, Commit, FakeHost, REVISION, Scene, a_config};

fn server() -> FakeHost {
    let host = FakeHost::new();
    host.put_dir("/srv/shop/releases");
    host
}

fn found(host: &FakeHost, config: &Config) -> Vec<Problem> {
    problems(host, &Layout::new("/srv/shop"), config)
}

fn whats(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.what.as_str()).collect()
}

#[test]
fn a_server_that_is_ready_has_no_problem() {
    assert_eq!(found(&server(), &a_config()), []);
    // An empty root is a root, too.
    assert_eq!(problems(&server(), &Layout::new("/srv/other"), &a_config()), []);
}

#[test]
fn every_problem_is_told_at_once_with_a_way_out() {
    let host = server();
    host.put_dir("/srv/shop/current");
    host.set_unwritable("/srv/shop/releases");
    host.set_space(150_000_000, 900);
    host.put_file("/srv/shop/shared/.env", "A=1\nnonsense\nB=2\nmore nonsense\n");
    let mut config = a_config();
    config.linked_files = vec!["secrets.json".to_owned()];
    config.services[0].command = "DEBUG=1 gunicorn --bind unix:$SOCKET".to_owned();
    let found = found(&host, &config);
    assert_eq!(
        whats(&found),
        [
            "/srv/shop/current is a directory, and only a symlink can be switched in one step",
            "this user may not write in /srv/shop/releases",
            "150 MB are free at /srv/shop, and a release needs 200 MB",
            "900 inodes are free at /srv/shop, and a release needs 10000",
            "the linked file /srv/shop/shared/secrets.json does not exist",
            "/srv/shop/shared/.env:2 is no `NAME=value`",
            "/srv/shop/shared/.env:4 is no `NAME=value`",
            "services.web: its command begins with a variable, `DEBUG=1`",
        ]
    );
    assert!(found.iter().all(|problem| problem.help.is_some()));
}

#[test]
fn a_file_in_the_place_of_a_directory_is_told() {
    let host = server();
    host.put_file("/srv/shop/shared", "");
    let found = found(&host, &a_config());
    assert_eq!(whats(&found), ["/srv/shop/shared is no directory"]);
}

#[test]
fn a_big_app_needs_room_for_another_one() {
    let host = server();
    let big = "x".repeat(3_000_000);
    for part in 0..34 {
        host.put_file(format!("/srv/shop/releases/20261119T090000Z-aaaaaaa/{part}"), &big);
    }
    host.put_dir("/srv/shop/releases/zzz");
    host.set_space(203_000_000, 20_000);
    assert_eq!(
        whats(&found(&host, &a_config())),
        ["203 MB are free at /srv/shop, and a release needs 204 MB"]
    );
}

#[test]
fn what_cannot_be_looked_at_is_a_problem_and_stops_no_other_check() {
    let host = server();
    host.fail_on("kind");
    host.set_space(1, 20_000);
    assert_eq!(whats(&found(&host, &a_config())).len(), 2);
}

#[test]
fn what_keeps_the_builders_from_building_is_told_all_at_once() {
    let mut scene = Scene::new();
    scene.host.commit(
        Commit::new(REVISION)
            .file("requirements.txt", "Django")
            .file("frontend/package.json", r#"{"engines": {"node": ">=22"}}"#)
            .file("admin/package.json", "{}")
            .file("admin/yarn.lock", "")
            .file(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text"),
    );
    scene.host.install("python3", "/usr/bin/python3");
    let about = r#"{"executable": "/usr/bin/python3.11", "version": "3.11.7", "build": "", "platform": "x", "pip": "24.0"}"#;
    scene.host.on("python3 -I", Answer::ok().says(about));
    scene.host.install("node", "/usr/bin/node");
    scene.host.on("node --version", Answer::ok().says("v20.20.2"));
    scene.facts.config.python.version = Some("3.13".to_owned());
    scene.facts.config.frontend = Some(vec![
        Frontend::usual("frontend"),
        Frontend::usual("admin"),
        Frontend { prebuilt: Some("shared/bundle-{revision}.tar.gz".to_owned()), ..Frontend::usual("docs") },
    ]);
    let found = builder_problems(&scene.context("preflight"));
    assert_eq!(
        whats(&found),
        [
            "python 3.13 (python.version) is wanted, and this server has only python3 (3.11.7)",
            "node >=22 is wanted (engines.node), and node here is v20.20.2",
            "there is no npm on this server, and the front end needs it",
            &format!("the prebuilt bundle /srv/shop/shared/bundle-{REVISION}.tar.gz does not exist"),
            "the repository keeps files in Git LFS, and there is no `git-lfs` here",
        ]
    );
    assert!(found.iter().all(|problem| problem.help.is_some()));
    scene.host.install("git-lfs", "/usr/bin/git-lfs");
    assert_eq!(builder_problems(&scene.context("preflight")).len(), 4);
}

#[test]
fn commands_that_cannot_work_are_told() {
    for (command, what) in [
        ("", "names no program"),
        ("cd src && gunicorn shop.wsgi --bind unix:$SOCKET", "uses `&&`, and no shell runs it"),
        (
            "gunicorn shop.wsgi --bind unix:$SOCKET --bind=0.0.0.0:8000",
            "listens on port 8000 too, which two generations cannot share",
        ),
        ("daphne -u $SOCKET --port 8000", "listens on port 8000 too, which two generations cannot share"),
    ] {
        let mut config = a_config();
        config.services[0].command = command.to_owned();
        assert_eq!(whats(&found(&server(), &config)), [format!("services.web: its command {what}")]);
    }
}

#[test]
fn names_that_cannot_work_are_told() {
    let mut config = a_config();
    config.services[0].name = "retire".to_owned();
    assert_eq!(whats(&found(&server(), &config)), ["services.retire is a name that release itself uses"]);
    let deep = Layout::new(format!("/srv/{}", "x".repeat(60)));
    let problems = problems(&server(), &deep, &a_config());
    assert_eq!(whats(&problems), ["services.web: its socket's path has 116 bytes, and 107 is the limit"]);
}

#[test]
fn an_env_file_that_was_named_must_be_there() {
    let mut config = a_config();
    config.env_file = "shop.env".to_owned();
    assert_eq!(whats(&found(&server(), &config)), ["the env file /srv/shop/shared/shop.env does not exist"]);
}

#[test]
fn users_groups_and_limits_that_cannot_be_had_are_told() {
    let host = server();
    let mut config = a_config();
    let process = &mut config.services[0].process;
    process.user = Some("shop".to_owned());
    process.group = Some("web".to_owned());
    assert_eq!(
        whats(&found(&host, &config)),
        ["services.web.group: there is no group `web`", "services.web.user: there is no user `shop`"]
    );
    host.add_user("shop", 1000);
    host.add_user("web", 1001);
    assert_eq!(found(&host, &config), []);
    host.hide("/srv/shop");
    assert_eq!(whats(&found(&host, &config)), ["the user `shop` may not enter /srv/shop"]);
    host.act_as(1002);
    host.set_hard_limit(1024);
    let process = &mut config.services[0].process;
    process.nice = Some(-5);
    process.limits = [(Resource::Nofile, Bound::Unlimited), (Resource::Core, Bound::At(Size(0)))].into();
    assert_eq!(
        whats(&found(&host, &config)),
        [
            "services.web.limits.nofile: unlimited is more than the 1024 that may be had here",
            "services.web.nice: only root may go to -5",
            "services.web.group: only root may start it in `web`",
            "services.web.user: only root may start it as `shop`",
        ]
    );
}

#[test]
fn sockets_have_one_owner_and_linked_files_can_be_read() {
    let host = server();
    host.add_user("shop", 1000);
    host.add_user("api", 1001);
    let mut config = a_config();
    config.services[0].process.user = Some("shop".to_owned());
    config.linked_dirs = vec!["media".to_owned()];
    config.linked_files = vec![".env".to_owned()];
    for path in ["/srv/shop/shared/media/a", "/srv/shop/shared/.env"] {
        host.put_file(path, "");
    }
    host.hide("/srv/shop/shared");
    assert_eq!(whats(&found(&host, &config)), ["the user `shop` may not read /srv/shop/shared/media"]);
    let mut other = config.services[0].clone();
    other.name = "api".to_owned();
    other.process.user = Some("api".to_owned());
    config.services.push(other);
    config.linked_dirs.clear();
    assert_eq!(
        whats(&found(&host, &config)),
        ["services listen as `shop` and as `api`, and only one can own the sockets' directory"]
    );
}

#[test]
fn a_command_that_leads_into_another_release_is_refused() {
    for command in [
        "gunicorn shop.wsgi --bind unix:$SOCKET --chdir $RELEASE_ROOT/current",
        "/srv/shop/current/venv/bin/gunicorn shop.wsgi --bind unix:$SOCKET",
        "gunicorn shop.wsgi --bind=unix:$SOCKET --chdir=${RELEASE_ROOT}/releases/20261119T090000Z-aaaaaaa",
    ] {
        let mut config = a_config();
        config.services[0].command = command.to_owned();
        let found = found(&server(), &config);
        assert!(found[0].what.starts_with("services.web: its command names /srv/shop/"), "{found:?}");
    }
    for fine in ["/srv/shop/currently/x", "/srv/shop/releases-old/x", "/srv/blog/current"] {
        let mut config = a_config();
        config.services[0].command = format!("gunicorn shop.wsgi --bind unix:$SOCKET -c {fine}");
        assert_eq!(found(&server(), &config), [], "{fine}");
    }
}
