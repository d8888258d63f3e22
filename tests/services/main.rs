//! Every kind of service, with the real programs, under load while it is switched.
//!
//! A quick subset runs by default; `RELEASE_TEST_ALL=1` runs every row of `docs/services.md`, with
//! ten switches each; `RELEASE_TEST_SERVER=daphne,Node` those that are named.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run belong into its output")]

#[expect(dead_code, unused_imports, reason = "the suite uses the rest")]
#[path = "../suite/support/mod.rs"]
mod support;

mod boot;
mod broker;
mod busy;
mod celery;
mod checks;
mod crossed;
mod cron;
mod load;
mod ports;
mod proof;
mod proxies;
mod queues;
mod rabbitmq;
mod servers;
mod reload;
mod rows;
mod rq;
mod rq_ended;
mod settings;
mod site;
mod support_proxies;
mod uwsgi;
mod websocket;
mod workers;
