//! What changes about a message while its body stays: when it becomes visible, and how often it was received.

use bytes::Bytes;

use super::row::RowHead;
use crate::{
    codec::{Malformed, Reader},
    storage::Batch,
};

/// The mutable part of a message. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// When the message was sent: retention counts from here.
    pub(crate) sent_at: u64,
    /// When it came into this queue: later, if it was moved from another one.
    pub(crate) queued_at: u64,
    /// When the message can be received (again).
    pub(crate) visible_at: u64,
    /// When it was received for the first time; zero if never.
    pub(crate) first_received_at: u64,
    /// When it was received last; zero if never.
    pub(crate) received_at: u64,
    /// How often it was handed out.
    pub(crate) deliveries: u32,
}

const ENCODED_BYTES: usize = 5 * 8 + 4;
/// The longest group id.
const GROUP_BYTES_MAX: usize = 128;

impl Lease {
    /// A message that nobody has received yet.
    pub(crate) fn untouched(head: RowHead) -> Self {
        let RowHead { sent_at, queued_at, visible_from: visible_at } = head;
        Self { sent_at, queued_at, visible_at, first_received_at: 0, received_at: 0, deliveries: 0 }
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

    /// Stores the lease, and behind it the message's group.
    pub(crate) fn put(&self, key: &[u8], group: Option<&str>, batch: &mut Batch) {
        batch.put_meta_of(key, &self.encode(), group.unwrap_or_default().as_bytes());
    }

    fn encode(&self) -> [u8; ENCODED_BYTES] {
        let mut out = [0; ENCODED_BYTES];
        let times = [self.sent_at, self.queued_at, self.visible_at, self.first_received_at, self.received_at];
        for (place, time) in out.chunks_exact_mut(8).zip(times) {
            place.copy_from_slice(&time.to_le_bytes());
        }
        out[ENCODED_BYTES - 4..].copy_from_slice(&self.deliveries.to_le_bytes());
        out
    }

    /// The lease and the group; no group has no name.
    pub(crate) fn decode(bytes: &Bytes) -> Result<(Self, Option<&str>), Malformed> {
        let mut reader = Reader::new(bytes);
        let lease = Self {
            sent_at: reader.u64()?,
            queued_at: reader.u64()?,
            visible_at: reader.u64()?,
            first_received_at: reader.u64()?,
            received_at: reader.u64()?,
            deliveries: reader.u32()?,
        };
        let group = bytes.get(ENCODED_BYTES..).unwrap_or_default();
        if group.len() > GROUP_BYTES_MAX {
            return Err(Malformed("the group of a lease is too long"));
        }
        let group = std::str::from_utf8(group).map_err(|_| Malformed("the group of a lease is not UTF-8"))?;
        Ok((lease, (!group.is_empty()).then_some(group)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_lease_comes_back_as_it_was_stored(
            sent_at: u64, queued_at: u64, visible_at: u64, first_received_at: u64, received_at: u64, deliveries: u32,
            group in proptest::option::of("[!-~]{1,128}"),
        ) {
            let lease = Lease { sent_at, queued_at, visible_at, first_received_at, received_at, deliveries };
            let stored = [&lease.encode(), group.as_deref().unwrap_or_default().as_bytes()].concat();
            let stored = Bytes::from(stored);
            prop_assert_eq!(Lease::decode(&stored), Ok((lease, group.as_deref())));
            prop_assert!(Lease::decode(&stored.slice(..ENCODED_BYTES - 1)).is_err());
        }
    }

    /// Q54, Q70: a hand-out counts and hides; taken back, it was never there; a receipt proves one that a power cut undid.
    #[test]
    fn hand_outs_are_counted_taken_back_and_proven() {
        let sent = Lease::untouched(RowHead::sent(5, 2));
        let first = sent.handed_out(10, 30);
        let once = Lease { visible_at: 40, first_received_at: 10, received_at: 10, deliveries: 1, ..sent };
        assert_eq!(first, once);
        let second = first.handed_out(50, 7);
        assert_eq!(second, Lease { visible_at: 57, received_at: 50, deliveries: 2, ..once });
        assert_eq!(second.taken_back(52), Lease { visible_at: 52, deliveries: 1, ..second });
        let never = Lease { visible_at: 12, first_received_at: 0, deliveries: 0, ..first };
        assert_eq!(first.taken_back(12), never);
        assert_eq!((second.proven(2, 60), second.proven(1, 60)), (second, second));
        assert_eq!(first.proven(3, 60), Lease { received_at: 60, deliveries: 3, ..first });
        let proven = Lease { first_received_at: 60, received_at: 60, deliveries: 1, ..sent };
        assert_eq!(sent.proven(1, 60), proven);
    }

    #[test]
    fn a_stored_group_has_at_most_128_bytes() {
        let stored = |bytes: usize| [&[0; ENCODED_BYTES], "g".repeat(bytes).as_bytes()].concat().into();
        assert!(Lease::decode(&stored(128)).is_ok());
        assert_eq!(Lease::decode(&stored(129)), Err(Malformed("the group of a lease is too long")));
    }
}
