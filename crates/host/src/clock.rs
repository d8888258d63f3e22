//! Time.

use std::time::Duration;

use jiff::Timestamp;
use release_core::host::{Clock, HostResult};

use crate::UnixHost;

impl Clock for UnixHost {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn pause(&self, duration: Duration) -> HostResult<()> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                error = self.interruption.interrupted() => Err(error),
                () = tokio::time::sleep(duration) => Ok(()),
            }
        })
    }

    fn ignore_interruptions(&self) {
        self.interruption.ignore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_pause_takes_its_time() {
        let (_root, host) = testing::host();
        let before = host.elapsed();
        host.pause(Duration::from_millis(30)).unwrap();
        assert!(host.elapsed() - before >= Duration::from_millis(30));
    }

    #[test]
    fn a_pause_ends_with_an_interruption_unless_it_is_ignored() {
        let (_root, host, signals) = testing::interruptible_host();
        signals.send_replace(Some("SIGTERM"));
        let error = host.pause(Duration::from_secs(60)).unwrap_err();
        assert_eq!(error.to_string(), "interrupted by SIGTERM");
        host.ignore_interruptions();
        host.pause(Duration::from_millis(1)).unwrap();
    }
}
