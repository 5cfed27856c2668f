//! Untouched messages in memory, in the order of their sequence.

use std::collections::VecDeque;

use bytes::Bytes;

use super::groups::GroupSlot;
use crate::queue::lease::Lease;

/// An untouched message, or one that was put out of memory and has been read again.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) seq: u64,
    pub(super) lease: Lease,
    /// Whether a cold lease is stored for it.
    pub(super) cold: bool,
    pub(super) group: Option<GroupSlot>,
    /// Its row, if there was room to keep it.
    pub(super) row: Option<Bytes>,
}

/// A queue of staged messages. Most leave at the front; one that leaves from the middle leaves a hole, until there are
/// more holes than messages.
#[derive(Debug, Default)]
pub(super) struct Stage {
    slots: VecDeque<Slot>,
    holes: usize,
    bytes: usize,
    rows: usize,
    /// No message was sent before this.
    oldest: u64,
    /// Some message was sent before one that is further to the front: only moved ones can be.
    mixed: bool,
}

#[derive(Debug)]
struct Slot {
    seq: u64,
    staged: Option<Staged>,
}

/// Holes are not worth filling before there are this many.
const HOLES_MIN: usize = 64;

impl Stage {
    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.holes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The bytes of the rows at hand.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many rows are at hand.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// No message was sent before this.
    pub(super) fn oldest(&self) -> Option<u64> {
        (!self.slots.is_empty()).then_some(self.oldest)
    }

    /// The first message. The first slot is never a hole, nor is the last.
    pub(super) fn front(&self) -> Option<&Staged> {
        self.slots.front()?.staged.as_ref()
    }

    /// The message of this sequence.
    pub(super) fn get(&self, seq: u64) -> Option<&Staged> {
        self.slots[self.place(seq)?].staged.as_ref()
    }

    /// All messages from this sequence on.
    pub(super) fn from(&self, seq: u64) -> impl Iterator<Item = &Staged> {
        let first = self.slots.partition_point(|slot| slot.seq < seq);
        self.slots.range(first..).filter_map(|slot| slot.staged.as_ref())
    }

    /// Adds a message behind all others.
    pub(super) fn push(&mut self, staged: Staged) {
        debug_assert!(self.slots.back().is_none_or(|last| last.seq < staged.seq));
        if self.slots.is_empty() {
            (self.oldest, self.mixed) = (staged.lease.sent_at, false);
        }
        let newest = self.slots.back().and_then(|slot| slot.staged.as_ref());
        self.mixed |= newest.is_some_and(|last| last.lease.sent_at > staged.lease.sent_at);
        self.oldest = self.oldest.min(staged.lease.sent_at);
        if let Some(row) = &staged.row {
            self.bytes += row.len();
            self.rows += 1;
        }
        self.slots.push_back(Slot { seq: staged.seq, staged: Some(staged) });
    }

    /// Takes out the message of this sequence.
    pub(super) fn take(&mut self, seq: u64) -> Option<Staged> {
        if self.slots.front()?.seq == seq {
            let staged = self.slots.pop_front()?.staged?;
            if self.holes > 0 {
                self.tidy_up();
            }
            return Some(self.gone(staged));
        }
        let place = self.place(seq)?;
        let staged = self.slots[place].staged.take()?;
        self.holes += 1;
        self.tidy_up();
        Some(self.gone(staged))
    }

    /// Takes out the last message if its sequence is not below this one.
    pub(super) fn take_last_from(&mut self, seq: u64) -> Option<Staged> {
        let staged = self.slots.back_mut().filter(|last| last.seq >= seq)?.staged.take()?;
        self.holes += 1;
        self.tidy_up();
        Some(self.gone(staged))
    }

    /// The first message found that was sent at or before this time. When there is none, none is searched for again
    /// before the time of the oldest.
    pub(super) fn sent_until(&mut self, time: u64) -> Option<u64> {
        if self.oldest > time || self.slots.is_empty() {
            return None;
        }
        let sent = |slot: &Slot| Some((slot.seq, slot.staged.as_ref()?.lease.sent_at));
        let searched = if self.mixed { self.slots.len() } else { 1 };
        let mut oldest = u64::MAX;
        for (seq, sent_at) in self.slots.iter().take(searched).filter_map(sent) {
            if sent_at <= time {
                return Some(seq);
            }
            oldest = oldest.min(sent_at);
        }
        self.oldest = oldest;
        None
    }

    fn place(&self, seq: u64) -> Option<usize> {
        self.slots.binary_search_by_key(&seq, |slot| slot.seq).ok()
    }

    fn gone(&mut self, staged: Staged) -> Staged {
        if let Some(row) = &staged.row {
            self.bytes -= row.len();
            self.rows -= 1;
        }
        staged
    }

    fn tidy_up(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.staged.is_none()) {
            self.slots.pop_front();
            self.holes -= 1;
        }
        while self.slots.back().is_some_and(|slot| slot.staged.is_none()) {
            self.slots.pop_back();
            self.holes -= 1;
        }
        if self.holes > HOLES_MIN && self.holes > self.slots.len() / 2 {
            self.slots.retain(|slot| slot.staged.is_some());
            self.holes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::queue::row::RowHead;

    fn staged(seq: u64, sent_at: u64, row: bool) -> Staged {
        let lease = Lease::untouched(RowHead::sent(sent_at, 0));
        Staged { seq, lease, cold: false, group: None, row: row.then(|| Bytes::from_static(b"row")) }
    }

    proptest! {
        #[test]
        fn a_stage_is_an_ordered_map(steps in prop::collection::vec((0..4_u8, 0..300_u64), 1..600)) {
            let (mut stage, mut model, mut next) = (Stage::default(), BTreeMap::new(), 0);
            for (kind, n) in steps {
                match kind {
                    0 | 1 => {
                        stage.push(staged(next, n, n % 3 > 0));
                        model.insert(next, (n, n % 3 > 0));
                        next += 1;
                    }
                    2 => {
                        let seq = n % (next + 1);
                        prop_assert_eq!(stage.take(seq).map(|s| s.seq), model.remove(&seq).map(|_| seq));
                    }
                    _ => {
                        let found = stage.sent_until(n);
                        let any = model.values().any(|(sent_at, _)| *sent_at <= n);
                        prop_assert_eq!(found.is_some(), any);
                        prop_assert!(found.is_none_or(|seq| model[&seq].0 <= n));
                    }
                }
                prop_assert_eq!(stage.len(), model.len());
                prop_assert_eq!(stage.front().map(|s| s.seq), model.keys().next().copied());
                prop_assert_eq!(stage.rows(), model.values().filter(|(_, row)| *row).count());
                prop_assert_eq!(stage.bytes(), 3 * stage.rows());
                prop_assert!(stage.from(n).map(|s| s.seq).eq(model.range(n..).map(|(seq, _)| *seq)));
            }
        }
    }

    /// Holes cost memory: from 65 on there are no more of them than half of all places.
    #[test]
    fn holes_are_filled_when_there_are_many() {
        let mut stage = Stage::default();
        (0..200).for_each(|seq| stage.push(staged(seq, 0, true)));
        let mut places = Vec::new();
        for seq in 1..198 {
            stage.take(seq);
            places.push(stage.slots.len());
            assert!(stage.holes <= HOLES_MIN.max(stage.slots.len() / 2));
        }
        places.dedup();
        assert_eq!(places, [200, 99, 34], "when 101 of 200 are holes, and when 65 of 99 are");
    }
}
