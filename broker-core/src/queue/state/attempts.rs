//! Receives that can be asked for again (rule F39).

use std::collections::HashMap;

use super::{Leased, Live, Phase, QueueState};
use crate::{keys, queue::lease::Lease, storage::Batch};

/// How long a receive can be asked for again.
const ATTEMPT_MS: u64 = 5 * 60_000;
/// So many attempts are kept before those are looked for that mean nothing any more.
const ATTEMPTS_MIN: usize = 64;

#[derive(Debug)]
struct Attempt {
    made_at: u64,
    /// Sequence and lease of each message.
    leased: Vec<(u64, Lease)>,
}

/// The attempts of a queue that can be repeated.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    by_id: HashMap<String, Attempt>,
    /// At this number of them the old ones are removed.
    full: usize,
}

impl QueueState {
    /// The messages of an earlier receive with this id, if all of them are in flight as they were: their visibility
    /// timeout starts again, their receipts and counts stay.
    pub(crate) fn repeat_attempt(
        &mut self,
        id: &str,
        now: u64,
        timeout_ms: u64,
        batch: &mut Batch,
    ) -> Option<Vec<Leased>> {
        let attempt = self.attempts.by_id.get(id).filter(|attempt| self.is_repeatable(attempt, now))?;
        let (made_at, leased) = (attempt.made_at, attempt.leased.clone());
        let again = |(seq, lease): (u64, Lease)| {
            let lease = Lease { visible_at: now.saturating_add(timeout_ms), ..lease };
            let Live { group, .. } = self.take_live(seq).expect("what can be repeated is in flight");
            lease.put(&keys::hot(self.partition, seq), self.group_name(group), batch);
            self.put_live(seq, lease, Phase::InFlight, group);
            Leased { seq, lease, row: None }
        };
        let leased: Vec<_> = leased.into_iter().map(again).collect();
        self.note_attempt(id, made_at, &leased);
        Some(leased)
    }

    /// Remembers what a receive with this id has leased. One that found nothing can be made again anyway.
    pub(crate) fn note_attempt(&mut self, id: &str, made_at: u64, leased: &[Leased]) {
        if leased.is_empty() {
            return;
        }
        if self.attempts.by_id.len() >= self.attempts.full {
            let mut attempts = std::mem::take(&mut self.attempts);
            attempts.by_id.retain(|_, attempt| self.is_repeatable(attempt, made_at));
            attempts.full = ATTEMPTS_MIN.max(2 * attempts.by_id.len());
            self.attempts = attempts;
        }
        let leased: Vec<_> = leased.iter().map(|leased| (leased.seq, leased.lease)).collect();
        self.attempts.by_id.insert(id.to_owned(), Attempt { made_at, leased });
    }

    fn is_repeatable(&self, attempt: &Attempt, now: u64) -> bool {
        let as_it_was = |(seq, leased): &(u64, Lease)| {
            let same = |live: &Live| live.phase == Phase::InFlight && live.lease == *leased;
            self.live.get(seq).is_some_and(same)
        };
        now < attempt.made_at.saturating_add(ATTEMPT_MS) && attempt.leased.iter().all(as_it_was)
    }
}
