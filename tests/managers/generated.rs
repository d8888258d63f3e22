//! What `release generate` prints for a machine with systemd, put and enabled as it says itself, and obeyed by the real programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::container::Container;
use crate::site::Site;
use crate::support::wait_until;
use crate::systemd::wait_for_shop;
use crate::trial::{LIMIT, answers, configure, give, pid_of, services, site};

/// Who deploys, by words before a command in the container.
type Enter = fn(&Container) -> Vec<String>;

struct Unit {
    container: Container,
    enter: Enter,
}

impl Unit {
    /// Puts the printed file where its own words say, and runs the command that they give.
    fn install(site: &Site, container: Container, enter: Enter) -> Self {
        let text = site.release(&["generate", "systemd"]).exits(0).out;
        let file = site.directory().join("managed.service");
        fs::write(&file, &text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("# Put it into ")).unwrap();
        let (place, enable) = line.split_once(", then `").unwrap();
        let put = format!("mkdir -p $(dirname {place}) && cp {} {place} && ", file.display());
        let unit = Self { container, enter };
        unit.shell(site, &(put + enable.strip_suffix("`.").unwrap()));
        unit
    }

    /// Runs `line` as whoever may: the machine's unit is root's.
    fn shell(&self, site: &Site, line: &str) {
        let before =
            if line.contains("--user") { (self.enter)(&self.container) } else { self.container.enter() };
        let elsewhere = ["env".to_owned(), "XDG_RUNTIME_DIR=/run/user/1000".to_owned()];
        let words = before.into_iter().chain(elsewhere).chain(["sh", "-c", line].map(str::to_owned));
        let words: Vec<String> = words.collect();
        let done = Command::new(&words[0]).args(&words[1..]).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        assert!(done.status.success(), "{line}: {}{}", String::from_utf8_lossy(&said), self.told(site));
    }

    /// What the unit's runs printed.
    fn told(&self, site: &Site) -> String {
        let scope = if self.is_users(site) { "--user-unit" } else { "--unit" };
        self.container.says(&["journalctl", "--no-pager", scope, "managed"])
    }

    fn is_users(&self, site: &Site) -> bool {
        fs::read_to_string(site.root.join("release.yml")).unwrap().contains("systemd: user")
    }

    /// Cuts the power, and boots again.
    fn fail_power(&mut self, site: &mut Site) {
        self.container.cut_power();
        assert!(!answers(site));
        self.container.power_on();
        site.before = (self.enter)(&self.container);
        wait_until("a boot brings the active release back", LIMIT, || answers(site));
    }
}

/// A power cut in the middle of a deploy: the boot takes that back without anybody.
fn a_boot_recovers(site: &mut Site, unit: &mut Unit) {
    let live = site.current();
    let mut deploy = site.start(&["deploy", "--force"]);
    wait_until("the new generation is being booted", LIMIT, || {
        deploy.output().contains("boot") || deploy.is_over()
    });
    assert!(!deploy.is_over(), "{}", deploy.output());
    unit.container.cut_power();
    deploy.signal_group(Signal::KILL);
    let _ = deploy.finish();
    unit.fail_power(site);
    wait_until("the unit has come to its end", LIMIT, || {
        let known = services(site);
        known.len() == 2 && known.iter().all(|service| service["state"] == "running")
    });
    site.release(&["recover"]).exits(0).says("nothing was interrupted");
    assert_eq!(site.current(), live);
}

#[test]
fn its_unit_starts_a_private_supervisord_and_ends_it() {
    let mut site = site();
    let Some(container) = Container::boot(site.directory()) else { return };
    configure(&site, "supervisord");
    give(&site, "1000:1000");
    site.before = container.enter_as_shop();
    site.release(&["deploy", "main"]).exits(0);
    site.release(&["stop"]).exits(0);
    let mut unit = Unit::install(&site, container, Container::enter_as_shop);
    assert!(answers(&site), "{}", unit.told(&site));
    let owner = unit.container.says(&["ps", "-o", "user=", "-C", "supervisord"]);
    assert!(owner.lines().all(|user| user == "shop") && !owner.is_empty(), "{owner}");
    unit.shell(&site, "systemctl restart managed");
    assert!(answers(&site), "{}", unit.told(&site));
    site.switch();
    unit.shell(&site, "systemctl stop managed");
    assert!(!answers(&site) && services(&site).iter().all(|service| service["state"] == "stopped"));
    // A start that fails is tried again: here because another run has the root.
    let holder = site.start_program(&[
        "flock",
        &site.root.join(".release/lock").display().to_string(),
        "sleep",
        "1000",
    ]);
    unit.shell(&site, "systemctl start --no-block managed");
    wait_until("the start has failed", LIMIT, || unit.told(&site).contains("locked"));
    holder.signal_group(Signal::KILL);
    wait_until("the start is tried again", LIMIT, || answers(&site));
    unit.container.power_off();
    unit.container.power_on();
    site.before = unit.container.enter_as_shop();
    wait_until("a boot brings the app back", LIMIT, || answers(&site));
    a_boot_recovers(&mut site, &mut unit);
    site.stop();
}

#[test]
fn its_unit_recovers_what_the_machines_units_run() {
    let mut site = site();
    let Some(container) = Container::boot(site.directory()) else { return };
    configure(&site, "systemd");
    site.before = container.enter();
    site.release(&["deploy", "main"]).exits(0);
    let mut unit = Unit::install(&site, container, Container::enter);
    a_boot_recovers(&mut site, &mut unit);
    site.stop();
}

#[test]
fn logrotate_sets_aside_what_goes_on_being_written() {
    let mut site = site();
    let Some(container) = Container::boot(site.directory()) else { return };
    configure(&site, "systemd");
    site.before = container.enter();
    site.release(&["deploy", "main"]).exits(0);
    let log = site.root.join(".release/log/service").join(format!("web-{}-g1.log", site.current()));
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    assert!(read(&log).contains("Booting worker"), "{}", read(&log));
    let (file, state) = (site.directory().join("logrotate"), site.directory().join("logrotate.state"));
    fs::write(&file, site.release(&["generate", "logrotate"]).exits(0).out).unwrap();
    // The machine of the test has it; the files are the same.
    let mut rotate = Command::new("/usr/sbin/logrotate");
    let done =
        rotate.arg("--force").arg("--state").arg(&state).arg(&file).output().expect("logrotate is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(read(&log.with_extension("log.1")).contains("Booting worker"));
    assert_eq!(read(&log), "");
    container.runs(&["kill", "-TTIN", &pid_of(&site, "web").to_string()]);
    wait_until("gunicorn tells of a further worker", LIMIT, || read(&log).contains("Handling signal: ttin"));
    assert!(!read(&log).contains('\0'), "it went on where the old one ended");
    site.stop();
}

#[test]
fn its_unit_recovers_what_a_users_units_run() {
    let mut site = site();
    let Some(container) = Container::boot(site.directory()) else { return };
    configure(&site, "{systemd: user}");
    give(&site, "1000:1000");
    container.runs(&["loginctl", "enable-linger", "shop"]);
    wait_for_shop(&container);
    site.before = container.enter_as_shop();
    site.release(&["deploy", "main"]).exits(0);
    let mut unit = Unit::install(&site, container, Container::enter_as_shop);
    a_boot_recovers(&mut site, &mut unit);
    site.stop();
}
