//! The deduplication memory of a FIFO queue (rules F20 to F26): which ids were accepted in the last five minutes.
//!
//! The ids are in storage, in *generations* by the time of their acceptance, so that old ones go in one sweep of keys.
//! In memory is only what spares reads: for each generation a filter that knows most new ids as new, and the ids that
//! are not committed yet, which a read would not find. The filters have a largest size: beyond it they are more often
//! wrong, which costs reads, not correctness.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use bytes::Bytes;
use fastbloom::BloomFilter;

use crate::{
    codec::{Malformed, Reader},
    keys,
    seeded::seeded,
    storage::Batch,
};

/// How long an id is remembered after its first acceptance.
const WINDOW_MS: u64 = 5 * 60_000;
/// How long ids go into one generation: the window lies in three of them.
const GENERATION_MS: u64 = WINDOW_MS / 2;

/// A deduplication id in its scope: of its group, or of the whole queue.
#[derive(Debug, Clone)]
pub(crate) struct ScopedId {
    /// The id behind room for the rest of its key.
    key: Box<[u8]>,
    /// Only for filters in memory: never stored.
    hash: u64,
}

impl PartialEq for ScopedId {
    fn eq(&self, other: &Self) -> bool {
        keys::deduplication_id(&self.key) == keys::deduplication_id(&other.key)
    }
}

impl Eq for ScopedId {}

impl Hash for ScopedId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl ScopedId {
    /// The id, and its group if that is the scope. Both are at most 128 bytes.
    pub(crate) fn new(group: Option<&str>, id: &str) -> Self {
        let key = keys::deduplication(group.unwrap_or_default(), id);
        let mut hasher = DefaultHasher::new();
        hasher.write(keys::deduplication_id(&key));
        Self { key, hash: hasher.finish() }
    }

    /// The key under which it is stored if it was accepted in this generation.
    pub(crate) fn key(&mut self, partition: u64, generation: u64) -> &[u8] {
        keys::complete_deduplication(&mut self.key, partition, generation);
        &self.key
    }
}

/// The message that an id was accepted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Original {
    pub(crate) seq: u64,
    pub(crate) sent_at: u64,
}

impl Original {
    fn encode(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.seq.to_le_bytes());
        out[8..].copy_from_slice(&self.sent_at.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let original = Self { seq: reader.u64()?, sent_at: reader.u64()? };
        reader.end()?;
        Ok(original)
    }

    /// When the id is forgotten.
    pub(crate) fn forgotten_at(self) -> u64 {
        self.sent_at.saturating_add(WINDOW_MS + u64::from(seeded("deduplication-a-tick-long")))
    }
}

/// What is known of an id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    New,
    Duplicate(Original),
    /// It may be among the stored ids of these generations.
    Perhaps(Vec<u64>),
}

#[derive(Debug, Default)]
pub(crate) struct Deduplication {
    filters: BTreeMap<u64, Filter>,
    /// Generations below this may hold ids that no filter here has seen.
    unseen_below: u64,
    /// Ids that this operation has accepted.
    fresh: Vec<(ScopedId, Original)>,
    /// Ids in groups that are not committed yet, and which ids each group has.
    recent: HashMap<ScopedId, Original>,
    uncommitted: VecDeque<(u64, Vec<ScopedId>)>,
    /// Generations below this have been given away to be cleared.
    cleared_below: u64,
}

impl Deduplication {
    /// The memory of a new partition, of which nothing is stored.
    pub(crate) fn new(now: u64) -> Self {
        Self { cleared_below: oldest(now), ..Self::default() }
    }

    /// The memory of a queue that was opened: ids up to now may be stored.
    pub(crate) fn reopened(now: u64) -> Self {
        let unseen = !seeded("deduplication-lost-at-open");
        Self { unseen_below: if unseen { now / GENERATION_MS + 1 } else { 0 }, ..Self::default() }
    }

