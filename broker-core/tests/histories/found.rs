//! Histories that once went wrong, by name.

use super::{
    driver::{Step, TINY},
    on_memory, on_sled,
};

/// A delayed message expired in front of the cursor; the page read that followed found its row, whose deletion was
/// not committed yet, and brought it back to life.
#[test]
fn a_message_that_expired_ahead_of_the_cursor_stays_gone() {
    let steps = [
        Step::Send { delay_s: Some(21) },
        Step::SendBatch { count: 9 },
        Step::Receive { max: 5, timeout_s: Some(13) },
        Step::Advance { ms: 57_027 },
        Step::Send { delay_s: None },
        Step::Send { delay_s: Some(31) },
        Step::Advance { ms: 48_022 },
        Step::Delete { nth: 10 },
        Step::Advance { ms: 47_821 },
        Step::Delete { nth: 1 },
    ];
    on_memory(&steps, true, TINY);
    on_sled(&steps, TINY);
}

/// The messages to be deleted were put out of memory by the very operation that was to delete them.
#[test]
fn a_message_put_out_of_memory_is_still_deleted() {
    let steps = [
        Step::SendBatch { count: 5 },
        Step::Receive { max: 4, timeout_s: None },
        Step::Advance { ms: 10_000 },
        Step::DeleteBatch { count: 3 },
    ];
    on_memory(&steps, false, TINY);
    on_sled(&steps, TINY);
}
