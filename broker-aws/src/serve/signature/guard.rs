//! The check of a listener with keys: each request is signed with one of them, now, and comes once if replays are refused.

use std::collections::BTreeSet;

use broker_core::{Clock as _, Timestamp, TokioClock};
use http::request::Parts;
use parking_lot::Mutex;

use super::{
    keys::{AccessKeys, Checked},
    refused::Refused,
};

/// The most signatures that are remembered, some 30 MB. Beyond that the oldest are forgotten, and requests as old as those are refused:
/// never at 1,600 requests a second; at 10,000, if a client's clock is 50 seconds behind.
const SEEN_MAX: usize = 500_000;

/// Keys, and the signatures that came lately.
pub(in crate::serve) struct Guard {
    keys: AccessKeys,
    seen: Mutex<Seen>,
}

impl Guard {
    pub(in crate::serve) fn new(keys: AccessKeys) -> Self {
        Self { keys, seen: Mutex::new(Seen::new(SEEN_MAX)) }
    }

    /// Refuses a request that is not signed with one of the keys, now, or that came already.
    pub(in crate::serve) fn check(&self, parts: &Parts, body: &[u8]) -> Result<(), Refused> {
        // A new one reads the clock of the machine, as its user sets it.
        self.check_at(parts, body, TokioClock::default().now())
    }

    pub(super) fn check_at(&self, parts: &Parts, body: &[u8], now: Timestamp) -> Result<(), Refused> {
        // Only what is signed well is remembered: others can fill the memory with nothing.
        match self.keys.check_at(parts, body, now)? {
            Some(checked) => self.seen.lock().first_time(checked, now),
            None => Ok(()),
        }
    }
}

/// Signatures that came, with the time until which they are good, and no more than there is room for.
struct Seen {
    signatures: BTreeSet<Checked>,
    max: usize,
    /// Of what was good until then or less, some was forgotten before its time.
    forgotten: Timestamp,
}

impl Seen {
    fn new(max: usize) -> Self {
        Self { signatures: BTreeSet::new(), max, forgotten: Timestamp::from_millis(0) }
    }

    fn first_time(&mut self, checked: Checked, now: Timestamp) -> Result<(), Refused> {
        // What is over is refused for that.
        while self.signatures.first().is_some_and(|oldest| oldest.good_until < now) {
            self.signatures.pop_first();
        }
        if checked.good_until <= self.forgotten || !self.signatures.insert(checked) {
            return Err(Refused::Again);
        }
        if self.signatures.len() > self.max
            && let Some(oldest) = self.signatures.pop_first()
        {
            self.forgotten = oldest.good_until;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(good_until: u64, first_byte: u8) -> Checked {
        let mut signature = [0; 32];
        signature[0] = first_byte;
        Checked { good_until: Timestamp::from_millis(good_until), signature }
    }

    #[test]
    fn a_signature_is_taken_once_as_long_as_it_is_good() {
        let mut seen = Seen::new(10);
        let now = Timestamp::from_millis(5);
        assert_eq!(seen.first_time(checked(10, 1), now), Ok(()));
        assert_eq!(seen.first_time(checked(10, 2), now), Ok(()));
        assert_eq!(seen.first_time(checked(10, 1), Timestamp::from_millis(10)), Err(Refused::Again));
        assert_eq!(seen.first_time(checked(20, 3), Timestamp::from_millis(11)), Ok(()));
        assert_eq!(seen.signatures.len(), 1, "what is over takes no room");
    }

    #[test]
    fn what_is_forgotten_for_lack_of_room_is_not_taken_again() {
        let mut seen = Seen::new(2);
        let now = Timestamp::from_millis(1);
        for (good_until, name) in [(10, 1), (20, 2), (30, 3)] {
            assert_eq!(seen.first_time(checked(good_until, name), now), Ok(()));
        }
        assert_eq!(seen.signatures.len(), 2);
        assert_eq!(seen.first_time(checked(10, 1), now), Err(Refused::Again), "it was forgotten");
        assert_eq!(seen.first_time(checked(9, 4), now), Err(Refused::Again), "it could have been");
        assert_eq!(seen.first_time(checked(11, 5), now), Ok(()), "it could not");
    }
}
