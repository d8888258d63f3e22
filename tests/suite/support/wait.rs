//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// Asks every few milliseconds; fails the test when it takes longer than `limit`.
#[track_caller]
pub(crate) fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited {} s until {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
}
