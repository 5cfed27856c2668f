//! From records to batches: by key into lanes, and in each by size and window (rules L31, L80). Pure.

use std::collections::VecDeque;

use broker_core::Record;
use md5::{Digest, Md5};

use super::{tumbling::Tumbling, wire::ENVELOPE_BYTES};
use crate::queue::BATCH_BYTES_MAX;

/// So many records more than the lanes' batches hold are read ahead, so that a lane which cannot go on does not hold up the others at
/// once. Then it does: memory has a bound.
const AHEAD_RECORDS: usize = 10_000;
/// The same in bytes, for each lane.
const AHEAD_BYTES: usize = 2 * BATCH_BYTES_MAX;

/// When a batch is large enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) batch_size: usize,
    pub(super) window_ms: u64,
    pub(super) lanes: usize,
}

/// The lanes of a shard. Records of one key go through one lane.
#[derive(Debug)]
pub(super) struct Lanes {
    sizes: Sizes,
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    /// Records that wait, with their bytes in the event.
    waiting: VecDeque<(Record, usize)>,
    bytes: usize,
    /// A batch of it is being worked on.
    busy: bool,
    /// When its window began: when the batch before was done.
    since: u64,
}

impl Lanes {
    pub(super) fn new(sizes: Sizes, now: u64) -> Self {
        let lane = |_| Lane { waiting: VecDeque::new(), bytes: 0, busy: false, since: now };
        Self { sizes, lanes: (0..sizes.lanes.max(1)).map(lane).collect() }
    }

    /// A record was read.
    pub(super) fn push(&mut self, record: Record, bytes: usize) {
        let lane = self.lane_of(&record.partition_key);
        let lane = &mut self.lanes[lane];
        lane.bytes = lane.bytes.saturating_add(bytes);
        lane.waiting.push_back((record, bytes));
    }

    fn lane_of(&self, key: &str) -> usize {
        if self.lanes.len() == 1 {
            return 0;
        }
        let hash: [u8; 16] = Md5::digest(key.as_bytes()).into();
        let lanes = self.lanes.len() as u128;
        usize::try_from(u128::from_be_bytes(hash) % lanes).expect("less than the number of lanes")
    }

    /// How many records to read now: none while no lane wants any, or too many wait.
    pub(super) fn wanted(&self) -> usize {
        let idle = self.lanes.iter().any(|lane| !lane.busy);
        let waiting: usize = self.lanes.iter().map(|lane| lane.waiting.len()).sum();
        let bytes: usize = self.lanes.iter().map(|lane| lane.bytes).sum();
        let batches = self.sizes.batch_size.saturating_mul(self.lanes.len());
        if !idle || bytes >= AHEAD_BYTES.saturating_mul(self.lanes.len()) {
            return 0;
        }
        if self.lanes.len() == 1 {
            return batches.saturating_sub(waiting);
        }
        batches.min(batches.saturating_add(AHEAD_RECORDS).saturating_sub(waiting))
    }

    /// The next batch of an idle lane, if one has a batch.
    pub(super) fn take(&mut self, now: u64, tumbling: Option<&Tumbling>) -> Option<(usize, Vec<Record>)> {
        let sizes = self.sizes;
        let (index, count) = self.lanes.iter().enumerate().find_map(|(index, lane)| {
            let count = lane.batch(sizes, now, tumbling).filter(|_| !lane.busy)?;
            Some((index, count))
        })?;
        let lane = &mut self.lanes[index];
        lane.busy = true;
        let batch: Vec<(Record, usize)> = lane.waiting.drain(..count).collect();
        lane.bytes -= batch.iter().map(|(_, bytes)| bytes).sum::<usize>();
        Some((index, batch.into_iter().map(|(record, _)| record).collect()))
    }

    /// The batch of a lane is done: its next window begins.
    pub(super) fn done(&mut self, lane: usize, now: u64) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            (lane.busy, lane.since) = (false, now);
        }
    }

    /// When the next window ends in which something waits.
    pub(super) fn next_end(&self) -> Option<u64> {
        let waiting = self.lanes.iter().filter(|lane| !lane.busy && !lane.waiting.is_empty());
        waiting.map(|lane| lane.since.saturating_add(self.sizes.window_ms)).min()
    }

    /// The next record of the first lane.
    pub(super) fn first(&self) -> Option<&Record> {
        self.lanes.first().and_then(|lane| lane.waiting.front()).map(|(record, _)| record)
    }

    /// The window of all lanes is over: what waits goes.
    pub(super) fn flush(&mut self) {
        self.sizes.window_ms = 0;
    }

    /// The first lane is busy with something that is no batch of records.
    pub(super) fn hold(&mut self) {
        if let Some(lane) = self.lanes.first_mut() {
            lane.busy = true;
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lanes.iter().all(|lane| !lane.busy)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| !lane.busy && lane.waiting.is_empty())
    }
}

impl Lane {
    /// How many of the records that wait are a batch. `None` if it could still grow.
    fn batch(&self, sizes: Sizes, now: u64, tumbling: Option<&Tumbling>) -> Option<usize> {
        let (first, _) = self.waiting.front()?;
        let mut bytes = ENVELOPE_BYTES;
        let fits = |(record, size): &&(Record, usize)| {
            bytes = bytes.saturating_add(*size);
            bytes <= BATCH_BYTES_MAX && tumbling.is_none_or(|tumbling| tumbling.same(first, record))
        };
        // One that is too large for any batch goes alone.
        let count = self.waiting.iter().take(sizes.batch_size).take_while(fits).count().max(1);
        let full = count >= sizes.batch_size || count < self.waiting.len();
        (full || now >= self.since.saturating_add(sizes.window_ms)).then_some(count)
    }
}
