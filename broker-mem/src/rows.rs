//! The rows of one partition: a deque in sequence order, because rows arrive at its end and leave near its head.
//!
//! A row that leaves from the middle leaves a hole. Holes at the ends are dropped at once and the rest when they
//! outnumber the rows, so memory follows the rows: neither a message that stays at the head for days nor a sequence that
//! jumps by billions makes it grow.

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

/// Holes that are never worth a sweep, and slots that are never worth giving back.
const SPARE: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// In ascending sequence. Neither the first nor the last one is a hole.
    slots: VecDeque<(u64, Option<Bytes>)>,
    holes: usize,
}

impl Rows {
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn get(&self, seq: u64) -> Option<Bytes> {
        self.find(seq).ok().and_then(|at| self.slots[at].1.clone())
    }

    /// The rows in `range`, ascending; none if it is inverted.
    pub(crate) fn range(&self, range: Range<u64>) -> impl Iterator<Item = (u64, Bytes)> {
        let first = self.find(range.start).unwrap_or_else(|at| at);
        let inside = self.slots.range(first..).take_while(move |(seq, _)| *seq < range.end);
        inside.filter_map(|(seq, value)| Some((*seq, value.clone()?)))
    }

    pub(crate) fn put(&mut self, seq: u64, value: Bytes) {
        if self.slots.back().is_none_or(|(last, _)| *last < seq) {
            return self.slots.push_back((seq, Some(value)));
        }
        // The broker does not come here: it owes ascending sequences.
        match self.find(seq) {
            Ok(at) => {
                let old = self.slots[at].1.replace(value);
                self.holes -= usize::from(old.is_none());
            }
            Err(at) => self.slots.insert(at, (seq, Some(value))),
        }
    }

    pub(crate) fn delete(&mut self, seq: u64) {
        let Ok(at) = self.find(seq) else { return };
        if self.slots[at].1.take().is_some() {
            self.holes += 1;
            self.tidy();
        }
    }

    pub(crate) fn trim(&mut self, below: u64) {
        let cut = self.find(below).unwrap_or_else(|at| at);
        self.holes -= self.slots.drain(..cut).filter(|(_, value)| value.is_none()).count();
        self.tidy();
    }

    /// Where `seq` is, or would be. Without jumps and sweeps the place is the distance from the first sequence.
    fn find(&self, seq: u64) -> Result<usize, usize> {
        let first = self.slots.front().map_or(0, |(first, _)| *first);
        match usize::try_from(seq.wrapping_sub(first)) {
            Ok(at) if self.slots.get(at).is_some_and(|(found, _)| *found == seq) => Ok(at),
            _ => self.slots.binary_search_by_key(&seq, |(found, _)| *found),
        }
    }

    /// Restores the bounds on holes and on spare room. Each sweep has as many deletes behind it as it has slots to
    /// look at, so a delete stays cheap on average.
    fn tidy(&mut self) {
        while self.slots.front().is_some_and(|(_, value)| value.is_none()) {
            self.slots.pop_front();
            self.holes -= 1;
        }
        while self.slots.back().is_some_and(|(_, value)| value.is_none()) {
            self.slots.pop_back();
            self.holes -= 1;
        }
        if self.holes > SPARE && self.holes > self.slots.len() / 2 {
            self.slots.retain(|(_, value)| value.is_some());
            self.holes = 0;
        }
        if self.slots.capacity() > SPARE && self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to(self.slots.capacity() / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_stays_at_the_head_does_not_hold_the_memory_of_later_ones() {
        let mut rows = Rows::default();
        rows.put(0, Bytes::from_static(b"stays"));
        for seq in 1..100_000 {
            rows.put(seq, Bytes::from_static(b"goes"));
            rows.delete((seq - 1).max(1));
        }
        assert!(rows.slots.capacity() <= 4 * SPARE, "capacity {}", rows.slots.capacity());
    }

    #[test]
    fn sequences_that_jump_cost_one_slot_each() {
        let mut rows = Rows::default();
        let seqs = [0, 7, 1 << 40, u64::MAX - 1];
        for seq in seqs {
            rows.put(seq, Bytes::copy_from_slice(&seq.to_be_bytes()));
        }
        assert_eq!(rows.slots.len(), seqs.len());
        assert!(seqs.iter().all(|seq| rows.get(*seq).unwrap()[..] == seq.to_be_bytes()));
        rows.trim(u64::MAX);
        assert!(rows.is_empty() && rows.holes == 0);
    }

    #[test]
    fn a_drained_backlog_gives_its_memory_back() {
        let mut rows = Rows::default();
        (0..100_000).for_each(|seq| rows.put(seq, Bytes::new()));
        (0..100_000).rev().for_each(|seq| rows.delete(seq));
        assert!(rows.slots.capacity() <= 4 * SPARE, "capacity {}", rows.slots.capacity());
    }
}
