//! The state of one stream: plain data, changed by ordinary functions that take `now` and write their durable effect into
//! a [`Batch`]. No I/O, no clock, no `async`, no lock.
//!
//! A shard is a partition of rows, of which the newest are also in memory. Open shards cover the space of hash keys exactly;
//! a split or a merge closes some and makes others, in one step.

mod reshard;
mod shard;
mod traffic;

use std::collections::BTreeMap;

use bytes::Bytes;
pub(crate) use shard::{Look, Shard};
pub(crate) use traffic::Allowances;

use super::{
    hash::HashKeyRange,
    number::RecordNumber,
    settings::{RecordDistribution, Settings, StreamSettings},
    shard::{ShardFilter, ShardId, ShardInfo},
    stored::{ShardDefinition, StreamDefinition},
};
use crate::{
    error::{Error, Result},
    limits::MemoryBounds,
    queue::record::Record,
    seeded::seeded,
    storage::Batch,
};

/// The space of hash keys divided by the golden ratio: steps of this size fill it evenly from the first few on.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
/// Of so many shards the newest records are in memory up to [`MemoryBounds::staged_bytes`] each.
const SHARDS_AT_HAND: usize = 64;

/// The state of one stream.
pub(crate) struct StreamState {
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    /// The stream was deleted: its handles answer so from now on.
    pub(crate) deleted: bool,
    pub(super) shards: BTreeMap<u32, Shard>,
    /// The open ones, by the first hash key of each.
    pub(super) open: BTreeMap<u128, u32>,
    /// Those that the operation under way has put records into: empty between operations, kept for its memory.
    touched: Vec<u32>,
    /// Those with records that are on their way to storage: few, however many shards there are.
    uncommitted: Vec<u32>,
    /// The last hash key that was given to a record without one.
    spread: u128,
    /// How many times shards were made.
    pub(super) epoch: u32,
    pub(super) next_shard: u32,
    /// What was put before this had expired under an earlier retention, and does not come back under a longer one.
    lost_before: u64,
    /// When the number of shards was set in the last 24 hours.
    pub(super) updates: Vec<u64>,
    bounds: MemoryBounds,
}

/// An id and a partition for a new shard.
pub(crate) type NewIds<'i> = &'i mut dyn FnMut(&mut Batch) -> (u64, u64);

impl StreamState {
    /// A stream as its definition describes it, its shards to be added.
    pub(crate) fn new(definition: StreamDefinition, bounds: MemoryBounds) -> Self {
        let StreamDefinition { id, settings, epoch, next_shard, updates, lost_before, .. } = definition;
        Self {
            id,
            settings,
            deleted: false,
            shards: BTreeMap::new(),
            open: BTreeMap::new(),
            touched: Vec::new(),
            uncommitted: Vec::new(),
            spread: 0,
            epoch,
            next_shard,
            lost_before,
            updates,
            bounds,
        }
    }

    /// Adds a shard that was stored. After the last one, [`find_open`](Self::find_open).
    pub(crate) fn restore(&mut self, definition: ShardDefinition, record: &Record) {
        let shard = Shard::new(definition, record);
        self.shards.insert(shard.definition.number, shard);
    }

    /// Puts the open shards in order.
    pub(crate) fn find_open(&mut self) {
        let open = self.shards.values().filter(|shard| shard.is_open());
        self.open = open.map(|shard| (shard.definition.range.start, shard.definition.number)).collect();
    }

    /// Whether the open shards cover the space exactly.
    pub(crate) fn covers_all(&self) -> bool {
        let ranges = self.open.values().map(|number| self.shards[number].definition.range);
        let mut next = Some(0);
        for HashKeyRange { start, end } in ranges {
            if next != Some(start) || end < start {
                return false;
            }
            next = end.checked_add(1);
        }
        // Of two that begin at the same place only one has found room.
        let open = self.shards.values().filter(|shard| shard.is_open()).count();
        next.is_none() && open == self.open.len()
    }

    /// The open shard of a hash key.
    pub(crate) fn shard_of(&mut self, hash: u128) -> &mut Shard {
        let number = self.open.range(..=hash).next_back().map(|(_, number)| number);
        number.and_then(|number| self.shards.get_mut(number)).expect("open shards cover the whole space")
    }

