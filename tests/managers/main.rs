//! Every process manager for real, under load while releases are switched: systemd booted in a container, the
//! machine's and a user's; a supervisord that runs other programs too; and the change from one to another.
//!
//! The container needs root: without it those tests say so and prove nothing. `RELEASE_TEST_ALL=1` makes ten
//! switches of each, and tries queue workers under each manager.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run belong into its output")]

#[path = "../services/broker.rs"]
mod broker;
#[path = "../services/busy.rs"]
mod busy;
#[path = "../services/celery.rs"]
mod celery;
mod container;
mod generated;
mod ladder;
#[path = "../services/load.rs"]
mod load;
mod notify;
mod order;
mod packages;
mod reloads;
#[expect(dead_code, reason = "the services use the rest")]
#[path = "../services/rows.rs"]
mod rows;
mod server;
#[path = "../services/site.rs"]
#[expect(dead_code, reason = "the services use the rest")]
mod site;
mod steady;
#[expect(dead_code, unused_imports, reason = "the suite uses the rest")]
#[path = "../suite/support/mod.rs"]
mod support;
mod systemd;
mod table;
mod tasks;
mod timers;
mod trial;
mod units;
#[expect(dead_code, reason = "the services use the rest")]
#[path = "../services/websocket.rs"]
mod websocket;
mod workers;
