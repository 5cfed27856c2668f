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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::{Limits, MemoryBounds},
        queue::{
            record::Record,
            row::RowHead,
            settings::{QueueSettings, Settings},
        },
    };

    fn fifo() -> QueueState {
        let settings = Settings::new(&Limits::aws(), 1 << 20, &QueueSettings::new().fifo(true));
        let record = Record { partition: 1, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: 0 };
        QueueState::new(1, settings.expect("the defaults are fine"), MemoryBounds::default(), &record)
    }

    fn leased(seq: u64) -> Leased {
        let lease = Lease::untouched(RowHead::sent(0, 0)).handed_out(0, 30_000);
        Leased { seq, lease, row: None }
    }

    /// What cannot be repeated is forgotten now and then, and what can is not (F39): the more there is, the rarer.
    #[test]
    fn memory_holds_attempts_that_can_be_repeated_and_few_others() {
        let mut state = fifo();
        for n in 0..1_000 {
            state.note_attempt(&format!("gone {n}"), n, &[leased(n)]);
            assert!(state.attempts.by_id.len() <= ATTEMPTS_MIN);
        }
        let held = 5_000..5_200;
        for seq in held.clone() {
            state.put_live(seq, leased(seq).lease, Phase::InFlight, None);
            state.note_attempt(&format!("held {seq}"), 2_000, &[leased(seq)]);
        }
        assert!(held.clone().all(|seq| state.attempts.by_id.contains_key(&format!("held {seq}"))));
        assert_eq!(state.attempts.by_id.len(), 200, "the others were found to be gone on the way");
        assert_eq!(state.attempts.full, 256);
        for n in 0..100 {
            state.note_attempt(&format!("late {n}"), 2_000 + ATTEMPT_MS, &[leased(5_000)]);
        }
        assert_eq!(state.attempts.by_id.len(), 100, "five minutes have passed for the others");
    }
}
