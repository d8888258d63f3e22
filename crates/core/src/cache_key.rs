//! Names what a cache entry is made of: equal ingredients, equal key.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A key that grows with each ingredient.
#[derive(Clone, Debug)]
pub struct CacheKey {
    hash: Sha256,
    inputs: Inputs,
}

/// What went into an entry, kept beside it: what differs from it later can be named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(Vec<Input>);

/// One ingredient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Input {
    /// As people know it: `requirements.txt`, `python`.
    name: String,
    /// Its value, where that may be shown and is short; else nothing.
    shown: Option<String>,
    /// Enough to see that it changed, and too little to learn a secret from.
    digest: String,
}

/// Half of a sha256 is enough to tell entries apart, and keeps `#!` lines short.
const DIGITS: usize = 32;
const FEW_DIGITS: usize = 8;

impl CacheKey {
    /// A key for one kind of entry. Raise `format` when entries are built in another way.
    pub fn new(kind: &str, format: u32) -> Self {
        let mut key = Self { hash: Sha256::new(), inputs: Inputs::default() };
        key.feed(kind, format.to_string().as_bytes());
        key
    }

    /// Adds an ingredient that is never shown. The order counts.
    pub fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.add(name, value.as_ref(), None)
    }

    /// Adds an ingredient whose value people may see.
    pub fn shown(self, name: &str, value: &str) -> Self {
        self.add(name, value.as_bytes(), Some(value.to_owned()))
    }

    fn add(mut self, name: &str, value: &[u8], shown: Option<String>) -> Self {
        self.feed(name, value);
        let digest = hex(&Sha256::digest(value), FEW_DIGITS);
        self.inputs.0.push(Input { name: name.to_owned(), shown, digest });
        self
    }

    /// Lengths first, so that no two lists of ingredients read the same.
    fn feed(&mut self, name: &str, value: &[u8]) {
        for part in [name.as_bytes(), value] {
            self.hash.update((part.len() as u64).to_le_bytes());
            self.hash.update(part);
        }
    }

    /// The key as a file name.
    pub fn finish(&self) -> String {
        hex(&self.hash.clone().finalize(), DIGITS)
    }

    /// What went into it.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }
}

impl Inputs {
    /// What differs from `earlier` ones, each as people would say it.
    pub fn changes_since(&self, earlier: &Inputs) -> Vec<String> {
        let here = self.0.iter().filter_map(|input| match earlier.find(&input.name) {
            None => Some(format!("{} is new", input.name)),
            Some(before) if before.digest == input.digest => None,
            Some(before) => Some(input.change_from(before)),
        });
        let gone = earlier.0.iter().filter(|input| self.find(&input.name).is_none());
        here.chain(gone.map(|input| format!("{} is gone", input.name))).collect()
    }

    fn find(&self, name: &str) -> Option<&Input> {
        self.0.iter().find(|input| input.name == name)
    }
}

impl Input {
    fn change_from(&self, before: &Input) -> String {
        match (&before.shown, &self.shown) {
            (Some(before), Some(now)) => format!("{} was {before} and is {now}", self.name),
            _ => format!("{} changed", self.name),
        }
    }
}

fn hex(bytes: &[u8], digits: usize) -> String {
    let mut hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[(&str, &str)]) -> String {
        parts.iter().fold(CacheKey::new("venv", 1), |key, (name, value)| key.with(name, value)).finish()
    }

    #[test]
    fn equal_ingredients_make_equal_keys() {
        let parts = [("requirements.txt", "Django==5.2.19\n"), ("python", "3.11.7")];
        assert_eq!(key(&parts), key(&parts));
        assert_eq!(key(&parts).len(), DIGITS);
    }

    #[test]
    fn every_difference_makes_another_key() {
        let keys = [
            key(&[]),
            key(&[("a", "b")]),
            key(&[("ab", "")]),
            key(&[("", "ab")]),
            key(&[("a", ""), ("b", "")]),
            key(&[("b", ""), ("a", "")]),
            CacheKey::new("bundle", 1).finish(),
            CacheKey::new("venv", 2).finish(),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
    }

    #[test]
    fn what_changed_is_named_and_a_secret_is_not() {
        let before =
            CacheKey::new("bundle", 1).shown("node", "v20").with("TOKEN", "hunter2").with("old", "1");
        let now = CacheKey::new("bundle", 1).shown("node", "v22").with("TOKEN", "hunter3").with("new", "1");
        let changes = now.inputs().changes_since(before.inputs());
        assert_eq!(changes, ["node was v20 and is v22", "TOKEN changed", "new is new", "old is gone"]);
        assert_eq!(now.inputs().changes_since(now.inputs()), [""; 0]);
        let stored = serde_json::to_string(now.inputs()).unwrap();
        assert!(!stored.contains("hunter"), "{stored}");
        assert_eq!(serde_json::from_str::<Inputs>(&stored).unwrap(), *now.inputs());
    }
}
