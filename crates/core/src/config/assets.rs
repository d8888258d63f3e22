//! `keep_assets:`, a number of releases, or `{releases: 3, age: 7d}`.

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::Wait;
use super::fields::{Fields, Report};

/// Whose hashed static files stay beside those of the next releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeepAssets {
    /// Those of so many releases before the active one.
    pub releases: usize,
    /// Only of releases that served within this time; `None` for any.
    pub age: Option<Wait>,
}

impl Default for KeepAssets {
    fn default() -> Self {
        Self { releases: 3, age: None }
    }
}

pub(super) fn keep_assets(fields: &mut Fields, report: &mut Report<'_>) -> KeepAssets {
    let default = KeepAssets::default();
    let path = fields.at("keep_assets");
    match fields.value("keep_assets") {
        None => default,
        Some(Value::Number(number)) if number.is_u64() => {
            let releases = number.as_u64().and_then(|number| number.try_into().ok()).unwrap_or(usize::MAX);
            KeepAssets { releases, age: None }
        }
        Some(value @ Value::Mapping(_)) => {
            let mut fields = Fields::new(value, path, report);
            let releases = fields.take("releases", report).unwrap_or(default.releases);
            let age = fields.take("age", report);
            fields.finish(report);
            KeepAssets { releases, age }
        }
        Some(_) => {
            let help = "write a number of releases, or `{releases: 3, age: 7d}`".to_owned();
            report.add(&path, "keep_assets should be a number", Some(help));
            default
        }
    }
}
