//! A server that tells systemd when it is up: what is named after it waits for that, and a deploy does not wait for ever.

use std::fs;

use crate::container::Container;
use crate::packages;
use crate::site::Site;
use crate::support::wait_until;
use crate::trial::{LIMIT, answers, configure, pid_of};

const UWSGI: &str = "uwsgi --http-socket $SOCKET --virtualenv $VIRTUAL_ENV --module app";
/// An app that takes its time, and tells when it is loaded.
const SLOW: &str =
    "import os, time\ntime.sleep(2)\nopen(os.environ['RELEASE_ROOT'] + '/shared/data/loaded', 'w').close()\n";
const WORKER: &str =
    "sh -c 'ls $RELEASE_ROOT/shared/data/loaded >$RELEASE_ROOT/shared/data/seen 2>&1; exec sleep 1000'";

#[test]
fn what_is_named_after_a_uwsgi_starts_when_its_app_is_loaded() {
    let mut site = Site::of("servers");
    let Some(mut container) = Container::boot(site.directory()) else { return };
    packages::want_none(&site);
    let uwsgi = UWSGI.replace("$VIRTUAL_ENV", &packages::of("servers").display().to_string());
    let app = include_str!("../../fixtures/apps/servers/app.py");
    let docs_end = app.match_indices("\"\"\"").nth(1).unwrap().0 + 3;
    let loads =
        |first: &str| site.commit("app.py", &format!("{}\n{first}{}", &app[..docs_end], &app[docs_end..]));
    site.commit(
        "release.yml",
        &format!(
            "app: servers\nlinked_dirs: [data]\nservices:\n  web: {{command: \"{uwsgi}\", health: {{settle: 100ms, timeout: 15s}}, stop: TERM 5s}}\n  \
             worker: {{command: \"{WORKER}\", handover: overlap, health: {{settle: 100ms}}}}\n"
        ),
    );
    configure(&site, "systemd");
    loads(SLOW);
    let data = site.root.join("shared/data");
    site.before = packages::with("servers", container.enter());
    site.release(&["deploy", "main"]).exits(0);
    let worker_came_last =
        || fs::read_to_string(data.join("seen")).is_ok_and(|seen| !seen.contains("cannot access"));
    assert!(worker_came_last());
    container.cut_power();
    for file in ["seen", "loaded"] {
        fs::remove_file(data.join(file)).unwrap();
    }
    container.power_on();
    site.before = packages::with("servers", container.enter());
    wait_until("the worker is back", LIMIT, || data.join("seen").exists() && pid_of(&site, "worker") != 0);
    assert!(worker_came_last() && answers(&site));
    // One that never is up fails its deploy in time, and is ended.
    let live = site.current();
    site.commit("app.py", "import time\ntime.sleep(1000)\n");
    site.release(&["deploy", "main"]).exits(3).says("web");
    assert!(site.current() == live && answers(&site));
    site.assert_tidy();
    site.stop();
    drop(container);
}
