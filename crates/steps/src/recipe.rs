//! The program on one screen: the steps of a deploy, a rollback and a restart, in order.

use release_core::plan::Plan;

use crate::activate::Activate;
use crate::boot::Boot;
use crate::boot_ahead::BootAhead;
use crate::check_app::CheckApp;
use crate::checkout::Checkout;
use crate::collect_static::CollectStatic;
use crate::configure::{Adopt, Configure};
use crate::cron::{AddEntries, KeepEntries};
use crate::django::Start;
use crate::drain::Drain;
use crate::frontend::Frontends;
use crate::hand_over::HandOver;
use crate::health_check::HealthCheck;
use crate::keep_assets::KeepAssets;
use crate::link_shared::LinkShared;
use crate::migrate::Migrate;
use crate::ports::{ClosePorts, OpenPorts};
use crate::prove::Prove;
use crate::prune::Prune;
use crate::record::Record;
use crate::reload::{EndStandIns, Reload};
use crate::venv::Venv;
use crate::verify::Verify;

/// Builds a revision and makes it active.
///
/// What can fail comes early: the app is checked before its database is touched.
pub fn deploy() -> Plan {
    // To start the app costs more than most of what it is asked then.
    let start = Start::default();
    let built = Plan::default()
        .step(Record)
        .step(Checkout)
        .step(LinkShared)
        .together(Venv, Frontends)
        .step(BootAhead(start.clone()))
        .step(CheckApp(start.clone()))
        .step(CollectStatic(start.clone()))
        .step(KeepAssets)
        .step(Migrate(start));
    switch(built).afterwards(Prune)
}

/// Makes a release active that exists already.
///
/// An old release is checked like a new one, and the one that is left serves until then. Pages of
/// that one find their scripts afterwards, too.
pub fn rollback() -> Plan {
    switch(Plan::default().step(KeepAssets))
}

/// Boots the active release anew, with the configuration as it is now, which becomes its own in the
/// last step that can fail.
pub fn restart() -> Plan {
    switch(Plan::default().step(Configure)).step(Adopt)
}

/// The one road from a release that is built to one that serves.
///
/// Until `Activate` users reach the old release, and every step can be taken back. The new processes
/// have proved healthy on a socket of their own, and to run from the new release alone, before
/// anyone is sent to them. Lines of cron are added before and taken out afterwards, for each runs
/// what is active at its time. Old workers stop taking tasks before the new code can enqueue one that
/// they do not know. Once `Verify` has asked from outside, the new release serves for good: the
/// old one is drained.
fn switch(built: Plan) -> Plan {
    built
        .step(Boot)
        .step(HealthCheck)
        .step(Prove)
        .step(AddEntries)
        .step(OpenPorts)
        .step(HandOver)
        .step(Activate)
        .step(Reload)
        .step(Verify)
        .afterwards(KeepEntries)
        .afterwards(ClosePorts)
        .afterwards(EndStandIns)
        .afterwards(Drain)
}
