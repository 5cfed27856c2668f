//! Handles of move tasks: computed, like receipts.

use std::{fmt, str::FromStr};

use crate::ids::Seed;

/// What a running move task is cancelled by. Opaque, and as text 40 hexadecimal digits; it stays valid across restarts.
///
/// ```
/// use broker_core::MoveTaskHandle;
///
/// assert!("not a handle".parse::<MoveTaskHandle>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MoveTaskHandle {
    queue: u64,
    number: u64,
    check: u32,
}

/// The text is not the handle of a move task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the handle of a move task: expected {TEXT_LENGTH} hexadecimal digits")]
pub struct ParseMoveTaskHandleError;

const TEXT_LENGTH: usize = 40;

/// Tells these handles from receipts, whose third number is a count of deliveries.
const KIND: u64 = u64::MAX;

impl MoveTaskHandle {
    pub(super) fn new(seed: Seed, queue: u64, number: u64) -> Self {
        Self { queue, number, check: seed.check(queue, number, KIND) }
    }

    /// The id of the source queue and the task's number there, if the handle is of this store.
    pub(super) fn open(self, seed: Seed) -> Option<(u64, u64)> {
        let genuine = self.check == seed.check(self.queue, self.number, KIND);
        genuine.then_some((self.queue, self.number))
    }
}

impl fmt::Display for MoveTaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, number, check } = self;
        write!(f, "{queue:016x}{number:016x}{check:08x}")
    }
}

impl fmt::Debug for MoveTaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MoveTaskHandle {
    type Err = ParseMoveTaskHandleError;

    fn from_str(text: &str) -> Result<Self, ParseMoveTaskHandleError> {
        // from_str_radix takes a sign, which a handle never has.
        if text.len() != TEXT_LENGTH || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ParseMoveTaskHandleError);
        }
        let field = |range: std::ops::Range<usize>| {
            u64::from_str_radix(&text[range], 16).map_err(|_| ParseMoveTaskHandleError)
        };
        let check = u32::try_from(field(32..40)?).map_err(|_| ParseMoveTaskHandleError)?;
        Ok(Self { queue: field(0..16)?, number: field(16..32)?, check })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_handle_survives_text_and_opens_in_its_store_only(seed: u64, queue: u64, number: u64) {
            let handle = MoveTaskHandle::new(Seed(seed), queue, number);
            let parsed: MoveTaskHandle = handle.to_string().parse().expect("its own text");
            prop_assert_eq!(parsed, handle);
            prop_assert_eq!(parsed.open(Seed(seed)), Some((queue, number)));
            prop_assert_eq!(parsed.open(Seed(!seed)), None);
        }

        #[test]
        fn no_text_makes_the_handle_parser_panic(text in ".{0,50}") {
            let _ = text.parse::<MoveTaskHandle>();
        }
    }
}
