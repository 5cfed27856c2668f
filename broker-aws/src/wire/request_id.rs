//! The id of each request: a UUID, which a client may quote when something is wrong.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// Gives out ids. They do not repeat within a service, and hardly between services.
#[derive(Debug, Default)]
pub(crate) struct RequestIds {
    seed: RandomState,
    given: AtomicU64,
}

impl RequestIds {
    /// The next id, in the form of a random UUID.
    pub(crate) fn next(&self) -> String {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (self.seed.hash_one((number, 0)), self.seed.hash_one((number, 1)));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_differ() {
        let ids = RequestIds::default();
        let (first, second) = (ids.next(), ids.next());
        assert_eq!(first.len(), 36);
        assert_eq!(first.as_bytes()[14], b'4');
        assert_ne!(first, second);
    }
}
