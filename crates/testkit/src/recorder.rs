//! Somebody who listens.

use std::sync::Mutex;

use release_core::event::{Event, Observer};

use crate::fake_host::lock;

/// Keeps every event.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
}

impl Recorder {
    /// Every event so far.
    pub fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    /// The warnings among them.
    pub fn warnings(&self) -> Vec<String> {
        self.pick(|event| if let Event::Warning { text } = event { Some(text) } else { None })
    }

    /// The lines that commands printed.
    pub fn lines(&self) -> Vec<String> {
        self.pick(|event| if let Event::Line { text, .. } = event { Some(text) } else { None })
    }

    fn pick(&self, pick: impl Fn(Event) -> Option<String>) -> Vec<String> {
        self.events().into_iter().filter_map(pick).collect()
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event) {
        lock(&self.events).push(event.clone());
    }
}
