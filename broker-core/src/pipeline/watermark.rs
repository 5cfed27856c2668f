//! How far something that grows is committed.

use std::collections::VecDeque;

/// Sequences below a point are committed, and so can be read; the groups that bring more are on their way.
#[derive(Debug, Default)]
pub(crate) struct Watermark {
    readable: u64,
    /// Groups that are not committed yet, each with the tail that it brings. Never more than the pipeline has: two.
    uncommitted: VecDeque<(u64, u64)>,
}

impl Watermark {
    /// Everything below `tail` is committed.
    pub(crate) fn new(tail: u64) -> Self {
        Self { readable: tail, uncommitted: VecDeque::new() }
    }

    /// Sequences below this are committed.
    pub(crate) fn readable(&self) -> u64 {
        self.readable
    }

    /// What brings this tail went into this group: zero if it is committed already.
    pub(crate) fn submitted(&mut self, group: u64, tail: u64) {
        if group == 0 {
            self.readable = tail;
            return;
        }
        match self.uncommitted.back_mut() {
            Some((last, brings)) if *last == group => *brings = tail,
            _ => self.uncommitted.push_back((group, tail)),
        }
    }

    /// Whether groups that were submitted are not committed yet.
    pub(crate) fn waits(&self) -> bool {
        !self.uncommitted.is_empty()
    }

    /// Groups up to this one are committed.
    pub(crate) fn committed(&mut self, group: u64) {
        while let Some((first, tail)) = self.uncommitted.front().copied()
            && first <= group
        {
            self.readable = tail;
            self.uncommitted.pop_front();
        }
    }
}
