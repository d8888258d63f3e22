//! `instances:` of a service: how many of it run beside each other.

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};
use serde_yaml::Value;

use super::Service;

/// How many programs of a service a generation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// So many.
    Number(u32),
    /// As many as there are processors: `$CORES`.
    Cores,
}

/// More than that is a slip of the pen.
const MOST: u64 = 99;

impl Default for Instances {
    fn default() -> Self {
        Self::Number(1)
    }
}

impl Instances {
    /// How many on a machine with `cores` processors.
    pub fn count(self, cores: usize) -> u32 {
        match self {
            Self::Number(number) => number,
            Self::Cores => cores.clamp(1, MOST as usize) as u32,
        }
    }
}

impl Service {
    /// The numbers of its instances on a machine with `cores` processors; one alone has none.
    pub fn instances_on(&self, cores: usize) -> Vec<Option<u32>> {
        match self.instances.count(cores) {
            1 => vec![None],
            count => (1..=count).map(Some).collect(),
        }
    }

    /// `worker`, or `worker.2`: no service can have that name itself.
    pub fn instance_name(&self, instance: Option<u32>) -> String {
        instance.map_or_else(|| self.name.clone(), |number| format!("{}.{number}", self.name))
    }
}

impl Serialize for Instances {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u32(*number),
            Self::Cores => serializer.serialize_str("$CORES"),
        }
    }
}

impl<'de> Deserialize<'de> for Instances {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.as_u64() {
            Some(number @ 1..=MOST) => Ok(Self::Number(number as u32)),
            _ if matches!(value.as_str(), Some("$CORES" | "${CORES}")) => Ok(Self::Cores),
            _ => Err(D::Error::custom(format!("expected a number from 1 to {MOST}, or $CORES"))),
        }
    }
}
