//! A git commit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A git commit, by its full sha-1 in lowercase hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(String);

/// A text that is no full sha.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a full git sha (40 hexadecimal digits)")]
pub struct NotARevision(String);

impl Revision {
    /// The first seven digits, as git shows it to people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// All forty digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Revision {
    type Err = NotARevision;

    fn from_str(text: &str) -> Result<Self, NotARevision> {
        let hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 40 && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotARevision(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Revision {
    type Error = NotARevision;

    fn try_from(text: String) -> Result<Self, NotARevision> {
        text.parse()
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> Self {
        revision.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_lowercase_sha_is_a_revision() {
        let full = "3f2c1a9d0c5b4e6f7a8b9c0d1e2f3a4b5c6d7e8f";
        assert_eq!(full.parse::<Revision>().unwrap().short(), "3f2c1a9");
        for wrong in ["", "3f2c1a9", &full.to_uppercase(), &format!("{full}0")] {
            assert!(wrong.parse::<Revision>().is_err(), "{wrong}");
        }
    }
}
