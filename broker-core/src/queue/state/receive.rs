//! Handing out messages: leasing what is visible, in the order of sending, and putting aside what was received too
//! often.

use std::collections::HashMap;

use bytes::Bytes;

use super::{GroupSlot, Live, Phase, QueueState};
use crate::{
    keys,
    queue::{lease::Lease, row::RowContent},
    seeded::seeded,
    storage::Batch,
};

/// A message that was leased, with its row if that was at hand.
#[derive(Debug, Clone)]
pub(crate) struct Leased {
    pub(crate) seq: u64,
    pub(crate) lease: Lease,
    pub(crate) row: Option<Bytes>,
}

/// A message that is spent: received as often as it may be, and taken out of this queue.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) seq: u64,
    pub(crate) lease: Lease,
    pub(crate) content: RowContent,
}

/// What to do with messages that a receive comes to and that are spent.
pub(crate) enum SpentRule<'a> {
    /// Hand them out like any other: there is no dead-letter queue.
    HandOut,
    /// Take them out and collect them. Their rows are needed for that: it stops at one whose row is missing.
    TakeOut { rows: &'a HashMap<u64, Bytes>, taken: Vec<Spent>, missing: Option<u64> },
}

/// At most so many spent messages are moved by one receive, so that its commit stays small.
const TAKEN_MAX: usize = 100;

impl QueueState {
    /// Leases up to `want` visible messages. Call [`tick`](Self::tick) first, and supply what
    /// [`need`](Self::need) asks for.
    ///
    /// With a visibility timeout of zero they are ready again after the next tick, not before: none is leased twice.
    pub(crate) fn lease(
        &mut self,
        now: u64,
        want: usize,
        visibility_timeout_ms: u64,
        spent_rule: &mut SpentRule<'_>,
        batch: &mut Batch,
    ) -> Vec<Leased> {
        let mut leased = Vec::with_capacity(want.min(self.ready_count() + self.staged_len()));
        let mut run = std::mem::take(&mut self.run);
        'runs: while leased.len() < want {
            run.clear();
            self.next_run(now, want - leased.len(), &mut run);
            if run.is_empty() {
                break;
            }
            for seq in run.iter().copied() {
                if self.spent.contains(&seq)
                    && let SpentRule::TakeOut { rows, taken, missing } = spent_rule
                {
                    if taken.len() >= TAKEN_MAX {
                        break 'runs;
                    }
                    if !self.take_out(seq, now, rows, taken, batch) {
                        *missing = Some(seq);
                        break 'runs;
                    }
                    continue;
                }
                let Some((lease, group, row)) = self.take_visible(seq, batch) else { break 'runs };
                let lease = lease.handed_out(now, visibility_timeout_ms);
                if !seeded("lease-not-stored") {
                    lease.put(&keys::hot(self.partition, seq), self.group_name(group), batch);
                }
                self.put_live(seq, lease, Phase::InFlight, group);
                leased.push(Leased { seq, lease, row });
            }
        }
        self.run = run;
        leased
    }

    /// What is received next. Without groups: the first by sequence, since a returned message keeps its place (rule
    /// Q56).
    fn next_run(&mut self, now: u64, want: usize, run: &mut Vec<u64>) {
        let staged = self.plain.front().map(|first| first.seq);
        let ready = self.ready.first().copied();
        let plain = ready.map_or(staged, |ready| Some(staged.map_or(ready, |staged| staged.min(ready))));
        if self.groups.can_deliver() {
            self.groups.next_run(now, self.in_flight, want, plain, run);
        } else {
            run.extend(plain);
        }
    }

    /// Takes a visible message out of its place.
    fn take_visible(
        &mut self,
        seq: u64,
        batch: &mut Batch,
    ) -> Option<(Lease, Option<GroupSlot>, Option<Bytes>)> {
        if let Some(staged) = self.take_staged(seq, batch) {
            return Some((staged.lease, staged.group, staged.row));
        }
        self.take_live(seq).map(|live| (live.lease, live.group, None))
    }

    /// Takes a spent message out of the queue. Returns false, and does nothing, if its row is not at hand.
    fn take_out(
        &mut self,
        seq: u64,
        now: u64,
        rows: &HashMap<u64, Bytes>,
        taken: &mut Vec<Spent>,
        batch: &mut Batch,
    ) -> bool {
        let staged = [&self.plain, &self.grouped].into_iter().find_map(|stage| stage.get(seq)?.row.clone());
        let Some(row) = staged.or_else(|| rows.get(&seq).cloned()) else { return false };
        let Ok(content) = RowContent::read(&row) else {
            // Handing it out reports the damage.
            self.spent.remove(&seq);
            return true;
        };
        if let Some(lease) = self.remove(seq, now, batch) {
            taken.push(Spent { seq, lease, content });
        }
        true
    }

    /// Spent messages that could be received now and whose rows are not at hand, as far as one receive moves them.
    pub(crate) fn spent_without_row(&self, rows: &HashMap<u64, Bytes>) -> Vec<u64> {
        let at_hand = |seq: &u64| {
            let staged = [&self.plain, &self.grouped].into_iter().find_map(|stage| stage.get(*seq));
            rows.contains_key(seq) || staged.is_some_and(|staged| staged.row.is_some())
        };
        self.spent.iter().copied().take(TAKEN_MAX).filter(|seq| !at_hand(seq)).collect()
    }

    /// Treats these messages as if they were not spent, until they are received again.
    pub(crate) fn hand_out_all_the_same(&mut self, seqs: &[u64]) {
        for seq in seqs {
            self.spent.remove(seq);
        }
    }

    /// Whether there are spent messages that a receive could come to.
    pub(crate) fn has_spent(&self) -> bool {
        !self.spent.is_empty()
    }

    /// Whether the message is live in this partition, and so must have a row there.
    pub(crate) fn has_live(&self, partition: u64, seq: u64) -> bool {
        partition == self.partition && self.live.contains_key(&seq)
    }

    /// Messages in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes back a hand-out that did not arrive: the message is visible at once, its count as before.
    pub(crate) fn take_back(&mut self, seq: u64, delivery: u32, now: u64, batch: &mut Batch) {
        let handed_out = |live: &Live| live.lease.deliveries == delivery;
        if self.live.get(&seq).is_some_and(handed_out)
            && let Some(Live { lease, group, .. }) = self.take_live(seq)
        {
            let lease = lease.taken_back(now);
            lease.put(&keys::hot(self.partition, seq), self.group_name(group), batch);
            self.make_ready(seq, lease, group, batch);
        }
    }
}
