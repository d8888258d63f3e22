//! The order of `release.yml`, where a manager starts and ends all services by itself.

use std::fs;

use crate::site::Site;
use crate::support::wait_until;
use crate::trial::{LIMIT, configure, services};

/// Their names tell nothing of their order.
const SERVICES: &str = "\
app: settings
services:
  zebra: {command: python3 service.py zebra, handover: replace, health: {settle: 200ms}}
  web: {command: python3 service.py web $SOCKET, health: {path: /healthz, settle: 200ms}}
  ant: {command: python3 service.py worker $INSTANCE, handover: overlap, instances: 2, health: {settle: 200ms}}
";
const IN_ORDER: [&str; 4] = ["zebra", "web", "ant.1", "ant.2"];

/// A site whose services write a diary, under `manager`; nothing is deployed.
pub(crate) fn site(manager: &str) -> Site {
    let site = Site::of("settings");
    site.commit("release.yml", SERVICES);
    fs::write(site.root.join("shared/diary"), "").unwrap();
    configure(&site, manager);
    site
}

/// Deploys, and waits until all have begun.
pub(crate) fn deploy(site: &Site) {
    site.release(&["deploy", "main"]).exits(0);
    wait_until("all have begun", LIMIT, || diary(site).len() == IN_ORDER.len());
}

/// Fails the test unless all ended in the reverse order, each when those after it had.
pub(crate) fn assert_ended_in_reverse(site: &Site) {
    let mut ends = diary(site).split_off(IN_ORDER.len());
    assert_eq!(ends.len(), IN_ORDER.len(), "{ends:?}");
    ends[..2].sort();
    assert_eq!(ends, ["end worker 1", "end worker 2", "end web", "end zebra"]);
}

/// Fails the test unless all were started in order: by their numbers, which grow.
pub(crate) fn assert_started_in_order(site: &Site) {
    wait_until("all are back", LIMIT, || diary(site).len() == 3 * IN_ORDER.len());
    let known = services(site);
    let pid = |name: &str| known.iter().find(|one| one["name"] == name).unwrap()["pid"].as_u64().unwrap();
    let [zebra, web, first, second] = IN_ORDER.map(pid);
    assert!(zebra < web && web < first.min(second), "{known:?}");
}

/// What was written when services began and ended, without the release.
fn diary(site: &Site) -> Vec<String> {
    let text = fs::read_to_string(site.root.join("shared/diary")).unwrap();
    text.lines().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}