    /// Whether there are no records, and no closed shards that are to be forgotten.
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.values().all(|shard| shard.is_open() && shard.head == shard.tail())
    }

    /// A shard of this stream.
    pub(crate) fn shard(&self, id: ShardId) -> Option<&Shard> {
        self.shards.get(&id.0)
    }

    /// The same, to be changed.
    pub(crate) fn shard_mut(&mut self, id: ShardId) -> Option<&mut Shard> {
        self.shards.get_mut(&id.0)
    }

    /// Forgets a shard whose records have all expired.
    pub(crate) fn remove(&mut self, number: u32) {
        self.shards.remove(&number);
    }

    /// What was put before this has expired.
    pub(crate) fn horizon(&self, now: u64) -> u64 {
        self.lost_before.max(now.saturating_sub(self.settings.retention_ms))
    }

    /// Changes settings. What has expired stays so.
    pub(crate) fn change(&mut self, change: &StreamSettings, now: u64) -> Result<()> {
        let settings = self.settings.changed(change);
        settings.check()?;
        self.lost_before = self.horizon(now);
        self.settings = settings;
        Ok(())
    }

    /// Whether a record has got this number, now or long ago.
    pub(crate) fn has_given_out(&self, number: RecordNumber) -> bool {
        match self.shards.get(&number.shard) {
            Some(shard) => number.epoch == shard.definition.epoch && number.seq < shard.tail(),
            None => number.shard < self.next_shard && number.epoch <= self.epoch,
        }
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.values()
    }

    /// Whether it is the stream that decides on the shard of a record.
    pub(crate) fn places_itself(&self) -> bool {
        self.settings.distribution == RecordDistribution::Auto
    }

    /// A hash key for a record whose key does not count: each is far from those before it, so that all shards get their share
    /// (rule K25).
    pub(crate) fn spread(&mut self) -> u128 {
        self.spread = self.spread.wrapping_add(SPREAD);
        self.spread
    }

    /// Adds a record to the shard of its hash key. `row` fills the time in. After the last one of an operation,
    /// [`save_touched`](Self::save_touched).
    pub(crate) fn put(
        &mut self,
        hash: u128,
        size_bytes: usize,
        now: u64,
        row: impl FnOnce(u64) -> Bytes,
        batch: &mut Batch,
    ) -> RecordNumber {
        // Of more shards less is at hand of each.
        let at_hand = self.bounds.staged_bytes / self.open.len().div_ceil(SHARDS_AT_HAND).max(1);
        let shard = self.shard_of(hash);
        let seq = shard.append(size_bytes, now, row, batch);
        shard.keep_at_hand(at_hand);
        let number = shard.number(seq);
        if !self.touched.contains(&number.shard) {
            self.touched.push(number.shard);
        }
        number
    }

    /// Writes the records of the shards that something was put into, if there are any.
    pub(crate) fn save_touched(&self, batch: &mut Batch) -> bool {
        for number in self.touched.iter().filter(|_| !seeded("stream-tail-not-persisted")) {
            self.shards[number].save(batch);
        }
        !self.touched.is_empty()
    }

    /// Takes note of the group that what was put went into: zero if it is committed already.
    pub(crate) fn submitted(&mut self, group: u64) {
        for number in self.touched.drain(..) {
            if let Some(shard) = self.shards.get_mut(&number) {
                let waited = shard.is_uncommitted();
                shard.submitted(group);
                if shard.is_uncommitted() && !waited {
                    self.uncommitted.push(number);
                }
            }
        }
    }

    /// Takes note of what is committed: groups up to this one.
    pub(crate) fn committed(&mut self, group: u64) {
        self.uncommitted.retain(|number| {
            let Some(shard) = self.shards.get_mut(number) else { return false };
            shard.committed(group);
            shard.is_uncommitted()
        });
    }

    /// The shards that a filter selects, in the order of their ids (rule K57).
    pub(crate) fn listed(&self, filter: ShardFilter, now: u64) -> Vec<ShardInfo> {
        let horizon = self.horizon(now);
        let selected = |shard: &&Shard| {
            let ShardDefinition { created_at, closed_at, number, .. } = shard.definition;
            let open_at = |time: u64| created_at <= time && closed_at.is_none_or(|closed| closed >= time);
            match filter {
                ShardFilter::FromTrimHorizon => true,
                // Before the stream was made there was nothing: then it is its first shards.
                ShardFilter::AtTrimHorizon => open_at(horizon.max(self.oldest_shard_at())),
                ShardFilter::AtLatest => closed_at.is_none(),
                ShardFilter::AtTimestamp(time) => open_at(time.as_millis()),
                ShardFilter::FromTimestamp(time) => closed_at.is_none_or(|closed| closed >= time.as_millis()),
                ShardFilter::AfterShardId(id) => number > id.0,
            }
        };
        let expired = |shard: &&Shard| shard.definition.closed_at.is_some_and(|closed| closed < horizon);
        self.shards.values().filter(|shard| !expired(shard)).filter(selected).map(Shard::info).collect()
    }

    fn oldest_shard_at(&self) -> u64 {
        self.shards.values().map(|shard| shard.definition.created_at).min().unwrap_or(0)
    }

    /// The shards that came from this one.
    pub(crate) fn children(&self, of: u32) -> Vec<ShardId> {
        let parents = |shard: &&Shard| shard.definition.parents.contains(&Some(of));
        self.shards.values().filter(parents).map(|shard| ShardId(shard.definition.number)).collect()
    }

    /// The definition of the stream, with what of it changes.
    pub(crate) fn definition(&self, tags: BTreeMap<String, String>, created_at: u64) -> StreamDefinition {
        StreamDefinition {
            id: self.id,
            settings: self.settings.clone(),
            tags,
            created_at,
            epoch: self.epoch,
            next_shard: self.next_shard,
            lost_before: self.lost_before,
            updates: self.updates.clone(),
        }
    }

    fn no_shard(id: ShardId) -> Error {
        Error::invalid("shard", id, "is not a shard of this stream")
    }

    /// An open shard, for a split or a merge.
    pub(super) fn open_shard(&self, id: ShardId) -> Result<&Shard> {
        let shard = self.shard(id).ok_or_else(|| Self::no_shard(id))?;
        if shard.is_open() { Ok(shard) } else { Err(Error::invalid("shard", id, "is closed")) }
    }
}

#[cfg(test)]
pub(crate) mod tests;
