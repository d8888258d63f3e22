//! Names what a cache entry is made of: equal ingredients, equal key.

use sha2::{Digest, Sha256};

/// A key that grows with each ingredient.
#[derive(Clone, Debug)]
pub struct CacheKey {
    hash: Sha256,
}

/// Half of a sha256 is enough to tell entries apart, and keeps `#!` lines short.
const DIGITS: usize = 32;

impl CacheKey {
    /// A key for one kind of entry. Raise `format` when entries are built in another way.
    pub fn new(kind: &str, format: u32) -> Self {
        Self { hash: Sha256::new() }.with(kind, format.to_string())
    }

    /// Adds an ingredient. The order counts.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        // Lengths first, so that no two lists of ingredients read the same.
        for part in [name.as_bytes(), value.as_ref()] {
            self.hash.update((part.len() as u64).to_le_bytes());
            self.hash.update(part);
        }
        self
    }

    /// The key as a file name.
    pub fn finish(self) -> String {
        let digest = self.hash.finalize();
        let mut hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.truncate(DIGITS);
        hex
    }
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
}
