//! The program on one screen: the steps of a deploy and of a rollback, in order.

use release_core::plan::Plan;

use crate::activate::Activate;
use crate::boot::Boot;
use crate::drain::Drain;
use crate::health_check::HealthCheck;
use crate::verify::Verify;

/// Makes a release active that exists already.
///
/// The same road as the second half of a deploy: an old release is checked like a new one, and
/// the one that is left serves until then.
pub fn rollback() -> Plan {
    Plan::default().step(Boot).step(HealthCheck).step(Activate).step(Verify).afterwards(Drain)
}
