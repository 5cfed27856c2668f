//! One shard: rows in order, the newest of them in memory.

use std::collections::VecDeque;

use bytes::Bytes;

use super::traffic::Traffic;
use crate::{
    clock::Timestamp,
    keys,
    pipeline::Watermark,
    queue::{record::Record, state::Leftover},
    seeded::seeded,
    storage::Batch,
    stream::{
        number::RecordNumber,
        shard::{ShardId, ShardInfo, ShardTraffic},
        stored::ShardDefinition,
    },
};

/// A shard of a stream.
pub(crate) struct Shard {
    pub(crate) definition: ShardDefinition,
    /// The first sequence that is not trimmed.
    pub(crate) head: u64,
    tail: u64,
    /// When the last record was put.
    newest_at: u64,
    /// What is committed of the records: nobody sees more.
    watermark: Watermark,
    /// The newest rows, up to the tail.
    recent: VecDeque<Bytes>,
    recent_bytes: usize,
    pub(crate) traffic: Traffic,
}

/// What a reader finds at its position.
pub(crate) enum Look {
    /// These rows, from memory: the sequence of the first.
    Recent(u64, Vec<Bytes>),
    /// Rows are in storage: from here up to there.
    Stored(u64, u64),
    /// Nothing, yet.
    Nothing,
    /// Nothing, and there never will be.
    End,
}

impl Shard {
    pub(crate) fn new(definition: ShardDefinition, record: &Record) -> Self {
        Self {
            definition,
            head: record.head,
            tail: record.tail,
            newest_at: record.as_of,
            watermark: Watermark::new(record.tail),
            recent: VecDeque::new(),
            recent_bytes: 0,
            traffic: Traffic::default(),
        }
    }

    /// The record that describes it.
    pub(crate) fn record(&self) -> Record {
        let (partition, as_of) = (self.definition.partition, self.newest_at);
        Record { partition, head: self.head, tail: self.tail, stored: 0, cold: 0, delayed: 0, as_of }
    }

    pub(crate) fn save(&self, batch: &mut Batch) {
        batch.put_meta(&keys::record(self.definition.id), &self.record().encode());
    }

    pub(crate) fn is_open(&self) -> bool {
        self.definition.closed_at.is_none()
    }

    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    /// Records below this are committed.
    pub(crate) fn readable(&self) -> u64 {
        if seeded("record-read-before-its-commit") { self.tail } else { self.watermark.readable() }
    }

    pub(crate) fn newest_at(&self) -> u64 {
        self.newest_at
    }

    pub(super) fn append(
        &mut self,
        size_bytes: usize,
        now: u64,
        row: impl FnOnce(u64) -> Bytes,
        batch: &mut Batch,
    ) -> u64 {
        let seq = self.tail;
        self.newest_at = self.newest_at.max(now);
        let row = row(self.newest_at);
        batch.put_row(self.definition.partition, seq, row.clone());
        self.tail += 1;
        self.recent_bytes += row.len();
        self.recent.push_back(row);
        self.traffic.note(size_bytes, now);
        seq
    }

    /// Keeps no more of the newest rows in memory than this, but for the newest one, however large it is.
    pub(super) fn keep_at_hand(&mut self, bytes_max: usize) {
        while self.recent_bytes > bytes_max && self.recent.len() > 1 {
            self.recent_bytes -= self.recent.pop_front().map_or(0, |row| row.len());
        }
    }

    pub(super) fn submitted(&mut self, group: u64) {
        self.watermark.submitted(group, self.tail);
    }

    /// Whether records are on their way to storage.
    pub(super) fn is_uncommitted(&self) -> bool {
        self.watermark.waits()
    }

    pub(super) fn committed(&mut self, group: u64) {
        self.watermark.committed(group);
    }

    /// What a reader finds that wants to go on at `position`, at most so many.
    pub(crate) fn look(&self, position: u64, max: usize) -> Look {
        let readable = self.readable();
        let position = position.max(self.head);
        if position >= readable {
            return if self.is_open() || readable < self.tail { Look::Nothing } else { Look::End };
        }
        let first = self.tail - self.recent.len() as u64;
        if position < first {
            return Look::Stored(position, readable.min(first.max(position + 1)));
        }
        let count = usize::try_from(readable - position).unwrap_or(usize::MAX).min(max);
        let skip = usize::try_from(position - first).unwrap_or(usize::MAX);
        Look::Recent(position, self.recent.iter().skip(skip).take(count).cloned().collect())
    }

    /// Gives up what is below a sequence.
    pub(crate) fn trim(&mut self, below: u64, batch: &mut Batch) {
        if below <= self.head {
            return;
        }
        self.head = below;
        while !self.recent.is_empty() && self.tail - (self.recent.len() as u64) < below {
            self.recent_bytes -= self.recent.pop_front().map_or(0, |row| row.len());
        }
        batch.trim_rows(self.definition.partition, below);
        self.save(batch);
    }

    /// Takes no more records. Those that it has are read from storage from now on, or the memory of shards would grow with
    /// each split.
    pub(super) fn close(&mut self, now: u64) {
        self.definition.closed_at = Some(now);
        (self.recent, self.recent_bytes) = (VecDeque::new(), 0);
    }

    pub(crate) fn number(&self, seq: u64) -> RecordNumber {
        RecordNumber { epoch: self.definition.epoch, shard: self.definition.number, seq }
    }

    pub(crate) fn info(&self) -> ShardInfo {
        let [parent, adjacent_parent] = self.definition.parents.map(|parent| parent.map(ShardId));
        let last = self.tail.saturating_sub(1);
        ShardInfo {
            id: ShardId(self.definition.number),
            range: self.definition.range,
            parent,
            adjacent_parent,
            created_at: Timestamp::from_millis(self.definition.created_at),
            closed_at: self.definition.closed_at.map(Timestamp::from_millis),
            starting_number: self.number(0),
            ending_number: (!self.is_open()).then(|| self.number(last)),
        }
    }

    pub(crate) fn traffic(&self, now: u64) -> ShardTraffic {
        let (records, bytes) = self.traffic.last_minute(now);
        ShardTraffic { shard: ShardId(self.definition.number), records, bytes }
    }

    /// What is left in storage of a shard that ends here.
    pub(crate) fn leftover(&self) -> Leftover {
        Leftover { partition: self.definition.partition, from: self.head, to: self.tail }
    }
}

#[cfg(test)]
mod tests;
