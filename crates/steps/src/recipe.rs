//! The program on one screen: the steps of a deploy and of a rollback, in order.

use release_core::plan::Plan;

use crate::activate::Activate;
use crate::boot::Boot;
use crate::checkout::Checkout;
use crate::drain::Drain;
use crate::frontend::Frontends;
use crate::health_check::HealthCheck;
use crate::link_shared::LinkShared;
use crate::prune::Prune;
use crate::record::Record;
use crate::venv::Venv;
use crate::verify::Verify;

/// Builds a revision and makes it active.
pub fn deploy() -> Plan {
    Plan::default()
        .step(Record)
        .step(Checkout)
        .step(LinkShared)
        .together(Venv, Frontends)
        .step(Boot)
        .step(HealthCheck)
        .step(Activate)
        .step(Verify)
        .afterwards(Drain)
        .afterwards(Prune)
}

/// Makes a release active that exists already.
///
/// The same road as the second half of a deploy: an old release is checked like a new one, and
/// the one that is left serves until then.
pub fn rollback() -> Plan {
    Plan::default().step(Boot).step(HealthCheck).step(Activate).step(Verify).afterwards(Drain)
}