    pub(crate) fn look_up(&self, id: &ScopedId, now: u64) -> Known {
        let known = |generation: u64| self.filters.get(&generation).is_some_and(|filter| filter.has(id.hash));
        let perhaps = |generation: &u64| *generation < self.unseen_below || known(*generation);
        let generations: Vec<u64> = (oldest(now)..=now / GENERATION_MS).filter(perhaps).collect();
        if generations.is_empty() {
            return Known::New;
        }
        let fresh = || self.fresh.iter().rev().find(|(fresh, _)| fresh == id).map(|(_, original)| *original);
        match self.recent.get(id).copied().or_else(fresh) {
            Some(original) if original.forgotten_at() > now => Known::Duplicate(original),
            _ => Known::Perhaps(generations),
        }
    }

    /// Remembers an id from now on.
    pub(crate) fn accept(&mut self, partition: u64, mut id: ScopedId, seq: u64, now: u64, batch: &mut Batch) {
        let generation = now / GENERATION_MS;
        let original = Original { seq, sent_at: now };
        if !seeded("deduplication-not-persisted") {
            batch.put_meta(id.key(partition, generation), &original.encode());
        }
        if !self.filters.contains_key(&generation) {
            self.filters.retain(|generation, _| *generation >= oldest(now));
        }
        self.filters.entry(generation).or_default().add(id.hash);
        self.fresh.push((id, original));
    }

    /// The ids of this operation went into this group; zero if it is committed.
    pub(crate) fn submitted(&mut self, group: u64) {
        if self.fresh.is_empty() {
            return;
        }
        if group == 0 {
            self.fresh.clear();
            return;
        }
        let ids: Vec<_> = self.fresh.iter().map(|(id, _)| id.clone()).collect();
        self.recent.extend(self.fresh.drain(..));
        match self.uncommitted.back_mut() {
            Some((last, before)) if *last == group => before.extend(ids),
            _ => self.uncommitted.push_back((group, ids)),
        }
    }

    /// Groups up to this one are committed: reads find their ids.
    pub(crate) fn committed(&mut self, group: u64) {
        while self.uncommitted.front().is_some_and(|(first, _)| *first <= group) {
            for id in self.uncommitted.pop_front().into_iter().flat_map(|(_, ids)| ids) {
                self.recent.remove(&id);
            }
        }
    }

    /// The first generation that still matters, if older ones may be stored and have not been given away to be cleared.
    pub(crate) fn take_forgotten(&mut self, now: u64) -> Option<u64> {
        let below = oldest(now);
        let more = below > self.cleared_below;
        self.cleared_below = self.cleared_below.max(below);
        more.then_some(below)
    }
}

/// The oldest generation with an id that is still remembered.
fn oldest(now: u64) -> u64 {
    now.saturating_sub(WINDOW_MS) / GENERATION_MS
}

/// Ids that the first of a generation's filters takes, and how much larger each further one is.
const FIRST_FILTER_IDS: usize = 4_096;
const FILTER_GROWTH: usize = 16;
/// Filters for 4 thousand, 64 thousand and a million ids: together two megabytes in each generation.
const FILTERS_MAX: u32 = 3;
/// Two bits of sixteen for each id: wrong once in seventy times, and two cache misses instead of seven.
const BITS_AN_ID: usize = 16;
const BITS_SET: u32 = 2;

/// The ids of one generation: says "no" for certain and "perhaps" in error now and then.
#[derive(Debug, Default)]
struct Filter {
    filters: Vec<BloomFilter>,
    room: usize,
}

impl Filter {
    fn has(&self, hash: u64) -> bool {
        self.filters.iter().any(|filter| filter.contains_hash(hash))
    }

    fn add(&mut self, hash: u64) {
        let count = u32::try_from(self.filters.len()).unwrap_or(FILTERS_MAX);
        if self.room == 0 && count < FILTERS_MAX {
            self.room = FIRST_FILTER_IDS * FILTER_GROWTH.pow(count);
            let filter = BloomFilter::with_num_bits(BITS_AN_ID * self.room).seed(&0).hashes(BITS_SET);
            self.filters.push(filter);
        }
        self.room = self.room.saturating_sub(1);
        if let Some(last) = self.filters.last_mut() {
            last.insert_hash(hash);
        }
    }
}

#[cfg(test)]
mod tests;
