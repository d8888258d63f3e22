//! What people are told of a run: what did something, and what of that was undone.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use release_core::event::{Event, Observer, StepEnd};

/// Tells a screen all but that a step was undone which had done nothing: that is for the log.
pub(super) struct Told<O> {
    screen: O,
    skipped: Mutex<BTreeSet<String>>,
}

impl<O> Told<O> {
    pub(super) fn on(screen: O) -> Self {
        Self { screen, skipped: Mutex::default() }
    }

    fn is_worth_telling(&self, event: &Event) -> bool {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::StepEnded { step, end: StepEnd::Skipped(_), .. } => {
                skipped.insert(step.clone());
                true
            }
            // A live display draws a bar from the one to the other.
            Event::UndoStarted { step } | Event::UndoEnded { step, error: None } => !skipped.contains(step),
            _ => true,
        }
    }
}

impl<O: Observer> Observer for Told<O> {
    fn observe(&self, event: &Event) {
        if self.is_worth_telling(event) {
            self.screen.observe(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Ends(Mutex<Vec<String>>);

    impl Observer for Ends {
        fn observe(&self, event: &Event) {
            if let Event::UndoEnded { step, .. } = event {
                self.0.lock().unwrap().push(step.clone());
            }
        }
    }

    #[test]
    fn only_what_did_something_is_told_to_be_undone() {
        let told = Told::on(Ends::default());
        let end = |step: &str, end| Event::StepEnded { step: step.to_owned(), end, seconds: 0.1 };
        let undone = |step: &str, error: Option<&str>| Event::UndoEnded {
            step: step.to_owned(),
            error: error.map(str::to_owned),
        };
        told.observe(&end("checkout", StepEnd::Done(None)));
        told.observe(&end("migrate", StepEnd::Skipped("nothing to apply".to_owned())));
        told.observe(&end("cron", StepEnd::Skipped("there are none".to_owned())));
        told.observe(&end("boot", StepEnd::Failed("it ended".to_owned())));
        let all = [("boot", None), ("cron", Some("denied")), ("migrate", None), ("checkout", None)];
        all.into_iter().for_each(|(step, error)| told.observe(&undone(step, error)));
        assert_eq!(*told.screen.0.lock().unwrap(), ["boot", "cron", "checkout"]);
    }
}
