//! Histories that once went wrong, by name.

use broker_core::MemoryBounds;

use super::{
    driver::{Step, TINY},
    on_disks, on_memory,
    pairs::{
        self, Setup,
        Side::Main,
        steps::{Letter, Step as PairStep},
    },
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
    on_disks(&steps, TINY);
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
    on_disks(&steps, TINY);
}

/// A message to each of these groups.
fn to(groups: &[u8]) -> PairStep {
    let letter = |group: &u8| Letter { group: *group, id: None, body: 0 };
    PairStep::SendBatch { to: Main, letters: groups.iter().map(letter).collect() }
}

fn delayed(delay_s: u64) -> PairStep {
    let letter = Letter { group: 0, id: None, body: 0 };
    PairStep::Send { to: Main, letter, delay_s: Some(delay_s) }
}

/// A message that takes much of the room for rows.
fn long(group: u8) -> PairStep {
    PairStep::SendBatch { to: Main, letters: vec![Letter { group, id: None, body: 15 }] }
}

fn receive(max: usize) -> PairStep {
    PairStep::Receive { from: Main, max, timeout_s: None, attempt: None }
}

/// The delayed messages of a FIFO queue are counted as the sequences behind the first of them. Without one, those behind
/// the last message were taken for it.
#[test]
fn what_is_gone_at_the_end_is_not_delayed() {
    let steps = [
        PairStep::SetDelay { s: 1 },
        to(&[0]),
        to(&[0]),
        to(&[0]),
        long(0),
        PairStep::Advance { ms: 1_000 },
        to(&[0]),
        to(&[0]),
        to(&[1]),
        receive(1),
        PairStep::Advance { ms: 10_000 },
        receive(4),
    ];
    let setup = Setup { retention_s: 346, ..Setup::FIFO };
    pairs::on_memory(&setup, &steps, false, TINY);
    pairs::on_disks(&setup, &steps, TINY);
}

/// And a sequence that was gone in front of the first delayed message was counted with it.
#[test]
fn what_is_gone_in_front_of_delayed_messages_is_not_delayed() {
    let steps = [
        to(&[0, 0, 0, 0, 0, 1]),
        PairStep::Advance { ms: 10_000 },
        receive(1),
        to(&[0]),
        receive(1),
        PairStep::DeleteBatch { count: 1 },
        PairStep::Reopen,
    ];
    let setup = Setup { delay_s: 5, limit: Some(2), retention_s: 600, ..Setup::FIFO };
    pairs::on_memory(&setup, &steps, false, TINY);
    pairs::on_disks(&setup, &steps, TINY);
}

/// Spent messages counted as found, so messages behind the cursor were not read, and newer ones overtook them.
#[test]
fn no_message_overtakes_behind_spent_ones() {
    let steps = [
        delayed(28),
        to(&[0, 0]),
        to(&[0]),
        PairStep::Advance { ms: 10_000 },
        to(&[0]),
        receive(2),
        to(&[0]),
        PairStep::Advance { ms: 20_000 },
        receive(2),
    ];
    let setup = Setup { limit: Some(1), delay_s: 5, retention_s: 230, ..Setup::STANDARD };
    pairs::on_memory(&setup, &steps, false, TINY);
    pairs::on_disks(&setup, &steps, TINY);
}

/// A receive paged in a spent message whose row was not at hand, and returned nothing instead of moving it.
#[test]
fn a_receive_moves_a_spent_message_that_it_has_just_read() {
    let steps = [
        to(&[0, 0]),
        receive(1),
        PairStep::Change { nth: 0, timeout_s: 18 },
        to(&[0, 1, 1]),
        receive(2),
        PairStep::Advance { ms: 10_000 },
        PairStep::SetLimit { limit: Some(1) },
        PairStep::Reopen,
    ];
    pairs::on_memory(&Setup::FIFO, &steps, false, TINY);
    pairs::on_disks(&Setup::FIFO, &steps, TINY);
}

/// A receive came first to a spent message that was not among the first hundred by sequence, whose rows it had read. It
/// returned nothing, and so did every later one.
#[test]
fn a_queue_with_many_spent_messages_is_not_stuck() {
    let groups: Vec<u8> = (0..120).collect();
    let mut steps: Vec<_> = groups.chunks(10).map(to).collect();
    steps.extend((0..12).map(|_| receive(10)));
    steps.push(PairStep::Change { nth: 0, timeout_s: 0 });
    steps.push(PairStep::Advance { ms: 10_000 });
    let setup = Setup { limit: Some(1), ..Setup::FIFO };
    pairs::on_memory(&setup, &steps, false, MemoryBounds::default());
    pairs::on_disks(&setup, &steps, MemoryBounds::default());
}

/// The message to be given up was put out of memory between being asked about and being moved, and said to be gone.
#[test]
fn a_message_put_out_of_memory_is_still_given_up() {
    let steps = [
        PairStep::SetRetention { of: Main, s: 60 },
        delayed(49),
        to(&[0; 7]),
        delayed(49),
        to(&[0; 5]),
        receive(4),
        to(&[0]),
        receive(9),
        PairStep::Advance { ms: 10_000 },
        PairStep::Advance { ms: 39_000 },
        PairStep::GiveUp { nth: 0 },
    ];
    let setup = Setup { limit: Some(1), ..Setup::STANDARD };
    pairs::on_memory(&setup, &steps, false, TINY);
    pairs::on_disks(&setup, &steps, TINY);
}
