//! What became of messages that are no longer in the queue, and where those came in that were moved here: the last of
//! each, in memory only. It is for looking inside; no decision depends on it.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use crate::ids::MessageId;

/// So many of each are remembered: together less than 100 kB.
const REMEMBERED_MAX: usize = 1_024;

/// How a message left the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Deleted { at: u64 },
    Expired { at: u64 },
    Moved { at: u64, queue: Arc<str>, receives: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Removed {
    seq: u64,
    at: u64,
    expired: bool,
}

#[derive(Debug)]
struct Moved {
    seq: u64,
    at: u64,
    queue: Arc<str>,
    receives: u32,
}

/// What is remembered of a queue.
#[derive(Debug, Default)]
pub(super) struct Past {
    removed: VecDeque<Removed>,
    moved: VecDeque<Moved>,
    arrived: VecDeque<(MessageId, u64)>,
    /// What an observer is to be told; `None` if there is none.
    noted: Option<Vec<(u64, Noted)>>,
}

/// What has happened to a message, or to all before its sequence.
#[derive(Debug)]
pub(crate) enum Noted {
    /// With its row.
    Arrived(Bytes),
    Deleted,
    Expired,
    Moved {
        queue: String,
        receives: u32,
    },
    Purged,
}

impl Past {
    pub(super) fn observe(&mut self) {
        self.noted.get_or_insert_default();
    }

    /// What was noted since the last time.
    pub(super) fn take_noted(&mut self) -> Vec<(u64, Noted)> {
        self.noted.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note(&mut self, seq: u64, what: impl FnOnce() -> Noted) {
        if let Some(noted) = &mut self.noted {
            noted.push((seq, what()));
        }
    }

    pub(super) fn note_row(&mut self, seq: u64, row: &Bytes) {
        self.note(seq, || Noted::Arrived(row.clone()));
    }

    pub(super) fn note_purged(&mut self, before: u64) {
        self.note(before, || Noted::Purged);
    }

    pub(super) fn note_deleted(&mut self, seq: u64, at: u64) {
        self.note(seq, || Noted::Deleted);
        push(&mut self.removed, Removed { seq, at, expired: false });
    }

    pub(super) fn note_expired(&mut self, seq: u64, at: u64) {
        self.note(seq, || Noted::Expired);
        push(&mut self.removed, Removed { seq, at, expired: true });
    }

    pub(super) fn note_moved(&mut self, seq: u64, queue: &str, receives: u32, at: u64) {
        self.note(seq, || Noted::Moved { queue: queue.to_owned(), receives });
        let last = self.moved.back().map(|last| &last.queue).filter(|last| ***last == *queue);
        let queue = last.cloned().unwrap_or_else(|| queue.into());
        push(&mut self.moved, Moved { seq, at, queue, receives });
    }

    pub(super) fn note_arrived(&mut self, id: MessageId, seq: u64) {
        push(&mut self.arrived, (id, seq));
    }

    /// How this message ended, if that is remembered. No sequence ends twice.
    pub(super) fn end(&self, seq: u64) -> Option<End> {
        let removed = self.removed.iter().rev().find(|removed| removed.seq == seq);
        removed.map(Removed::end).or_else(|| {
            let moved = self.moved.iter().rev().find(|moved| moved.seq == seq)?;
            Some(End::Moved { at: moved.at, queue: moved.queue.clone(), receives: moved.receives })
        })
    }

    /// The sequence that a message was given when it was last moved here.
    pub(super) fn arrival(&self, id: MessageId) -> Option<u64> {
        self.arrived.iter().rev().find(|(arrived, _)| *arrived == id).map(|(_, seq)| *seq)
    }
}

impl Removed {
    fn end(&self) -> End {
        if self.expired { End::Expired { at: self.at } } else { End::Deleted { at: self.at } }
    }
}

fn push<T>(remembered: &mut VecDeque<T>, one: T) {
    if remembered.len() >= REMEMBERED_MAX {
        remembered.pop_front();
    }
    remembered.push_back(one);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ends_are_remembered_and_older_ones_forgotten() {
        let mut past = Past::default();
        (0..2_000).for_each(|seq| past.note_deleted(seq, 10 * seq));
        past.note_expired(2_000, 7);
        past.note_moved(2_001, "dead", 3, 8);
        assert_eq!(past.end(2_000 - 1_024), None);
        assert_eq!(past.end(2_001 - 1_024), Some(End::Deleted { at: 9_770 }));
        assert_eq!(past.end(2_000), Some(End::Expired { at: 7 }));
        assert_eq!(past.end(2_001), Some(End::Moved { at: 8, queue: "dead".into(), receives: 3 }));
        assert_eq!(past.removed.len(), REMEMBERED_MAX);
    }

    #[test]
    fn a_message_that_arrived_twice_is_where_it_arrived_last() {
        let mut past = Past::default();
        let id = MessageId::from_bits(5);
        past.note_arrived(id, 1);
        past.note_arrived(id, 9);
        assert_eq!(past.arrival(id), Some(9));
        assert_eq!(past.arrival(MessageId::from_bits(6)), None);
    }

    #[test]
    fn each_moved_message_is_where_it_was_moved() {
        let mut past = Past::default();
        let queues = ["a", "a", "b", "a"];
        (0..).zip(queues).for_each(|(seq, queue)| past.note_moved(seq, queue, 1, 8));
        let moved = |queue: &str| Some(End::Moved { at: 8, queue: queue.into(), receives: 1 });
        assert!((0..4).map(|seq| past.end(seq)).eq(queues.map(moved)));
    }
}
