//! Times on the wire: seconds since 1970 in JSON, with a fraction; in CBOR whole milliseconds under tag 1, as the Java client of
//! Kinesis writes and reads them.

use broker_core::Timestamp;
use ciborium::tag::{Captured, Required};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

/// The tag of a time that is a number.
const TAG: u64 = 1;
/// What is later counts as this: whole milliseconds are exact in a fraction up to here.
const LATEST_MILLIS: f64 = 9_007_199_254_740_991.0;

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl Time {
    /// Whole seconds.
    pub(crate) fn seconds(self) -> u64 {
        self.0.as_millis() / 1_000
    }
}

impl Serialize for Time {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are exact until the year 287396")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = self.0.as_millis();
        if serializer.is_human_readable() {
            serializer.serialize_f64(millis as f64 / 1_000.0)
        } else {
            Required::<u64, TAG>(millis).serialize(serializer)
        }
    }
}

/// A number as either protocol has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(i64),
    Fraction(f64),
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = if deserializer.is_human_readable() {
            match Number::deserialize(deserializer)? {
                Number::Whole(seconds) => Number::Whole(seconds.saturating_mul(1_000)),
                fraction @ Number::Fraction(_) => fraction,
            }
        } else {
            // Whole milliseconds, or as other clients of CBOR have it, seconds with a fraction.
            Captured::<Number>::deserialize(deserializer)?.1
        };
        let millis = match number {
            Number::Whole(millis) => u64::try_from(millis).unwrap_or(0),
            Number::Fraction(seconds) => rounded(seconds * 1_000.0),
        };
        Ok(Self(Timestamp::from_millis(millis)))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn rounded(millis: f64) -> u64 {
    millis.round().clamp(0.0, LATEST_MILLIS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(millis: u64) -> Time {
        Time(Timestamp::from_millis(millis))
    }

    #[test]
    fn times_are_seconds_in_json() {
        assert_eq!(serde_json::to_string(&time(1_500)).unwrap(), "1.5");
        for (text, millis) in [("1.5", 1_500), ("2", 2_000), ("-1", 0), ("1e300", 9_007_199_254_740_991)] {
            assert_eq!(serde_json::from_str::<Time>(text).unwrap(), time(millis), "{text}");
        }
        assert!(serde_json::from_str::<Time>("\"soon\"").is_err());
    }

    #[test]
    fn times_are_tagged_milliseconds_in_cbor() {
        let mut written = Vec::new();
        ciborium::into_writer(&time(1_500), &mut written).unwrap();
        assert_eq!(written, [0xc1, 0x19, 0x05, 0xdc]);
        assert_eq!(ciborium::from_reader::<Time, _>(&written[..]).unwrap(), time(1_500));
        // Without a tag, and as a fraction of seconds.
        assert_eq!(ciborium::from_reader::<Time, _>(&written[1..]).unwrap(), time(1_500));
        let half = [0xc1, 0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0];
        assert_eq!(ciborium::from_reader::<Time, _>(&half[..]).unwrap(), time(1_500));
    }
}
