//! A length of time, as people write it: `30s`, `10m`, `1h`, `7d`, or seconds as a number.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// How long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Wait(pub Duration);

impl Wait {
    /// No time at all.
    pub const ZERO: Wait = Wait(Duration::ZERO);

    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Reads `30s`, `500ms`, `10m`, `1h`, `7d` or a number of seconds.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = text[..digits].parse().ok()?;
        let millis = match text[digits..].trim() {
            "ms" => number,
            "" | "s" => number.checked_mul(1000)?,
            "m" => number.checked_mul(60_000)?,
            "h" => number.checked_mul(3_600_000)?,
            "d" => number.checked_mul(86_400_000)?,
            _ => return None,
        };
        Some(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            millis if millis % 1000 != 0 => write!(f, "{millis}ms"),
            millis if millis % 60_000 != 0 || millis == 0 => write!(f, "{}s", millis / 1000),
            millis => write!(f, "{}m", millis / 60_000),
        }
    }
}

impl Serialize for Wait {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WaitVisitor)
    }
}

struct WaitVisitor;

impl Visitor<'_> for WaitVisitor {
    type Value = Wait;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as 30s, 10m or 1h")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Wait, E> {
        Wait::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Wait, E> {
        Ok(Wait::seconds(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (text, millis) in [("0s", 0), ("500ms", 500), ("30s", 30_000), ("10m", 600_000)] {
            let wait = Wait::parse(text).unwrap();
            assert_eq!((wait.0.as_millis(), wait.to_string().as_str()), (millis, text));
        }
        assert_eq!(Wait::parse("90"), Some(Wait::seconds(90)));
        for wrong in ["", "m", "10 minutes", "-1s", "1.5s"] {
            assert_eq!(Wait::parse(wrong), None, "{wrong}");
        }
    }
}
