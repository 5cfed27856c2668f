//! A bucket of tokens that fills continuously and does not overflow. Pure.

use std::time::Duration;

/// Parts of a token: with a rate in tokens a second, what flows in during a millisecond is a whole number of them.
const PARTS: u64 = 1_000;

/// A bucket. How large it is and how fast it fills is told with each call, since both can change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    /// What was taken and has not flowed in again, in parts.
    missing: u64,
    as_of: u64,
}

impl Bucket {
    /// A full one.
    pub(super) fn full(now: u64) -> Self {
        Self { missing: 0, as_of: now }
    }

    /// Whether there is a token, in a bucket of `size` tokens that gets `per_second` of them. If not, when there will be one;
    /// `None` if never.
    pub(super) fn check(&mut self, size: u64, per_second: u64, now: u64) -> Result<(), Option<Duration>> {
        let passed = now.saturating_sub(self.as_of);
        self.missing = self.missing.saturating_sub(passed.saturating_mul(per_second));
        self.as_of = self.as_of.max(now);
        let room = size.saturating_mul(PARTS);
        let over = self.missing.saturating_add(PARTS).saturating_sub(room);
        match over {
            0 => Ok(()),
            _ if per_second == 0 || size == 0 => Err(None),
            _ => Err(Some(Duration::from_millis(over.div_ceil(per_second)))),
        }
    }

    /// Takes a token that [`check`](Self::check) has found.
    pub(super) fn take(&mut self) {
        self.missing = self.missing.saturating_add(PARTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_continuously_and_does_not_save_more_than_it_holds() {
        let mut bucket = Bucket::full(0);
        let mut take = |now| {
            let found = bucket.check(2, 1, now);
            if found.is_ok() {
                bucket.take();
            }
            found
        };
        assert_eq!((take(0), take(0)), (Ok(()), Ok(())));
        assert_eq!(take(0), Err(Some(Duration::from_secs(1))));
        assert_eq!(take(999), Err(Some(Duration::from_millis(1))));
        assert_eq!(take(1_000), Ok(()));
        // An hour fills it once.
        assert_eq!((take(3_600_000), take(3_600_000)), (Ok(()), Ok(())));
        assert_eq!(take(3_600_000), Err(Some(Duration::from_secs(1))));
    }

    #[test]
    fn a_bucket_of_no_size_never_has_a_token() {
        assert_eq!(Bucket::full(0).check(0, 0, u64::MAX), Err(None));
    }
}
