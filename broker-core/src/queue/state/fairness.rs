//! Which tenants of a fair queue are noisy (rules Q101 to Q103).

use std::{collections::HashMap, sync::Arc};

/// What is remembered of a tenant while it has messages in memory.
#[derive(Debug, Default)]
pub(super) struct Tenant {
    pub(super) noisy: bool,
    sent_at: u64,
}

/// A tenant that has sent nothing for so long is not noisy.
const SILENCE_MS: u64 = 5 * 60_000;

impl Tenant {
    pub(super) fn note_sent(&mut self, sent_at: u64) {
        self.sent_at = self.sent_at.max(sent_at);
    }

    /// Whether it has sent something lately.
    pub(super) fn sends(&self, now: u64) -> bool {
        now < self.sent_at.saturating_add(SILENCE_MS)
    }
}

/// A tenant has a large share if it has more than one in so many.
const LARGE_SHARE: u64 = 10;
/// Fewer messages in flight are never too many.
const IN_FLIGHT_MIN: usize = 30;
/// How long work is counted in one window, of which two are looked at.
const WINDOW_MS: u64 = 60_000;

/// How long consumers worked for whom: in this window and in the one before.
#[derive(Debug, Default)]
pub(super) struct Fairness {
    window: u64,
    current: Work,
    before: Work,
}

#[derive(Debug, Default)]
struct Work {
    total_ms: u64,
    by_tenant: HashMap<Arc<str>, u64>,
}

impl Fairness {
    /// A message was worked on for so long: from its receive until it was deleted or visible again.
    pub(super) fn note_work(&mut self, tenant: Option<&Arc<str>>, work_ms: u64, now: u64) {
        self.turn_to(now / WINDOW_MS);
        self.current.total_ms = self.current.total_ms.saturating_add(work_ms);
        if let Some(tenant) = tenant {
            let own = self.current.by_tenant.entry(tenant.clone()).or_default();
            *own = own.saturating_add(work_ms);
        }
    }

    /// Whether the tenant has more than its share of what is in flight, or of the work.
    pub(super) fn is_noisy(&mut self, tenant: &str, mine: usize, in_flight: usize, now: u64) -> bool {
        self.turn_to(now / WINDOW_MS);
        let large = |own: u64, total: u64| own.saturating_mul(LARGE_SHARE) > total;
        let own = |work: &Work| work.by_tenant.get(tenant).copied().unwrap_or(0);
        let worked = own(&self.current).saturating_add(own(&self.before));
        mine >= IN_FLIGHT_MIN && large(mine as u64, in_flight as u64)
            || large(worked, self.current.total_ms.saturating_add(self.before.total_ms))
    }

    fn turn_to(&mut self, window: u64) {
        if window > self.window {
            let ended = std::mem::take(&mut self.current);
            self.before = if window == self.window + 1 { ended } else { Work::default() };
            self.window = window;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Q101: the work of this window and of the one before, each a minute long.
    #[test]
    fn work_is_counted_in_its_window_and_in_the_next() {
        let mut fairness = Fairness::default();
        let (loud, quiet) = (Arc::from("loud"), Arc::from("quiet"));
        fairness.note_work(Some(&loud), 50, 5 * WINDOW_MS);
        fairness.note_work(Some(&quiet), 400, 6 * WINDOW_MS - 1);
        fairness.note_work(None, 50, 6 * WINDOW_MS);
        let noisy = |fairness: &mut Fairness, now| fairness.is_noisy("loud", 0, 0, now);
        assert!(!noisy(&mut fairness, 6 * WINDOW_MS), "50 of 500 is no more than its share");
        fairness.note_work(Some(&loud), 6, 7 * WINDOW_MS - 1);
        assert!(noisy(&mut fairness, 7 * WINDOW_MS - 1), "56 of 506");
        assert!(noisy(&mut fairness, 7 * WINDOW_MS), "6 of 56");
        assert!(!noisy(&mut fairness, 8 * WINDOW_MS), "nobody worked");
        fairness.note_work(Some(&loud), 1, 8 * WINDOW_MS);
        fairness.note_work(Some(&quiet), 50, 10 * WINDOW_MS);
        assert!(!noisy(&mut fairness, 10 * WINDOW_MS), "what is two windows old is over");
    }

    /// Q101: 30 in flight are many, if they are more than a tenth.
    #[test]
    fn a_large_share_in_flight_is_noisy() {
        let mut fairness = Fairness::default();
        let mut noisy = |mine, in_flight| fairness.is_noisy("loud", mine, in_flight, 0);
        assert!(noisy(30, 299) && !noisy(30, 300) && !noisy(29, 29) && noisy(31, 309));
    }
}
