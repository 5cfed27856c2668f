//! Time: the one module that reads a clock.
//!
//! The broker counts milliseconds since 1970. A [`Clock`] says what time it is and waits; [`Timeline`] makes of it the
//! broker's own time, which never goes back, not even across restarts.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};

use crate::sync::{AtomicU64, Ordering};

/// A point in time, in whole milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point `millis` milliseconds after 1970-01-01 UTC.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`, zero if that lies ahead.
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// As RFC 3339, in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last moment that RFC 3339 can write.
        const LAST: u64 = 253_402_300_799_999;
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.min(LAST));
        fmt::Display::fmt(&humantime::format_rfc3339_millis(time), f)
    }
}

/// Whole milliseconds of a duration; what does not fit counts as for ever.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A future without a name, as object-safe traits need it.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Where the broker gets its time from.
///
/// Implementors owe: `now` does not block; `sleep_until` returns once `now` has reached the deadline, uses no timer
/// and no CPU before that, and may be dropped at any time.
pub trait Clock: Send + Sync + 'static {
    /// The present time in milliseconds since 1970. Should it step back, the broker's time stands still meanwhile.
    fn now(&self) -> Timestamp;

    /// Waits until the given time has come.
    fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_>;
}

/// The default clock: reads the wall clock once, then follows `tokio::time`.
///
/// A step of the host's clock changes no deadline, and a test with `start_paused = true` runs on virtual time without
/// asking. Like the timers of tokio it may stand still while the host is suspended.
#[derive(Debug, Clone)]
pub struct TokioClock {
    wall: u64,
    start: Instant,
}

impl TokioClock {
    /// A clock that starts at the host's present time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        Self { wall, start: Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.saturating_add(millis(self.start.elapsed())))
    }

    fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_> {
        let wait = Duration::from_millis(deadline.0.saturating_sub(self.wall));
        match self.start.checked_add(wait) {
            Some(instant) => Box::pin(tokio::time::sleep_until(instant)),
            None => Box::pin(std::future::pending()),
        }
    }
}

/// A clock that moves only when told to, for tests outside tokio's paused time.
///
/// ```
/// use std::time::Duration;
/// use broker_core::{Clock, ManualClock};
///
/// let clock = ManualClock::new(1_000);
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now().as_millis(), 3_000);
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<watch::Sender<u64>>,
}

impl ManualClock {
    /// A clock that stands at `millis` milliseconds since 1970.
    pub fn new(millis: u64) -> Self {
        Self { now: Arc::new(watch::Sender::new(millis)) }
    }

    /// Moves the clock forward and wakes whoever waits for the time reached.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now = now.saturating_add(millis(by)));
    }

    /// Sets the clock, also back: as a host's clock may.
    pub fn set(&self, to: Timestamp) {
        self.now.send_replace(to.0);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(*self.now.borrow())
    }

    fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_> {
        let mut changes = self.now.subscribe();
        Box::pin(async move {
            // The sender lives in `self`, which this future borrows: the wait cannot fail.
            let _ = changes.wait_for(|now| *now >= deadline.0).await;
        })
    }
}

/// The broker's time: a clock, moved ahead so that it starts no earlier than the newest time in the store.
///
/// Without that, a host clock that stepped back between two runs would lengthen every lease and every delay.
pub(crate) struct Timeline {
    clock: Arc<dyn Clock>,
    ahead: u64,
    newest: AtomicU64,
}

impl Timeline {
    pub(crate) fn new(clock: Arc<dyn Clock>, stored: u64) -> Self {
        let ahead = stored.saturating_sub(clock.now().0);
        Self { clock, ahead, newest: AtomicU64::new(stored) }
    }

    /// Milliseconds since 1970, never less than an earlier answer.
    pub(crate) fn now(&self) -> u64 {
        let now = self.clock.now().0.saturating_add(self.ahead);
        // Mostly somebody has asked in this millisecond, and a load is cheaper than a write that all threads share.
        match self.newest.load(Ordering::Relaxed) {
            newest if newest >= now => newest,
            _ => now.max(self.newest.fetch_max(now, Ordering::Relaxed)),
        }
    }

    pub(crate) fn sleep_until(&self, deadline: u64) -> Sleep<'_> {
        self.clock.sleep_until(Timestamp(deadline.saturating_sub(self.ahead)))
    }

    /// The same, or for ever if there is no deadline.
    pub(crate) fn sleep_until_any(&self, deadline: Option<u64>) -> Sleep<'_> {
        match deadline {
            Some(deadline) => self.sleep_until(deadline),
            None => Box::pin(std::future::pending()),
        }
    }

    /// The same for work in the background, which must not hold the broker while it sleeps.
    pub(crate) fn alarm(&self, deadline: u64) -> Sleep<'static> {
        let (clock, deadline) = (self.clock.clone(), Timestamp(deadline.saturating_sub(self.ahead)));
        Box::pin(async move { clock.sleep_until(deadline).await })
    }

    /// The broker's time as a clock for others, which does not hold the broker.
    pub(crate) fn as_clock(self: &Arc<Self>) -> Arc<dyn Clock> {
        Arc::new(BrokerClock(self.clone()))
    }
}

/// The broker's own time, as a clock.
struct BrokerClock(Arc<Timeline>);

impl Clock for BrokerClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.now())
    }

    fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_> {
        self.0.sleep_until(deadline.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_time_stands_still_while_the_clock_is_set_back() {
        let clock = ManualClock::new(5_000);
        let timeline = Timeline::new(Arc::new(clock.clone()), 0);
        assert_eq!(timeline.now(), 5_000);
        clock.set(Timestamp(1_000));
        assert_eq!(timeline.now(), 5_000);
        clock.set(Timestamp(5_001));
        assert_eq!(timeline.now(), 5_001);
    }

    #[test]
    fn the_brokers_time_goes_on_from_the_newest_time_stored() {
        let clock = ManualClock::new(1_000);
        let timeline = Timeline::new(Arc::new(clock.clone()), 9_000);
        assert_eq!(timeline.now(), 9_000);
        clock.advance(Duration::from_millis(7));
        assert_eq!(timeline.now(), 9_007);
    }

    #[tokio::test(start_paused = true)]
    async fn the_default_clock_follows_paused_time() {
        let clock = TokioClock::new();
        let before = clock.now();
        clock.sleep_until(Timestamp(before.0 + 3_600_000)).await;
        assert_eq!(clock.now().since(before), Duration::from_secs(3_600));
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_its_sleepers() {
        let clock = ManualClock::new(0);
        let sleeper = clock.clone();
        let task = tokio::spawn(async move { sleeper.sleep_until(Timestamp(10)).await });
        clock.advance(Duration::from_millis(10));
        task.await.expect("the sleeper returns");
    }
}
