//! Hosts for the tests of this crate, each with a root of its own.

use release_core::layout::Layout;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::{Interruption, UnixHost};

/// A host whose root goes away with the first value.
pub(crate) fn host() -> (TempDir, UnixHost) {
    let root = tempfile::tempdir().unwrap();
    let host = UnixHost::new(Layout::new(root.path())).unwrap();
    (root, host)
}

/// A host that hears the signals of this channel, and none of the test process.
pub(crate) fn interruptible_host() -> (TempDir, UnixHost, watch::Sender<Option<&'static str>>) {
    let (root, mut host) = host();
    let (sender, received) = watch::channel(None);
    host.interruption = Interruption::reading(received);
    (root, host, sender)
}
