//! Keeps all that a run tells below `.release/log/<release>/`: the screen is brief, this is complete.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use release_core::event::{Event, Observer};
use release_core::layout::Layout;
use release_core::release::ReleaseId;
use release_host::append_line;

use super::plain;

/// Writes `run.log`, and a log of its own for every step that prints.
pub(crate) struct LogFile {
    layout: Layout,
    release: ReleaseId,
}

impl LogFile {
    pub(crate) fn new(layout: &Layout, release: &ReleaseId) -> Self {
        Self { layout: layout.clone(), release: release.clone() }
    }

    /// Adds what no event tells: why it failed.
    pub(crate) fn explain(&self, text: &str) {
        append(&self.run_log(), text);
    }

    fn run_log(&self) -> PathBuf {
        self.layout.run_log(&self.release)
    }
}

impl Observer for LogFile {
    fn observe(&self, event: &Event) {
        match event {
            Event::Line { step, text } => {
                append(&self.layout.step_log(&self.release, step), text);
                append(&self.run_log(), &format!("    {text}"));
            }
            Event::StepStarted { describe, .. } => append(&self.run_log(), &format!("  … {describe}")),
            Event::StepEnded { step, end, seconds } => {
                append(&self.run_log(), &plain::step_line(step, end, *seconds));
            }
            other => {
                if let Some(text) = plain::text(other) {
                    append(&self.run_log(), &dated(other, text));
                }
            }
        }
    }
}

/// A release's log holds several runs: each begins with its time.
fn dated(event: &Event, text: String) -> String {
    match event {
        Event::Started { .. } => format!("{} {text}", Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC")),
        _ => text,
    }
}

fn append(path: &Path, text: &str) {
    // A log that cannot be written (a full disk) must not fail the deploy that it tells of.
    let _ = append_line(path, &super::harmless(text));
}
