//! What follows from an attempt (rules L10 to L13). Pure.

use std::time::Duration;

use super::record::Condition;
use crate::concurrency::ThrottleReason;

/// The first retry comes after a minute, the second after two more.
const RETRY: Duration = Duration::from_secs(60);
/// An event that was throttled is tried again after a second, then after twice as long, and so on, up to five minutes.
const THROTTLED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// What is to become of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is tried again after this time.
    Again(Duration),
    /// It is given up.
    GiveUp(Condition),
}

/// After the function has failed: it has been tried `attempts` times by now, and may be tried `retries` times more than once.
///
/// The age is looked at *before* the wait (rule L12). An event whose age would be exactly the greatest is too old then: in
/// Lambda some time always passes, so that 60 seconds of age leave room for one attempt, and 90 for two.
pub(super) fn after_failure(attempts: u32, retries: u32, age: Duration, age_max: Duration) -> Next {
    if attempts > retries {
        return Next::GiveUp(Condition::RetriesExhausted);
    }
    wait(RETRY.saturating_mul(attempts), age, age_max)
}

/// After it could not run. It was received `receives` times since it was last tried, this time included.
pub(super) fn after_throttle(
    reason: ThrottleReason,
    receives: u32,
    age: Duration,
    age_max: Duration,
) -> Next {
    if reason == ThrottleReason::ZeroReserved {
        return Next::GiveUp(Condition::ZeroReservedConcurrency);
    }
    let doublings = receives.saturating_sub(1).min(THROTTLED.1.as_secs().ilog2() + 1);
    wait((THROTTLED.0 * 2u32.pow(doublings)).min(THROTTLED.1), age, age_max)
}

fn wait(wait: Duration, age: Duration, age_max: Duration) -> Next {
    if age.saturating_add(wait) >= age_max {
        Next::GiveUp(Condition::EventAgeExceeded)
    } else {
        Next::Again(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS_6: Duration = Duration::from_secs(21_600);
    const ZERO: Duration = Duration::ZERO;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    // L11
    #[test]
    fn the_waits_of_a_throttled_event_double_from_a_second_to_five_minutes() {
        let waits =
            (1..=11).map(|receives| match after_throttle(ThrottleReason::Rate, receives, ZERO, HOURS_6) {
                Next::Again(wait) => wait.as_secs(),
                Next::GiveUp(condition) => panic!("{condition:?}"),
            });
        assert_eq!(waits.collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        let last = after_throttle(ThrottleReason::Rate, u32::MAX, ZERO, HOURS_6);
        assert_eq!(last, Next::Again(secs(300)));
    }

    // L12
    #[test]
    fn the_age_is_looked_at_before_the_wait() {
        let too_old = Next::GiveUp(Condition::EventAgeExceeded);
        assert_eq!(after_failure(1, 2, ZERO, secs(60)), too_old);
        assert_eq!(after_failure(1, 2, ZERO, secs(90)), Next::Again(secs(60)));
        assert_eq!(after_failure(2, 2, secs(60), secs(90)), too_old);
        let throttled = |age| after_throttle(ThrottleReason::Concurrency, 1, age, secs(60));
        assert_eq!(throttled(secs(58)), Next::Again(secs(1)));
        assert_eq!(throttled(secs(59)), too_old);
    }
}
