//! Which records of a shard are done, and how far its checkpoint may move. Pure.

use std::collections::VecDeque;

use broker_core::RecordNumber;

/// The records that were read and are behind the checkpoint, in order.
#[derive(Debug, Default)]
pub(super) struct Progress(VecDeque<(RecordNumber, bool)>);

impl Progress {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A record was read. Records come in order.
    pub(super) fn read(&mut self, number: RecordNumber) {
        debug_assert!(self.0.back().is_none_or(|(last, _)| *last < number));
        self.0.push_back((number, false));
    }

    /// A record is done or given up.
    pub(super) fn done(&mut self, number: RecordNumber) {
        if let Ok(at) = self.0.binary_search_by_key(&number, |(number, _)| *number) {
            self.0[at].1 = true;
        }
    }

    /// The last record before which, and at which, everything is done, if that is further than before.
    pub(super) fn checkpoint(&mut self) -> Option<RecordNumber> {
        let mut last = None;
        while self.0.front().is_some_and(|(_, done)| *done) {
            last = self.0.pop_front().map(|(number, _)| number);
        }
        last
    }
}
