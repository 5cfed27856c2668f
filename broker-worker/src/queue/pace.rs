//! How fast provisioned pollers poll (rule L60): ten calls and one megabyte a second each. Pure.

/// Microseconds between two calls of one poller.
const CALL_US: u64 = 1_000_000 / 10;
/// Bytes that one poller takes in a second.
const BYTES_PER_SECOND: u64 = 1_000_000;

/// When the next call may be made.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// In microseconds, as the calls so far have it.
    call_at: u64,
    /// The same for the bytes.
    bytes_at: u64,
}

impl Pace {
    /// Takes the next call of `pollers`. Returns the millisecond at which it may be made.
    pub(super) fn call(&mut self, now_ms: u64, pollers: usize) -> u64 {
        let now = now_ms.saturating_mul(1_000);
        let at = self.call_at.max(self.bytes_at).max(now);
        self.call_at = at.saturating_add(CALL_US / pollers.max(1) as u64);
        at.div_ceil(1_000)
    }

    /// Whether a call may be made after all: those before it may have taken too much meanwhile. If not, take another one.
    pub(super) fn is_free(&self, now_ms: u64) -> bool {
        self.bytes_at <= now_ms.saturating_mul(1_000)
    }

    /// A call has returned so many bytes.
    pub(super) fn took(&mut self, now_ms: u64, bytes: usize, pollers: usize) {
        let now = now_ms.saturating_mul(1_000);
        let rate = BYTES_PER_SECOND.saturating_mul(pollers.max(1) as u64);
        let cost = (bytes as u64).saturating_mul(1_000_000) / rate;
        self.bytes_at = self.bytes_at.max(now).saturating_add(cost);
    }
}
