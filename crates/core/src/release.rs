//! A release, by name, and the generations of processes that it runs.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::revision::Revision;

/// The name of a release: `20261120T101500Z-3f2c1a9`, a UTC timestamp and a short sha.
///
/// Names sort by time, and none is ever used twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(String);

/// A text that names no release.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the name of a release, such as 20261120T101500Z-3f2c1a9")]
pub struct NotARelease(String);

const STAMP: usize = "20261120T101500Z".len();

impl ReleaseId {
    /// Length of every id in bytes.
    pub const LENGTH: usize = STAMP + 1 + 7;

    /// The id for a release of `revision` begun at `now`, later than any of `known`.
    pub fn new(now: Timestamp, revision: &Revision, known: impl Iterator<Item = ReleaseId>) -> Self {
        let mut stamp = stamp(now);
        if let Some(last) = known.map(|id| id.0[..STAMP].to_owned()).max() {
            let mut at = now;
            while stamp <= last {
                at += SignedDuration::from_secs(1);
                stamp = self::stamp(at);
            }
        }
        Self(format!("{stamp}-{}", revision.short()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When the release was begun.
    pub fn created_at(&self) -> Timestamp {
        parse_stamp(&self.0[..STAMP]).expect("a parsed id begins with a timestamp")
    }
}

fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn parse_stamp(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl FromStr for ReleaseId {
    type Err = NotARelease;

    fn from_str(text: &str) -> Result<Self, NotARelease> {
        let hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        let valid = text.len() == Self::LENGTH
            && text.is_ascii()
            && text.as_bytes()[STAMP] == b'-'
            && text.bytes().skip(STAMP + 1).all(hex)
            && parse_stamp(&text[..STAMP]).is_some();
        if valid { Ok(Self(text.to_owned())) } else { Err(NotARelease(text.to_owned())) }
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = NotARelease;

    fn try_from(text: String) -> Result<Self, NotARelease> {
        text.parse()
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> Self {
        id.0
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReleaseId({})", self.0)
    }
}

/// The processes that one release runs, from one boot to their end.
///
/// A release that is booted again (a cold rollback) gets a new number, and with it sockets of
/// its own: two generations never share a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation {
    /// The release whose code runs.
    pub release: ReleaseId,
    /// Counts the boots of this release, from 1.
    pub number: u32,
}

impl Generation {
    /// What the process manager calls `service` of this generation: `web-<release>-g1`. One of
    /// several instances goes by its own name: `worker.2-<release>-g1`.
    pub fn program(&self, service: &str) -> String {
        format!("{service}-{self}")
    }

    /// The service and generation that a program's name tells, whichever instance of the service
    /// it is; `None` if it is not one of ours.
    pub fn of_program(name: &str) -> Option<(String, Generation)> {
        let (name, generation) = Self::of_instance(name)?;
        Some((name.split('.').next()?.to_owned(), generation))
    }

    /// Like [`Generation::of_program`], with the name of the instance: `worker.2`.
    pub fn of_instance(name: &str) -> Option<(String, Generation)> {
        let split = name.rfind("-g")?.checked_sub(ReleaseId::LENGTH + 1)?;
        let (service, generation) = (name.get(..split)?, name.get(split..)?.strip_prefix('-')?);
        Some((service.to_owned(), generation.parse().ok()?)).filter(|(service, _)| !service.is_empty())
    }
}

/// `20261120T101500Z-3f2c1a9-g1`.
impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-g{}", self.release, self.number)
    }
}

/// A text that names no generation.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the name of a generation, such as 20261120T101500Z-3f2c1a9-g1")]
pub struct NotAGeneration(String);

impl FromStr for Generation {
    type Err = NotAGeneration;

    fn from_str(text: &str) -> Result<Self, NotAGeneration> {
        let parts = || {
            let (release, number) = text.rsplit_once("-g")?;
            Some(Generation { release: release.parse().ok()?, number: number.parse().ok()? })
        };
        parts().ok_or_else(|| NotAGeneration(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision() -> Revision {
        "3f2c1a9d0c5b4e6f7a8b9c0d1e2f3a4b5c6d7e8f".parse().unwrap()
    }

    #[test]
    fn an_id_is_a_utc_timestamp_and_a_short_sha() {
        let now: Timestamp = "2026-11-20T10:15:00.7Z".parse().unwrap();
        let id = ReleaseId::new(now, &revision(), std::iter::empty());
        assert_eq!(id.as_str(), "20261120T101500Z-3f2c1a9");
        assert_eq!(id.created_at().to_string(), "2026-11-20T10:15:00Z");
        assert_eq!(id.as_str().parse::<ReleaseId>().unwrap(), id);
    }

    #[test]
    fn an_id_is_later_than_every_known_one_even_when_the_clock_went_back() {
        let now: Timestamp = "2026-11-20T10:15:00Z".parse().unwrap();
        let known = ["20261120T101500Z-3f2c1a9", "20261120T101507Z-aaaaaaa"].map(|id| id.parse().unwrap());
        let id = ReleaseId::new(now, &revision(), known.into_iter());
        assert_eq!(id.as_str(), "20261120T101508Z-3f2c1a9");
    }

    #[test]
    fn other_names_are_refused() {
        for wrong in [
            "",
            "current",
            "20261320T101500Z-3f2c1a9",
            "20261120T101500Z_3f2c1a9",
            "20261120T101500Z-3f2c1a9x",
        ] {
            assert!(wrong.parse::<ReleaseId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_programs_name_tells_its_service_and_generation() {
        let generation = Generation { release: "20261120T101500Z-3f2c1a9".parse().unwrap(), number: 12 };
        let name = generation.program("celery-gpu");
        assert_eq!(name, "celery-gpu-20261120T101500Z-3f2c1a9-g12");
        assert_eq!(Generation::of_program(&name), Some(("celery-gpu".to_owned(), generation.clone())));
        let second = generation.program("celery-gpu.2");
        assert_eq!(Generation::of_program(&second), Some(("celery-gpu".to_owned(), generation.clone())));
        assert_eq!(Generation::of_instance(&second), Some(("celery-gpu.2".to_owned(), generation)));
        for other in ["web", "web-g1", "-20261120T101500Z-3f2c1a9-g1", "web-20261120T101500Z-3f2c1a9"] {
            assert_eq!(Generation::of_program(other), None, "{other}");
        }
    }
}
