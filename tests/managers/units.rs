//! What else starts the app, by the files and the answers of a true systemd.

use crate::container::Container;
use crate::site::Site;
use crate::trial::{configure, site};

/// Puts a unit there that starts something through `current`.
fn write(container: &Container, site: &Site, command: &str) {
    let unit = format!("[Service]\nExecStart={command}\n[Install]\nWantedBy=multi-user.target\n");
    let file = site.directory().join("old.service");
    std::fs::write(&file, unit).unwrap();
    container.runs(&["cp", file.to_str().unwrap(), "/etc/systemd/system/old.service"]);
    container.runs(&["systemctl", "daemon-reload"]);
}

#[test]
fn check_tells_of_units_that_start_the_app_beside_release() {
    let mut site = site();
    let Some(container) = Container::boot(site.directory()) else { return };
    site.before = container.enter();
    configure(&site, "systemd");
    site.commit(
        "release.yml",
        concat!(
            include_str!("../../fixtures/apps/managed/release.yml"),
            "cron:\n  - {at: \"@daily\", run: \"true\"}\n"
        ),
    );
    site.release(&["deploy", "main"]).exits(0);
    site.release(&["check"]).exits(0);
    let root = site.root.display().to_string();
    let release = env!("CARGO_BIN_EXE_release");
    write(&container, &site, &format!("{release} exec --root {root} -- python3 worker.py"));
    site.release(&["check"]).exits(0);
    container.runs(&["systemctl", "start", "old.service"]);
    let told =
        site.release(&["check"]).exits(3).says("old.service runs what services.worker of release.yml runs");
    let cure = told.out.split('`').find(|text| text.contains("disable --now")).unwrap().to_owned();
    container.runs(&["systemctl", "enable", "old.service"]);
    site.release(&["check"]).exits(3);
    container.runs(&["sh", "-c", &cure]);
    site.release(&["check"]).exits(0);

    let current = site.current();
    write(&container, &site, &format!("/usr/bin/python3 {root}/releases/{current}/late.py"));
    container.runs(&["systemctl", "enable", "old.service"]);
    site.release(&["check"]).exits(3).says(&format!("runs from the single release {current}"));
    write(&container, &site, &format!("/usr/bin/python3 {root}/current/late.py"));
    site.release(&["check"]).exits(3).says("starts `late.py` through");
    site.release(&["stop"]).exits(0);
    site.stop();
    drop(container);
}
