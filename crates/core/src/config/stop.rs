//! `stop:` of a service: a ladder of signals with patience.

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::Wait;
use super::fields::{Fields, Report, name};

/// How a process is asked to end: one signal after the other, and KILL at the end of all patience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Rungs")]
pub struct Stop(pub Vec<Rung>);

/// Records of releases from before there were ladders hold a single signal.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rungs {
    One(Rung),
    Ladder(Vec<Rung>),
}

impl From<Rungs> for Stop {
    fn from(rungs: Rungs) -> Self {
        match rungs {
            Rungs::One(rung) => Self(vec![rung]),
            Rungs::Ladder(ladder) => Self(ladder),
        }
    }
}

/// A signal, and how long it may take until it has worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Such as `TERM`.
    pub signal: String,
    /// How long the process may take then.
    pub wait: Wait,
}

impl Stop {
    /// A single signal.
    pub fn one(signal: &str, wait: Wait) -> Self {
        Self(vec![Rung { signal: signal.to_owned(), wait }])
    }
}

const SIGNALS: [&str; 6] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"];
/// How long a signal may take where nothing is said.
const USUAL: Wait = Wait::seconds(40);

/// Whether `text` names a signal that a process can answer to.
pub(super) fn is_signal(text: &str) -> bool {
    SIGNALS.contains(&text)
}

/// `[TERM 10m, INT 30s, KILL]`, one such text, or `{signal: TERM, wait: 10m}`.
pub(super) fn stop(value: Value, path: Vec<String>, report: &mut Report<'_>) -> Stop {
    let rungs = match value {
        Value::Sequence(items) => items,
        other => vec![other],
    };
    let last = rungs.len() - usize::from(!rungs.is_empty());
    let mut ladder = Vec::new();
    for (index, rung) in rungs.into_iter().enumerate() {
        let found = match rung {
            Value::Mapping(_) => Some(from_fields(rung, path.clone(), report)),
            Value::String(text) => from_text(&text, index == last, &path, report),
            _ => {
                report.add(&path, format!("{} should be signals like `TERM 10m`", name(&path)), None);
                None
            }
        };
        ladder.extend(found);
    }
    if ladder.is_empty() {
        let help = Some("begin with a signal that lets it finish: `[TERM 10m, KILL]`".to_owned());
        report.add(&path, format!("{} names no signal but KILL", name(&path)), help);
    }
    Stop(ladder)
}

fn from_fields(value: Value, path: Vec<String>, report: &mut Report<'_>) -> Rung {
    let mut fields = Fields::new(value, path, report);
    let signal: String = fields.take("signal", report).unwrap_or_else(|| "TERM".to_owned());
    let wait = fields.take("wait", report).unwrap_or(USUAL);
    check(&fields.at("signal"), &signal, report);
    fields.finish(report);
    Rung { signal, wait }
}

/// `KILL` at the end says what happens anyway.
fn from_text(text: &str, is_last: bool, path: &[String], report: &mut Report<'_>) -> Option<Rung> {
    let (signal, wait) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if signal == "KILL" && is_last && wait.is_empty() {
        return None;
    }
    check(path, signal, report);
    let wait = if wait.is_empty() { Some(USUAL) } else { Wait::parse(wait.trim()) };
    if wait.is_none() {
        let help = Some("write it like `TERM 10m`".to_owned());
        report.add(path, format!("{}: `{text}` has no length of time", name(path)), help);
    }
    Some(Rung { signal: signal.to_owned(), wait: wait.unwrap_or(USUAL) })
}

fn check(path: &[String], signal: &str, report: &mut Report<'_>) {
    if !SIGNALS.contains(&signal) {
        let help = Some(format!("use one of {}; KILL comes by itself at the end", SIGNALS.join(", ")));
        report.add(path, format!("{}: unknown signal `{signal}`", name(path)), help);
    }
}
