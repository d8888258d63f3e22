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
        let bar = self.screen.add(ProgressBar::new_spinner().with_style(style(SPINNER)));
        bar.set_prefix(super::harmless(describe));
        bar.enable_steady_tick(Duration::from_millis(100));
        self.bars().insert(step.to_owned(), bar);
    }

    fn progress(&self, step: &str, progress: Progress) {
        let Progress { done, total, unit } = progress;
        let bars = self.bars();
        let Some(bar) = bars.get(step) else { return };
        // A step may go on when all of that is done.
        let (shown, length) = if done >= total { (SPINNER.to_owned(), 0) } else { (counted(unit), total) };
        if bar.length().unwrap_or_default() != length {
            bar.set_style(style(&shown));
            bar.set_length(length);
        }
        bar.set_position(done.min(length));
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

/// While nobody can say how much there is to do.
const SPINNER: &str = "{spinner} {prefix} {elapsed:.dim} {wide_msg:.dim}";

/// A bar with numbers as people read them.
fn counted(unit: &str) -> String {
    let numbers = if unit == "bytes" {
        "{bytes}/{total_bytes}".to_owned()
    } else {
        format!("{{human_pos}}/{{human_len}} {unit}")
    };
    format!("{{spinner}} {{prefix}} {{bar:30}} {numbers}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates here are well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_counts_what_is_to_be_done_and_a_spinner_takes_its_place_afterwards() {
        let human = Human::new();
        human.begin("fetch", "fetch from origin");
        let length = |done, unit| {
            human.progress("fetch", Progress { done, total: 2000, unit });
            human.bars()["fetch"].length().unwrap_or_default()
        };
        assert_eq!((length(1, "objects"), length(2000, "objects"), length(7, "bytes")), (2000, 0, 2000));
        human.end("fetch");
        assert!(human.bars().is_empty());
    }

    #[test]
    fn bytes_are_told_like_people_tell_them() {
        assert!(counted("bytes").ends_with("{bytes}/{total_bytes}"));
        assert!(counted("files").ends_with("{human_pos}/{human_len} files"));
    }
}
