//! Splits, merges and new numbers of shards (rules K30 to K34): shards are closed and others made, in one step.

use super::{NewIds, Shard, StreamState};
use crate::{
    error::{Error, Result},
    queue::record::Record,
    storage::Batch,
    stream::{hash::HashKeyRange, limits::StreamLimits, shard::ShardId, stored::ShardDefinition},
};

const DAY_MS: u64 = 86_400_000;
/// Beyond this many in 24 hours, new numbers of shards are not counted.
const UPDATES_KEPT_MAX: usize = 1_000;

impl StreamState {
    /// The shards of a new stream.
    pub(crate) fn begin(&mut self, count: u32, now: u64, ids: NewIds<'_>, batch: &mut Batch) {
        for range in HashKeyRange::divided(count) {
            self.add(range, [None, None], now, ids, batch);
        }
        self.find_open();
    }

    /// Refuses one more open shard if there are as many as may be (rule K32).
    pub(crate) fn check_room(&self, limits: &StreamLimits) -> Result<()> {
        let max = limits.shards_max;
        if self.open.len() >= max {
            return Err(Error::TooMany { what: "open shards of the stream", max });
        }
        Ok(())
    }

    /// Splits an open shard: the second one begins at this hash key (rule K30).
    pub(crate) fn split(
        &mut self,
        id: ShardId,
        start: u128,
        now: u64,
        ids: NewIds<'_>,
        batch: &mut Batch,
    ) -> Result<[ShardId; 2]> {
        let HashKeyRange { start: first, end } = self.open_shard(id)?.definition.range;
        if start <= first.saturating_add(1) || start >= end {
            let reason = format!(
                "is not both greater than one plus the start {first} of {id} and less than its end {end}"
            );
            return Err(Error::invalid("new_starting_hash_key", start, reason));
        }
        self.epoch += 1;
        self.close(&[id], now, batch);
        let low =
            self.add(HashKeyRange { start: first, end: start - 1 }, [Some(id.0), None], now, ids, batch);
        let high = self.add(HashKeyRange { start, end }, [Some(id.0), None], now, ids, batch);
        self.open.extend([(first, low.0), (start, high.0)]);
        Ok([low, high])
    }

    /// Merges two open shards, of which the second begins where the first ends (rule K31).
    pub(crate) fn merge(
        &mut self,
        first: ShardId,
        second: ShardId,
        now: u64,
        ids: NewIds<'_>,
        batch: &mut Batch,
    ) -> Result<ShardId> {
        let (low, high) =
            (self.open_shard(first)?.definition.range, self.open_shard(second)?.definition.range);
        if low.end.checked_add(1) != Some(high.start) {
            let reason = "are not an adjacent pair of shards eligible for merging";
            return Err(Error::invalid("shards", format!("{first} and {second}"), reason));
        }
        self.epoch += 1;
        self.close(&[first, second], now, batch);
        let range = HashKeyRange { start: low.start, end: high.end };
        let merged = self.add(range, [Some(first.0), Some(second.0)], now, ids, batch);
        self.open.remove(&high.start);
        self.open.insert(low.start, merged.0);
        Ok(merged)
    }

    /// Splits and merges until there are so many shards, all of the same size (rule K34).
    pub(crate) fn set_count(
        &mut self,
        target: u32,
        limits: &StreamLimits,
        now: u64,
        ids: NewIds<'_>,
        batch: &mut Batch,
    ) -> Result<()> {
        let present = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        if target == 0 || target > present.saturating_mul(2) || target < present.div_ceil(2) {
            let reason = format!("must be between half and double the present {present}");
            return Err(Error::invalid("shard_count", target, reason));
        }
        if target as usize > limits.shards_max {
            return Err(Error::TooMany { what: "shards of the stream", max: limits.shards_max });
        }
        self.updates.retain(|at| now.saturating_sub(*at) < DAY_MS);
        if self.updates.len() >= limits.updates_a_day_max {
            return Err(Error::TooMany {
                what: "new numbers of shards in 24 hours",
                max: limits.updates_a_day_max,
            });
        }
        // So many are far beyond what is worth counting, and the definition must stay small.
        if self.updates.len() < UPDATES_KEPT_MAX {
            self.updates.push(now);
        }
        let wanted = HashKeyRange::divided(target);
        for boundary in wanted.iter().map(|range| range.start).filter(|start| *start > 0) {
            let shard = self.shard_of(boundary);
            let (id, HashKeyRange { start, end }) =
                (ShardId(shard.definition.number), shard.definition.range);
            // A shard that would begin or end within two hash keys of this cannot be split there, and stays as it is.
            if start < boundary && boundary > start + 1 && boundary < end {
                self.split(id, boundary, now, ids, batch)?;
            }
        }
        for range in wanted {
            while let Some((first, second)) = self.pair_in(range) {
                self.merge(first, second, now, ids, batch)?;
            }
        }
        Ok(())
    }

    /// Two open neighbours that both lie in a range.
    fn pair_in(&self, range: HashKeyRange) -> Option<(ShardId, ShardId)> {
        let mut inside = self.open.range(range.start..=range.end).map(|(_, number)| ShardId(*number));
        let pair = inside.next().zip(inside.next())?;
        // The first ends where the second begins.
        range.contains(self.shards[&pair.1.0].definition.range.end).then_some(pair)
    }

    fn close(&mut self, shards: &[ShardId], now: u64, batch: &mut Batch) {
        let stream = self.id;
        for id in shards {
            if let Some(shard) = self.shards.get_mut(&id.0) {
                shard.close(now);
                shard.definition.save(stream, batch);
            }
        }
    }

    fn add(
        &mut self,
        range: HashKeyRange,
        parents: [Option<u32>; 2],
        now: u64,
        ids: NewIds<'_>,
        batch: &mut Batch,
    ) -> ShardId {
        let (id, partition) = ids(batch);
        let number = self.next_shard;
        self.next_shard += 1;
        let epoch = self.epoch;
        let definition = ShardDefinition {
            number,
            id,
            partition,
            range,
            parents,
            epoch,
            created_at: now,
            closed_at: None,
        };
        definition.save(self.id, batch);
        let record = Record { partition, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: now };
        let shard = Shard::new(definition, &record);
        shard.save(batch);
        self.shards.insert(number, shard);
        ShardId(number)
    }
}
