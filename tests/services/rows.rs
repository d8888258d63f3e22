//! The web servers, as `docs/services.md` lists them.

use crate::site::Pass;
use crate::websocket::End;

/// One server, with the lines for its `release.yml`.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) command: &'static str,
    pub(crate) pass: Pass,
    /// How it ends open websockets, if it has any.
    pub(crate) websockets: Option<End>,
    /// `stop`, for a release that is left with requests in flight.
    pub(crate) stop: &'static str,
    /// Whether it finishes what is in flight when it is asked to end.
    pub(crate) finishes: bool,
    pub(crate) quick: bool,
}

impl Row {
    /// `gunicorn, uvicorn workers` as the name of a service.
    pub(crate) fn service(&self) -> String {
        self.name.to_lowercase().replace(", ", "-").replace(' ', "-")
    }
}

const PLAIN: Row = Row {
    name: "",
    command: "",
    pass: Pass::Http,
    websockets: None,
    stop: "{wait: 14s}",
    finishes: true,
    quick: false,
};

pub(crate) const ROWS: [Row; 13] = [
    Row { name: "gunicorn sync", command: "gunicorn app -w 3 --bind unix:$SOCKET", ..PLAIN },
    Row {
        name: "gunicorn gthread",
        command: "gunicorn app -w 2 --threads 4 --bind unix:$SOCKET",
        quick: true,
        ..PLAIN
    },
    Row {
        name: "gunicorn, uvicorn workers",
        command: "python -m gunicorn app:asgi -w 2 -k uvicorn_worker.UvicornWorker --bind unix:$SOCKET",
        websockets: Some(End::Told(1012)),
        ..PLAIN
    },
    Row {
        name: "uvicorn",
        command: "uvicorn app:asgi --uds $SOCKET",
        websockets: Some(End::Told(1012)),
        quick: true,
        ..PLAIN
    },
    Row {
        name: "uvicorn, 2 workers",
        command: "uvicorn app:asgi --workers 2 --uds $SOCKET",
        websockets: Some(End::Told(1012)),
        ..PLAIN
    },
    Row {
        name: "daphne",
        command: "daphne -u $SOCKET app:asgi",
        websockets: Some(End::Cut),
        finishes: false,
        ..PLAIN
    },
    Row {
        name: "hypercorn",
        command: "hypercorn -b unix:$SOCKET app:asgi",
        websockets: Some(End::Told(1011)),
        ..PLAIN
    },
    Row {
        name: "hypercorn, 2 workers",
        command: "hypercorn -w 2 --graceful-timeout 9 -b unix:$SOCKET app:asgi",
        websockets: Some(End::Told(1011)),
        stop: "[HUP 0s, TERM 14s]",
        ..PLAIN
    },
    Row {
        name: "granian asgi",
        command: "granian --interface asgi --workers 2 --uds $SOCKET app:asgi",
        websockets: Some(End::Cut),
        ..PLAIN
    },
    Row {
        name: "granian wsgi",
        command: "granian --interface wsgi --workers 2 --blocking-threads 4 --uds $SOCKET app:application",
        ..PLAIN
    },
    Row {
        name: "uWSGI, http-socket",
        command: "uwsgi --http-socket $SOCKET --virtualenv $VIRTUAL_ENV --module app --processes 2 --threads 4",
        ..PLAIN
    },
    Row {
        name: "uWSGI, uwsgi protocol",
        command: "uwsgi --socket $SOCKET --virtualenv $VIRTUAL_ENV --module app --processes 2 --threads 4",
        pass: Pass::Uwsgi,
        ..PLAIN
    },
    Row { name: "Node", command: "node server.js", finishes: false, ..PLAIN },
];
