//! One versioned JSON object a line.

use release_core::event::{Event, Observer};
use serde::Serialize;
use serde_json::{Map, Value};

/// Writes every event as JSON.
pub(super) struct Json;

impl Observer for Json {
    fn observe(&self, event: &Event) {
        let value = serde_json::to_value(event).expect("an event holds nothing that JSON cannot");
        super::line(&versioned(&super::without_nulls(value)));
    }
}

/// `facts` with `"version": 1` in front.
pub(super) fn versioned<T: Serialize>(facts: &T) -> String {
    let mut object = Map::from_iter([("version".to_owned(), Value::from(1))]);
    let facts = serde_json::to_value(facts).expect("facts hold nothing that JSON cannot");
    if let Value::Object(fields) = facts {
        object.extend(fields);
    }
    Value::Object(object).to_string()
}
