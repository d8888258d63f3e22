//! `log:` of a service: how much is kept of what it prints.

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::Size;
use super::fields::{Fields, Report};

/// The log of a service: one file that grows to a size, and older ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// How large the file grows before it is set aside.
    pub size: Size,
    /// How many that were set aside are kept.
    pub keep: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { size: Size(10 << 20), keep: 3 }
    }
}

/// A smaller one would be set aside for each page of a traceback.
const LEAST: Size = Size(16 << 10);
const MOST: u32 = 1000;

pub(super) fn log(value: Value, path: Vec<String>, report: &mut Report<'_>) -> Log {
    let mut fields = Fields::new(value, path, report);
    let usual = Log::default();
    let log = Log {
        size: fields.take("size", report).unwrap_or(usual.size),
        keep: fields.take("keep", report).unwrap_or(usual.keep),
    };
    if log.size < LEAST {
        let help = Some("write it like `log: {size: 10M, keep: 3}`".to_owned());
        report.add(
            &fields.at("size"),
            format!("a log of {} holds too little: {LEAST} at least", log.size),
            help,
        );
    }
    if log.keep > MOST {
        let help = Some(format!("keep at most {MOST}, or let the files grow larger: `size: 100M`"));
        report.add(&fields.at("keep"), format!("{} old logs are too many", log.keep), help);
    }
    fields.finish(report);
    log
}
