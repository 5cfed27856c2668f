//! What goes into a shard and comes out of it: the last minute of it, to see which shard is hot, and the limits of a
//! throttled stream.

use super::StreamState;
use crate::stream::{limits::StreamLimits, shard::ShardId};

const SECONDS: usize = 60;

/// The traffic of a shard, second by second.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// The second, records and bytes; the place of a second is its number modulo 60.
    written: Vec<(u64, u64, u64)>,
    writes: Allowance,
    reads: Allowance,
}

/// What was used of the present second.
#[derive(Debug, Default, Clone, Copy)]
struct Allowance {
    second: u64,
    count: u64,
    bytes: u64,
}

impl Allowance {
    /// Takes something out of this second's allowance, if there is enough left. The first of a second is always taken, or
    /// what is larger than an allowance could never pass.
    fn take(&mut self, bytes: u64, (count_max, bytes_max): (u64, u64), now: u64) -> bool {
        let second = now / 1_000;
        if second != self.second {
            // What was used beyond the last second's allowance is owed.
            let passed = second.saturating_sub(self.second);
            let owed = self.bytes.saturating_sub(bytes_max.saturating_mul(passed));
            *self = Self { second, count: 0, bytes: owed };
        }
        if self.count >= count_max || self.bytes >= bytes_max {
            return false;
        }
        if self.count > 0 && self.bytes.saturating_add(bytes) > bytes_max {
            return false;
        }
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        true
    }
}

/// What was left of this second's allowances of shards before something was taken out of them.
#[derive(Debug, Default)]
pub(crate) struct Allowances(Vec<(u64, u32, Allowance)>);

impl Allowances {
    /// Notes that of the shard of this hash key.
    pub(crate) fn note(&mut self, stream: &mut StreamState, hash: u128) {
        if stream.settings.throttled {
            let shard = stream.shard_of(hash);
            let before = (shard.definition.number, shard.traffic.writes);
            self.0.push((stream.id, before.0, before.1));
        }
    }

    /// Puts all back of a stream as it was.
    pub(crate) fn give_back(&self, stream: &mut StreamState) {
        let of = stream.id;
        for (_, shard, writes) in self.0.iter().rev().filter(|(id, ..)| *id == of) {
            if let Some(shard) = stream.shard_mut(ShardId(*shard)) {
                shard.traffic.writes = *writes;
            }
        }
    }
}

impl Traffic {
    /// Takes note of a record.
    pub(super) fn note(&mut self, bytes: usize, now: u64) {
        if self.written.is_empty() {
            self.written = vec![(0, 0, 0); SECONDS];
        }
        let second = now / 1_000;
        let place = usize::try_from(second % SECONDS as u64).unwrap_or(0);
        let slot = &mut self.written[place];
        if slot.0 != second {
            *slot = (second, 0, 0);
        }
        slot.1 += 1;
        slot.2 += bytes as u64;
    }

    /// Records and bytes of the last 60 seconds.
    pub(super) fn last_minute(&self, now: u64) -> (u64, u64) {
        let since = (now / 1_000).saturating_sub(SECONDS as u64 - 1);
        let recent = self.written.iter().filter(|(second, ..)| *second >= since);
        recent.fold((0, 0), |(records, bytes), slot| (records + slot.1, bytes + slot.2))
    }

    /// Whether a throttled shard takes this record now.
    pub(crate) fn may_write(&mut self, bytes: usize, limits: &StreamLimits, now: u64) -> bool {
        let max = (limits.write_records_per_second, limits.write_bytes_per_second);
        self.writes.take(bytes as u64, max, now)
    }

    /// Whether a throttled shard can be read now.
    pub(crate) fn may_read(&mut self, limits: &StreamLimits, now: u64) -> bool {
        self.reads.take(0, (limits.reads_per_second, limits.read_bytes_per_second), now)
    }

    /// So much was read.
    pub(crate) fn read(&mut self, bytes: usize) {
        self.reads.bytes = self.reads.bytes.saturating_add(bytes as u64);
    }
}
