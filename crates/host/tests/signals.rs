//! Alone in its process: the signal is real, and every host of the process hears it.

use std::time::{Duration, Instant};

use release_core::host::{Clock, HostError};
use release_core::layout::Layout;
use release_host::UnixHost;
use rustix::process::{Signal, getpid, kill_process};

#[test]
fn a_signal_interrupts_and_a_second_one_is_swallowed_while_undoing() {
    let root = tempfile::tempdir().unwrap();
    let host = UnixHost::new(Layout::new(root.path())).unwrap();
    kill_process(getpid(), Signal::TERM).unwrap();
    let error = host.pause(Duration::from_secs(60)).unwrap_err();
    assert!(matches!(error, HostError::Interrupted(name) if name == "SIGTERM"));
    host.ignore_interruptions();
    kill_process(getpid(), Signal::INT).unwrap();
    let begun = Instant::now();
    host.pause(Duration::from_millis(200)).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200));
}
