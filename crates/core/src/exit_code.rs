//! The exit codes of `release`: documented and stable, because hooks and scripts read them.

/// Done, or nothing to do.
pub const DONE: u8 = 0;
/// Our own fault: a bug.
pub const BUG: u8 = 1;
/// Wrong usage or configuration.
pub const USAGE: u8 = 2;
/// Failed; nothing changed for users.
pub const FAILED: u8 = 3;
/// Failed after `activate`; the old release was put back.
pub const ROLLED_BACK: u8 = 4;
/// Needs a human: the message says what stands and what to type.
pub const STUCK: u8 = 5;
/// Another run holds the lock.
pub const LOCKED: u8 = 6;
