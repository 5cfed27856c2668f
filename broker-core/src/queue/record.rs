//! The queue record: where the queue's rows begin and end, and its counts. Written with every commit that changes the
//! queue, so that opening a queue needs no scan of what waits in it.

use bytes::Bytes;

use crate::{
    codec::{Malformed, Reader},
    ids::NUMBER_MAX,
};

/// One row of the meta space per queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Where the queue's rows are. A purge moves the queue to a new partition.
    pub(crate) partition: u64,
    /// The first sequence that is not in memory and not gone: scans begin here.
    pub(crate) head: u64,
    /// The next sequence to be given out. Never goes back, not even when the queue empties.
    pub(crate) tail: u64,
    /// Messages stored.
    pub(crate) stored: u64,
    /// Messages with a cold lease: received before, and now in storage only.
    pub(crate) cold: u64,
    /// Delayed messages that are in storage only.
    pub(crate) delayed: u64,
    /// The time of the commit: the broker's time goes on from the newest of these.
    pub(crate) as_of: u64,
}

const FIELDS: usize = 7;

impl Record {
    /// On the stack: it is written with every commit.
    pub(crate) fn encode(&self) -> [u8; FIELDS * 8] {
        let mut out = [0; FIELDS * 8];
        let Self { partition, head, tail, stored, cold, delayed, as_of } = *self;
        let fields = [partition, head, tail, stored, cold, delayed, as_of];
        for (place, field) in out.as_chunks_mut().0.iter_mut().zip(fields) {
            *place = field.to_le_bytes();
        }
        out
    }

    /// Messages that have no hot lease, as far as that is counted.
    pub(crate) fn in_storage(&self) -> Option<u64> {
        self.cold.checked_add(self.delayed)
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let record = Self {
            partition: reader.u64()?,
            head: reader.u64()?,
            tail: reader.u64()?,
            stored: reader.u64()?,
            cold: reader.u64()?,
            delayed: reader.u64()?,
            as_of: reader.u64()?,
        };
        reader.end()?;
        if record.head > record.tail {
            return Err(Malformed("the head lies behind the tail"));
        }
        if record.tail > NUMBER_MAX || record.stored > record.tail {
            return Err(Malformed("more messages than there can be"));
        }
        if record.in_storage().is_none_or(|elsewhere| elsewhere > record.stored) {
            return Err(Malformed("more cold and delayed messages than there are messages"));
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: Record =
        Record { partition: 1, head: 10, tail: 20, stored: 9, cold: 3, delayed: 4, as_of: 5 };

    fn stored(record: Record) -> Result<Record, Malformed> {
        Record::decode(&Bytes::copy_from_slice(&record.encode()))
    }

    #[test]
    fn a_record_at_its_limits_comes_back_as_it_was_stored() {
        let cases = [
            SOUND,
            Record { head: 20, ..SOUND },
            Record { stored: 20, ..SOUND },
            Record { cold: 9, delayed: 0, ..SOUND },
            Record { cold: 4, delayed: 5, ..SOUND },
            Record { tail: NUMBER_MAX, stored: NUMBER_MAX, ..SOUND },
            Record { head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, ..SOUND },
        ];
        for record in cases {
            assert_eq!(stored(record), Ok(record));
        }
    }

    #[test]
    fn a_record_beyond_its_limits_is_refused() {
        let cases = [
            Record { head: 21, ..SOUND },
            Record { stored: 21, ..SOUND },
            Record { tail: NUMBER_MAX + 1, ..SOUND },
            Record { tail: NUMBER_MAX + 1, stored: NUMBER_MAX + 1, ..SOUND },
            Record { cold: 10, delayed: 0, ..SOUND },
            Record { cold: 0, delayed: 10, ..SOUND },
            Record { cold: 5, delayed: 5, ..SOUND },
            Record { cold: u64::MAX, delayed: u64::MAX, ..SOUND },
        ];
        for record in cases {
            assert!(stored(record).is_err(), "{record:?}");
        }
        let bytes = Bytes::copy_from_slice(&SOUND.encode());
        assert!(Record::decode(&bytes.slice(1..)).is_err());
        assert!(Record::decode(&[bytes.as_ref(), &[0]].concat().into()).is_err());
    }
}
