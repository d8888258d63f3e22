//! A live display for a terminal: a bar while a step works, a line when it is done.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use release_core::event::{Event, Observer, Progress};

use super::plain;

/// Draws the steps that are under way.
pub(super) struct Human {
    screen: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Human {
    pub(super) fn new() -> Self {
        Self { screen: MultiProgress::new(), bars: Mutex::default() }
    }

    fn bars(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, step: &str, describe: &str) {
        let bar = self.screen.add(
            ProgressBar::new_spinner().with_style(style("{spinner} {prefix} {elapsed:.dim} {wide_msg:.dim}")),
        );
        bar.set_prefix(super::harmless(describe));
        bar.enable_steady_tick(Duration::from_millis(100));
        self.bars().insert(step.to_owned(), bar);
    }

    fn progress(&self, step: &str, progress: Progress) {
        if let Some(bar) = self.bars().get(step) {
            if bar.length() != Some(progress.total) && progress.total > 0 {
                let counted = format!("{{spinner}} {{prefix}} {{bar:30}} {{pos}}/{{len}} {}", progress.unit);
                bar.set_style(style(&counted));
                bar.set_length(progress.total);
            }
            bar.set_position(progress.done);
        }
    }

    /// Shows the last line that a command printed: what takes long should be seen to go on.
    fn line(&self, step: &str, text: &str) {
        if let Some(bar) = self.bars().get(step).filter(|_| !text.trim().is_empty()) {
            bar.set_message(super::harmless(text.trim()));
        }
    }

    fn end(&self, step: &str) {
        if let Some(bar) = self.bars().remove(step) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }
}

impl Observer for Human {
    fn observe(&self, event: &Event) {
        match event {
            Event::StepStarted { step, describe } => self.begin(step, describe),
            Event::Progress { step, progress } => self.progress(step, *progress),
            Event::Line { step, text } => self.line(step, text),
            Event::StepEnded { step, .. } | Event::UndoEnded { step, .. } => self.end(step),
            Event::UndoStarted { step } => self.begin(step, &format!("undo {step}")),
            _ => {}
        }
        if let Some(text) = plain::text(event) {
            self.screen.suspend(|| super::line(&text));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates here are well-formed")
}
