//! A small ordered set.

use std::collections::VecDeque;

/// A few sequences in order, which come at the end and go at the front most of the time.
#[derive(Debug, Default)]
pub(super) struct Ordered(pub(super) VecDeque<u64>);

impl Ordered {
    pub(super) fn first(&self) -> Option<u64> {
        self.0.front().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, seq: u64) {
        if self.0.back().is_none_or(|last| *last < seq) {
            self.0.push_back(seq);
        } else if let Err(place) = self.0.binary_search(&seq) {
            self.0.insert(place, seq);
        }
    }

    pub(super) fn remove(&mut self, seq: u64) {
        if self.0.front() == Some(&seq) {
            self.0.pop_front();
        } else if let Ok(place) = self.0.binary_search(&seq) {
            self.0.remove(place);
        }
    }
}
