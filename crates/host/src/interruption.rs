//! The signals that ask a run to stop: INT, TERM and HUP.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use release_core::host::{HostError, HostResult};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Whether somebody asked the run to stop, and by which signal.
///
/// The signals end nothing by themselves: a run that is asked to stop takes back what it did.
#[derive(Debug)]
pub struct Interruption {
    received: watch::Receiver<Option<&'static str>>,
    ignored: AtomicBool,
}

impl Interruption {
    /// Listens for the signals on `runtime`, for the rest of the process's life.
    pub fn listen(runtime: &Runtime) -> io::Result<Self> {
        let _context = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        // Under nohup the hangup is ignored already, and stays so.
        let hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        let (sender, received) = watch::channel(None);
        runtime.spawn(forward(interrupt, terminate, hangup, sender));
        Ok(Self::reading(received))
    }

    /// Takes the signals from a channel.
    pub(crate) fn reading(received: watch::Receiver<Option<&'static str>>) -> Self {
        Self { received, ignored: AtomicBool::new(false) }
    }

    /// From now on interruptions are not reported any more: what runs must come to its end.
    pub fn ignore(&self) {
        self.ignored.store(true, Ordering::SeqCst);
    }

    /// An error if the run was asked to stop.
    pub fn check(&self) -> HostResult<()> {
        match self.signal() {
            Some(name) => Err(HostError::Interrupted(name.to_owned())),
            None => Ok(()),
        }
    }

    /// Returns when the run is asked to stop, with the reason.
    pub async fn interrupted(&self) -> HostError {
        // Only when the runtime goes down is the sender gone, and nobody waits any more.
        if self.received.clone().wait_for(Option::is_some).await.is_ok()
            && let Some(name) = self.signal()
        {
            return HostError::Interrupted(name.to_owned());
        }
        std::future::pending().await
    }

    fn signal(&self) -> Option<&'static str> {
        if self.ignored.load(Ordering::SeqCst) { None } else { *self.received.borrow() }
    }
}

async fn forward(
    mut interrupt: Signal,
    mut terminate: Signal,
    mut hangup: Option<Signal>,
    sender: watch::Sender<Option<&'static str>>,
) {
    loop {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            () = received(&mut hangup) => "SIGHUP",
        };
        sender.send_replace(Some(name));
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}

fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_is_reported_until_it_is_ignored() {
        let (sender, received) = watch::channel(None);
        let interruption = Interruption::reading(received);
        assert!(interruption.check().is_ok());
        sender.send_replace(Some("SIGTERM"));
        assert_eq!(interruption.check().unwrap_err().to_string(), "interrupted by SIGTERM");
        interruption.ignore();
        sender.send_replace(Some("SIGINT"));
        assert!(interruption.check().is_ok());
    }

    #[tokio::test]
    async fn waiting_for_an_interruption_ends_with_it() {
        let (sender, received) = watch::channel(None);
        let interruption = Interruption::reading(received);
        let (error, ()) = tokio::join!(interruption.interrupted(), async {
            sender.send_replace(Some("SIGHUP"));
        });
        assert!(matches!(error, HostError::Interrupted(name) if name == "SIGHUP"));
    }

    #[test]
    fn nohup_shows_in_the_mask_of_ignored_signals() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangup("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
