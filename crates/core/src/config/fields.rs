//! Takes the known keys out of a YAML mapping, and reports what is wrong or left.

use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

use super::lines::line_of;
use super::problem::Problem;

/// Where problems of one file are gathered.
pub(super) struct Report<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    /// Where the app is in its repository.
    pub(super) directory: &'a str,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, directory: &'a str) -> Self {
        Self { file, text, directory, problems: Vec::new() }
    }

    pub(super) fn add(&mut self, path: &[String], what: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: line_of(self.text, path),
            what: what.into(),
            help,
        });
    }
}

/// The keys of one mapping.
pub(super) struct Fields {
    mapping: Mapping,
    known: Vec<&'static str>,
    pub(super) path: Vec<String>,
}

impl Fields {
    /// The mapping `value` at `path`; an empty one, and a problem, if it is something else.
    pub(super) fn new(value: Value, path: Vec<String>, report: &mut Report<'_>) -> Self {
        let mapping = match value {
            Value::Mapping(mapping) => mapping,
            Value::Null => Mapping::new(),
            other => {
                let what = format!("{} should hold keys and values, not {}", name(&path), kind(&other));
                report.add(&path, what, None);
                Mapping::new()
            }
        };
        Self { mapping, known: Vec::new(), path }
    }

    /// The path of one of its keys.
    pub(super) fn at(&self, key: &str) -> Vec<String> {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        path
    }

    /// Takes a key's value as it is.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.mapping.remove(key).filter(|value| !value.is_null())
    }

    /// Takes a key's value as a `T`; `None`, and perhaps a problem, if there is none.
    pub(super) fn take<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let value = self.value(key)?;
        match serde_yaml::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                let path = self.at(key);
                let error =
                    error.to_string().replace("usize", "a whole number").replace("a sequence", "a list");
                report.add(&path, format!("{}: {error}", name(&path)), None);
                None
            }
        }
    }

    /// Reports every key that nobody took.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for key in self.mapping.keys() {
            let key = match key {
                Value::String(key) => key.clone(),
                other => serde_yaml::to_string(other).unwrap_or_default().trim().to_owned(),
            };
            let nearest = self
                .known
                .iter()
                .map(|known| (strsim::damerau_levenshtein(known, &key), known))
                .min()
                .filter(|(distance, _)| *distance <= 3.min(key.len() / 2 + 1));
            let help = match nearest {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None => format!("known keys are {}", self.known.join(", ")),
            };
            report.add(&self.at(&key), format!("unknown key `{}`", name(&self.at(&key))), Some(help));
        }
    }
}

/// A path as people write it: `services.web.command`.
pub(super) fn name(path: &[String]) -> String {
    if path.is_empty() { "the file".to_owned() } else { path.join(".") }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Sequence(_) => "a list",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Null | Value::Mapping(_) | Value::Tagged(_) => "something else",
    }
}
