//! As whom a service's processes run, and within what bounds: `user`, `umask`, `limits` and the like.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};
use serde_yaml::Value;

use super::Size;
use super::fields::{Fields, Report, name};

/// What `release exec` sets before it becomes the service's command. What is not said stays as
/// the process manager has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ProcessSettings {
    /// The user, by name.
    pub user: Option<String>,
    /// The group, by name; the user's own where nothing is said.
    pub group: Option<String>,
    /// The permissions that new files do not get.
    pub umask: Option<Umask>,
    /// From -20, which is served first, to 19.
    pub nice: Option<i32>,
    /// How much the kernel lets each process use.
    pub limits: BTreeMap<Resource, Bound>,
}

/// Permission bits, written as digits from 0 to 7: `027`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Umask(pub u32);

/// What the kernel limits for each process; `processes` for all of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Open files and sockets.
    Nofile,
    /// Processes and threads of the user.
    Processes,
    /// Bytes of a core dump.
    Core,
    /// Bytes of address space.
    Memory,
    /// Bytes of a file that it writes.
    FileSize,
    /// Bytes of the main thread's stack.
    Stack,
    /// Bytes that are kept from being swapped out.
    LockedMemory,
}

/// How much of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// So many, or so many bytes.
    At(Size),
    /// As much as it wants.
    Unlimited,
}

impl Resource {
    /// All of them.
    pub const ALL: [Resource; 7] = [
        Resource::Nofile,
        Resource::Processes,
        Resource::Core,
        Resource::Memory,
        Resource::FileSize,
        Resource::Stack,
        Resource::LockedMemory,
    ];

    /// As it is written in `release.yml`.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Nofile => "nofile",
            Resource::Processes => "processes",
            Resource::Core => "core",
            Resource::Memory => "memory",
            Resource::FileSize => "file_size",
            Resource::Stack => "stack",
            Resource::LockedMemory => "locked_memory",
        }
    }
}

pub(super) fn process(fields: &mut Fields, report: &mut Report<'_>) -> ProcessSettings {
    let nice = fields.take("nice", report);
    if nice.is_some_and(|nice: i32| !(-20..=19).contains(&nice)) {
        let help = Some("use 0 to 19 for what may wait; -20 to -1 needs root".to_owned());
        report.add(&fields.at("nice"), format!("{} is not from -20 to 19", name(&fields.at("nice"))), help);
    }
    ProcessSettings {
        user: account(fields, "user", report),
        group: account(fields, "group", report),
        umask: fields.take("umask", report),
        nice,
        limits: limits(fields, report),
    }
}

pub(super) fn account(fields: &mut Fields, key: &'static str, report: &mut Report<'_>) -> Option<String> {
    let text: String = fields.take(key, report)?;
    // As useradd has it; a name with a colon or a blank would be misread by others.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.@$".contains(c);
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        report.add(
            &fields.at(key),
            format!("{}: `{text}` is no name of a {key}", name(&fields.at(key))),
            None,
        );
    }
    Some(text)
}

fn limits(fields: &mut Fields, report: &mut Report<'_>) -> BTreeMap<Resource, Bound> {
    let Some(value) = fields.value("limits") else { return BTreeMap::new() };
    let mut fields = Fields::new(value, fields.at("limits"), report);
    let found = Resource::ALL.map(|resource| (resource, fields.take::<Bound>(resource.name(), report)));
    fields.finish(report);
    found.into_iter().filter_map(|(resource, bound)| Some((resource, bound?))).collect()
}

impl Umask {
    fn parse(text: &str) -> Option<Self> {
        let digits = (3..=4).contains(&text.len()) && text.bytes().all(|c| (b'0'..=b'7').contains(&c));
        u32::from_str_radix(text, 8).ok().filter(|mask| digits && *mask <= 0o777).map(Self)
    }
}

impl fmt::Display for Umask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03o}", self.0)
    }
}

impl Serialize for Umask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Umask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A number could be meant in tens or in eights.
        let value = Value::deserialize(deserializer)?;
        let umask = value.as_str().and_then(Self::parse);
        umask.ok_or_else(|| D::Error::custom("expected three digits from 0 to 7 in quotes, such as \"027\""))
    }
}

impl Bound {
    /// The number; `None` for as much as it wants.
    pub fn number(self) -> Option<u64> {
        match self {
            Bound::At(Size(number)) => Some(number),
            Bound::Unlimited => None,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::At(size) => size.fmt(f),
            Bound::Unlimited => f.write_str("unlimited"),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.as_str() == Some("unlimited") {
            return Ok(Self::Unlimited);
        }
        let size = serde_yaml::from_value(value).map(Self::At);
        size.map_err(|_| D::Error::custom("expected a number, a size such as 512M, or unlimited"))
    }
}
