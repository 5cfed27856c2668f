//! What changes about a message while its body stays: when it becomes visible, and how often it was received.

use bytes::Bytes;

use crate::codec::{Malformed, Reader, write_u32, write_u64};

/// The mutable part of a message. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// When the message was sent: retention counts from here.
    pub(crate) sent_at: u64,
    /// When the message can be received (again).
    pub(crate) visible_at: u64,
    /// When it was received for the first time; zero if never.
    pub(crate) first_received_at: u64,
    /// When it was received last; zero if never.
    pub(crate) received_at: u64,
    /// How often it was handed out.
    pub(crate) deliveries: u32,
}

const ENCODED_BYTES: usize = 4 * 8 + 4;

impl Lease {
    /// A message that nobody has received yet.
    pub(crate) fn untouched(sent_at: u64, visible_at: u64) -> Self {
        Self { sent_at, visible_at, first_received_at: 0, received_at: 0, deliveries: 0 }
    }

    /// The lease after one more hand-out.
    pub(crate) fn handed_out(self, now: u64, visibility_timeout: u64) -> Self {
        Self {
            visible_at: now.saturating_add(visibility_timeout),
            first_received_at: if self.deliveries == 0 { now } else { self.first_received_at },
            received_at: now,
            deliveries: self.deliveries.saturating_add(1),
            ..self
        }
    }

    /// The lease after a hand-out that did not arrive: as if it had not been, and visible now.
    pub(crate) fn taken_back(self, now: u64) -> Self {
        let deliveries = self.deliveries.saturating_sub(1);
        let first_received_at = if deliveries == 0 { 0 } else { self.first_received_at };
        Self { visible_at: now, first_received_at, deliveries, ..self }
    }

    /// The lease, knowing that this delivery took place: its receipt proves it, even if a power cut has undone it.
    pub(crate) fn proven(self, delivery: u32, now: u64) -> Self {
        if self.deliveries >= delivery {
            return self;
        }
        let first_received_at = if self.deliveries == 0 { now } else { self.first_received_at };
        Self { deliveries: delivery, first_received_at, received_at: now, ..self }
    }

    pub(crate) fn encode(&self) -> [u8; ENCODED_BYTES] {
        let mut out = Vec::with_capacity(ENCODED_BYTES);
        for time in [self.sent_at, self.visible_at, self.first_received_at, self.received_at] {
            write_u64(&mut out, time);
        }
        write_u32(&mut out, self.deliveries);
        out.try_into().expect("four times and a count")
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let lease = Self {
            sent_at: reader.u64()?,
            visible_at: reader.u64()?,
            first_received_at: reader.u64()?,
            received_at: reader.u64()?,
            deliveries: reader.u32()?,
        };
        reader.end()?;
        Ok(lease)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_lease_comes_back_as_it_was_stored(
            sent_at: u64, visible_at: u64, first_received_at: u64, received_at: u64, deliveries: u32,
        ) {
            let lease = Lease { sent_at, visible_at, first_received_at, received_at, deliveries };
            let stored = Bytes::copy_from_slice(&lease.encode());
            prop_assert_eq!(Lease::decode(&stored), Ok(lease));
            prop_assert!(Lease::decode(&stored.slice(1..)).is_err());
        }
    }
}
