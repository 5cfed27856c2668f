//! What can happen to a queue and its dead-letter queue.

use broker_core::DeduplicationScope;
use proptest::prelude::*;

use super::pair::{Setup, Side};

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Letter {
    pub(crate) group: u8,
    /// The deduplication id. Without one, the content counts where the queue wants that, and elsewhere the id is new.
    pub(crate) id: Option<u8>,
    pub(crate) body: usize,
}

/// One step of a history.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The delay is for standard queues.
    Send {
        to: Side,
        letter: Letter,
        delay_s: Option<u64>,
    },
    SendBatch {
        to: Side,
        letters: Vec<Letter>,
    },
    Receive {
        from: Side,
        max: usize,
        timeout_s: Option<u64>,
        /// The id of the attempt, on a FIFO queue.
        attempt: Option<u8>,
    },
    /// Deletes by the `n`th of all receipts given out so far, counted from the newest.
    Delete {
        nth: usize,
    },
    DeleteBatch {
        count: usize,
    },
    Change {
        nth: usize,
        timeout_s: u64,
    },
    /// Sends the message of that receipt to the dead-letter queue.
    GiveUp {
        nth: usize,
    },
    /// Sends dead letters back: all of them, or each to where it came from, which fails at one that came from nowhere.
    Redrive {
        all: bool,
    },
    Advance {
        ms: u64,
    },
    SetDelay {
        s: u64,
    },
    SetRetention {
        of: Side,
        s: u64,
    },
    SetLimit {
        limit: Option<u32>,
    },
    Purge {
        of: Side,
    },
    Reopen,
    /// A crash that keeps this many of the commits that were not synced yet.
    Crash {
        unsynced: usize,
    },
}

pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    let scope = prop_oneof![Just(DeduplicationScope::Queue), Just(DeduplicationScope::MessageGroup)];
    let retention = prop_oneof![Just(120_u64), Just(600)];
    let delay = prop_oneof![3 => Just(0_u64), 1 => Just(5)];
    let limit = prop::option::weighted(0.8, 1..4_u32);
    (prop::bool::weighted(0.75), any::<bool>(), scope, limit, delay, retention).prop_map(
        |(fifo, by_content, scope, limit, delay_s, retention_s)| Setup {
            fifo,
            by_content,
            scope,
            limit,
            delay_s,
            retention_s,
        },
    )
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![4 => Just(Side::Main), 1 => Just(Side::Dead)]
}

fn letter() -> impl Strategy<Value = Letter> {
    let group = prop_oneof![2 => Just(0), 3 => 0..6_u8];
    (group, prop::option::weighted(0.6, 0..40_u8), 0..40_usize).prop_map(|(group, id, body)| Letter {
        group,
        id,
        body,
    })
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let nth = || 0..12_usize;
    prop_oneof![
        7 => (side(), letter(), prop::option::weighted(0.4, 0..100_u64))
            .prop_map(|(to, letter, delay_s)| Step::Send { to, letter, delay_s }),
        3 => (side(), prop::collection::vec(letter(), 1..10))
            .prop_map(|(to, letters)| Step::SendBatch { to, letters }),
        10 => (side(), 1..10_usize, prop::option::weighted(0.3, 0..40_u64), prop::option::weighted(0.3, 0..2_u8))
            .prop_map(|(from, max, timeout_s, attempt)| Step::Receive { from, max, timeout_s, attempt }),
        5 => nth().prop_map(|nth| Step::Delete { nth }),
        2 => (1..8_usize).prop_map(|count| Step::DeleteBatch { count }),
        4 => (nth(), prop_oneof![2 => Just(0), 2 => 1..60_u64, 1 => Just(43_200)])
            .prop_map(|(nth, timeout_s)| Step::Change { nth, timeout_s }),
        2 => nth().prop_map(|nth| Step::GiveUp { nth }),
        1 => any::<bool>().prop_map(|all| Step::Redrive { all }),
        6 => prop_oneof![
            4 => 0..3_000_u64,
            1 => Just(1),
            4 => Just(10_000),
            4 => 20_000..70_000_u64,
            1 => prop_oneof![200_000..301_000_u64, 299_998..300_001_u64],
        ]
            .prop_map(|ms| Step::Advance { ms }),
        1 => (0..40_u64).prop_map(|s| Step::SetDelay { s }),
        1 => (side(), 60..700_u64).prop_map(|(of, s)| Step::SetRetention { of, s }),
        1 => prop::option::weighted(0.8, 1..4_u32).prop_map(|limit| Step::SetLimit { limit }),
        1 => side().prop_map(|of| Step::Purge { of }),
        2 => Just(Step::Reopen),
        2 => (0..4_usize).prop_map(|unsynced| Step::Crash { unsynced }),
    ]
}
