//! When a worker may deliver next.

/// Spreads deliveries so that there are no more in a second than the policy says.
#[derive(Default)]
pub(super) struct Throttle {
    next_us: u64,
}

impl Throttle {
    /// When the next delivery may be, in milliseconds.
    pub(super) fn next(&self) -> u64 {
        self.next_us.div_ceil(1_000)
    }

    /// A message is delivered now.
    pub(super) fn note(&mut self, rate: Option<u32>, now: u64) {
        if let Some(rate) = rate {
            let apart_us = 1_000_000 / u64::from(rate.max(1));
            self.next_us = self.next_us.max(now.saturating_mul(1_000)).saturating_add(apart_us);
        }
    }

    /// No delivery before so long from now.
    pub(super) fn pause(&mut self, now: u64, ms: u64) {
        self.next_us = self.next_us.max(now.saturating_add(ms).saturating_mul(1_000));
    }
}
