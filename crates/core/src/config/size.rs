//! A number of bytes, as people write it: `512k`, `20m`, `1g`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};
use serde_yaml::Value;

/// How many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 4] = [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10), ("", 1)];

impl Size {
    /// Reads `512k`, `20m`, `1g` or a number of bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let unit = text[digits..].to_ascii_lowercase();
        let (_, bytes) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        text[..digits].parse::<u64>().ok()?.checked_mul(bytes).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, bytes): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*bytes);
        let (unit, bytes) = UNITS.iter().find(whole).unwrap_or(&("", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        Size::parse(&text).ok_or_else(|| D::Error::custom("expected a size such as 512k, 20m or 1g"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (text, bytes) in [("0", 0), ("1000", 1000), ("512k", 524_288), ("20m", 20 << 20), ("1g", 1 << 30)]
        {
            let size = Size::parse(text).unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, text));
        }
        assert_eq!(Size::parse("20M"), Some(Size(20 << 20)));
        for wrong in ["", "m", "20 m", "20mb", "-1", "1.5g", "99999999999g"] {
            assert_eq!(Size::parse(wrong), None, "{wrong}");
        }
    }
}
