//! What people and scripts see. Nothing below this crate prints.

mod human;
mod json;
mod log_file;
mod plain;
mod told;

use std::io::{IsTerminal, Write};

use release_core::event::{Event, Observer};
use release_core::plain_text;
use serde::Serialize;
use serde_json::Value;

pub(crate) use log_file::LogFile;
use told::Told;

use crate::error::Error;

/// Where the output goes, and in which form.
pub(crate) struct Screen {
    json: bool,
    observer: Box<dyn Observer + Send + Sync>,
}

impl Screen {
    /// JSON lines if asked for, a live display on a terminal, plain lines elsewhere.
    pub(crate) fn new(json: bool) -> Self {
        let observer: Box<dyn Observer + Send + Sync> = if json {
            Box::new(json::Json)
        } else if std::io::stdout().is_terminal() {
            Box::new(Told::on(human::Human::new()))
        } else {
            Box::new(Told::on(plain::Plain))
        };
        Self { json, observer }
    }

    /// Whether scripts read along.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A line for people.
    pub(crate) fn say(&self, text: &str) {
        if !self.json {
            line(text);
        }
    }

    /// Facts: as an object with `"version": 1`, or as text for people.
    pub(crate) fn facts<T: Serialize>(&self, facts: &T, human: impl FnOnce() -> String) {
        if self.json {
            line(&json::versioned(facts));
        } else {
            line(human().trim_end());
        }
    }

    /// Why it did not work, and what to do.
    pub(crate) fn error(&self, error: &Error) {
        self.explain(&explanation("", error, error.output(), error.help()));
    }

    /// Tells an [`explanation`].
    pub(crate) fn explain(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{}", harmless(text));
    }
}

/// An error (after `place`, where it happened) with its causes, a command's last lines, and help.
pub(crate) fn explanation(
    place: &str,
    error: &dyn std::error::Error,
    output: &[String],
    help: Option<String>,
) -> String {
    let mut text = format!("error: {place}{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n  caused by: {error}"));
        cause = error.source();
    }
    for line in output {
        text.push_str(&format!("\n  | {line}"));
    }
    if let Some(help) = help {
        text.push_str(&format!("\nhelp: {help}"));
    }
    text
}

impl Observer for Screen {
    fn observe(&self, event: &Event) {
        self.observer.observe(event);
    }
}

/// Tells several observers the same.
pub(crate) struct Both<'a>(pub(crate) &'a dyn Observer, pub(crate) &'a dyn Observer);

impl Observer for Both<'_> {
    fn observe(&self, event: &Event) {
        self.0.observe(event);
        self.1.observe(event);
    }
}

/// Tells nobody: for reads whose result is shown whole or not at all.
pub(crate) struct Silent;

impl Observer for Silent {
    fn observe(&self, _: &Event) {}
}

/// `text` without what would command a terminal: commit messages, file names and logs are others' work.
fn harmless(text: &str) -> String {
    text.split('\n').map(plain_text::plain).collect::<Vec<_>>().join("\n")
}

/// Prints a line; a reader that went away is no reason to stop.
fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", harmless(text)).and_then(|()| out.flush());
}

/// A duration for people: `0.21 s`, `12.3 s`, `2 min 5 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{} min {} s", (s / 60.0) as u64, (s % 60.0) as u64),
    }
}

/// Bytes for people: `12.3 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        b if b < 1_000_000 => format!("{:.1} kB", b as f64 / 1e3),
        b if b < 1_000_000_000 => format!("{:.1} MB", b as f64 / 1e6),
        b => format!("{:.2} GB", b as f64 / 1e9),
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_commands_a_terminal() {
        let text = "error: \x1b[2J\x1b]0;title\x07`evil\u{9b}31m`\n\thelp: a\rb";
        assert_eq!(harmless(text), "error: `evil31m`\n\thelp: ab");
    }
}
