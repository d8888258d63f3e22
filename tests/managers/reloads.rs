//! Every way to reload a master, under every manager: all of them in one site, each with clients of its own, while all
//! are switched at once.

use crate::packages;
use crate::site::{Pass, Site};
use crate::support::wait_until;
use crate::table::{Line, service, site_with, switch_under_load};
use crate::trial::{LIMIT, pid_of};

/// One way: the server, what its command says besides, and what reloads it.
struct Row {
    name: &'static str,
    server: &'static str,
    options: &'static str,
    reload: &'static str,
}

const GUNICORN: &str = "gunicorn app -w 2 --threads 4 --bind unix:$SOCKET";
const UWSGI: &str =
    "uwsgi --http-socket $SOCKET --virtualenv $VIRTUAL_ENV --module app --processes 2 --threads 4";

const ROWS: [Row; 4] = [
    Row { name: "gunicorn HUP", server: GUNICORN, options: "", reload: "HUP" },
    Row { name: "uWSGI HUP", server: UWSGI, options: "", reload: "HUP" },
    Row {
        name: "uWSGI master fifo",
        server: UWSGI,
        options: "--master-fifo $SOCKET.fifo",
        reload: "sh -c 'echo r > $SOCKET.fifo'",
    },
    Row {
        name: "uWSGI touch",
        server: UWSGI,
        options: "--touch-reload $RELEASE_ROOT/shared/data/touched",
        reload: "touch $RELEASE_ROOT/shared/data/touched",
    },
];

impl Row {
    /// `uWSGI master fifo` as the name of a service.
    fn service(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }

    fn lines(&self) -> String {
        let more = format!(", handover: reload, reload: \"{}\"", self.reload);
        service(&self.service(), &format!("{} {}", self.server, self.options), &more)
    }

    fn line(&self) -> Line {
        Line { name: self.name, service: self.service(), pass: Pass::Http }
    }
}

/// A site with a service for each row, under `manager`; nothing is deployed.
pub(crate) fn site(manager: &str) -> Site {
    site_with(manager, &ROWS.iter().map(Row::lines).collect::<String>())
}

/// Switches under load, and prints a row for each way; fails the test unless each master stays the same process.
pub(crate) fn switch_all(mut site: Site, manager: &str, before: Vec<String>) {
    site.before = packages::with("servers", before);
    site.release(&["deploy", "main"]).exits(0);
    let masters = || ROWS.each_ref().map(|row| pid_of(&site, &row.service()));
    wait_until("each master has a process", LIMIT, || !masters().contains(&0));
    let before = masters();
    switch_under_load(&site, manager, &ROWS.each_ref().map(Row::line), || {
        let done = site.switch();
        ROWS.iter()
            .fold(done, |done, row| done.says(&format!("{} reloaded by {}", row.service(), row.reload)));
        assert_eq!(masters(), before);
    });
}
