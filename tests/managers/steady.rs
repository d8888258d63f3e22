//! What belongs to the root and outlives releases: a fixed port, and a master that keeps its process id.

use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::broker::switches;
use crate::load::Load;
use crate::site::Site;
use crate::support::{Client, wait_until};
use crate::trial::{LIMIT, configure_services, pid_of, services, stop_and_start};

/// A `web` at a port of this machine, under one manager.
pub(crate) struct Steady {
    address: SocketAddr,
    manager: String,
    command: String,
}

impl Steady {
    /// At a port that nobody has; `command` is a line of `web`, or nothing.
    pub(crate) fn new(manager: &str, command: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { address, manager: manager.to_owned(), command: command.to_owned() }
    }

    /// Writes the server's `release.yml`, with these lines for `web` too.
    pub(crate) fn configure(&self, site: &Site, more: &str) {
        let lines: Vec<&str> = [&self.command, more].into_iter().filter(|line| !line.is_empty()).collect();
        configure_services(site, &self.manager, &format!("{{web: {{{}}}}}", lines.join(", ")));
    }

    /// Switches behind the port, by new processes and then by a reload of one master.
    pub(crate) fn hold_under_load(&self, site: &Site, manager: &str) {
        let listen = format!("listen: \"{}\"", self.address);
        self.configure(site, &listen);
        site.release(&["deploy", "main"]).exits(0);
        let switched = |site: &Site| drop(site.switch());
        self.switch_under_load(site, &format!("{manager}, a port"), switched);
        self.configure(site, &format!("{listen}, handover: reload"));
        site.switch().says("web started");
        let master = self.trusted_pid(site);
        self.switch_under_load(site, &format!("{manager}, a port and a reload"), |site| {
            site.switch().says("web reloaded by HUP");
            assert_eq!(pid_of(site, "web"), master);
        });
        self.what_is_imported_late_is_of_ones_own_release(site);
        stop_and_start(site, 3);
        wait_until("the port answers", LIMIT, || self.answers(site));
        assert_ne!(self.trusted_pid(site), master);
    }

    /// By workers of the old release that finish a request while another release is live already.
    fn what_is_imported_late_is_of_ones_own_release(&self, site: &Site) {
        let (old, address) = (site.current(), self.address);
        let answer = thread::spawn(move || Client::tcp(address, false).get("/across").unwrap().body);
        wait_until("it is asked", LIMIT, || site.root.join("shared/data/across").exists());
        site.switch();
        assert_eq!(answer.join().unwrap(), old);
    }

    fn switch_under_load(&self, site: &Site, what: &str, switch: impl Fn(&Site)) {
        let load = Load::without_keep_alive(self.address, &site.root);
        (0..switches()).for_each(|_| switch(site));
        let report = load.stop();
        println!("| {what} | {report} |");
        report.assert_flawless(switches());
        wait_until("only the active release is known", LIMIT, || services(site).len() == 2);
        site.assert_tidy();
    }

    /// The process of `web`, once the manager trusts it.
    pub(crate) fn trusted_pid(&self, site: &Site) -> u64 {
        wait_until("web has a process", LIMIT, || pid_of(site, "web") != 0);
        pid_of(site, "web")
    }

    /// Whether the active release answers at the port.
    pub(crate) fn answers(&self, site: &Site) -> bool {
        Client::tcp(self.address, false).get("/").is_ok_and(|reply| reply.body == site.current())
    }
}
