//! How a policy is stored: its text and its scope.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{FilterLimits, FilterPolicy, FilterScope};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
struct Stored<T> {
    scope: FilterScope,
    text: T,
}

impl Serialize for FilterPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored { scope: self.scope(), text: self.as_str() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FilterPolicy {
    /// Within [`FilterLimits::most`]: those of the day when it was stored may have been others than today's.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored { scope, text } = Stored::<String>::deserialize(deserializer)?;
        Self::parse_with(&text, scope, &FilterLimits::most()).map_err(D::Error::custom)
    }
}
