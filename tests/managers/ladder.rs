//! A worker that no signal but KILL ends is asked by each of its ladder.

use std::fs;

use crate::site::Site;
use crate::support::wait_until;
use crate::trial::{LIMIT, configure_services, is_left_out, services};

const STUBBORN: &str = "worker: {command: python3 stubborn.py, stop: [TERM 2s, INT 25s, HUP 25s, KILL]}";
const SIGNALS: &str = "SIGTERM\nSIGINT\nSIGHUP\n";

/// Each but the first comes from the background, once the deploy is over. Under `manager`, as the server's
/// `release.yml` names it; `web` is the line there for `web`, or nothing.
pub(crate) fn climb(site: &Site, manager: &str, web: &str) {
    if is_left_out("the signals of a ladder", &format!("`{manager}`")) {
        return;
    }
    let lines: Vec<&str> = [web, STUBBORN].into_iter().filter(|line| !line.is_empty()).collect();
    configure_services(site, manager, &format!("{{{}}}", lines.join(", ")));
    site.switch();
    let old = site.current();
    site.switch();
    let place = site.root.join("shared/data").join(format!("heard-{old}"));
    let heard = || fs::read_to_string(&place).unwrap_or_default();
    wait_until("it was asked by each signal", LIMIT, || heard() == SIGNALS);
    let is_gone = || services(site).iter().all(|service| service["release"] != old.as_str());
    wait_until("it was killed", LIMIT, is_gone);
    assert_eq!(heard(), SIGNALS);
}
