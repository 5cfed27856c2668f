//! What no call from outside can see in time, or at all: how much memory holds, and which reads are still good.

use super::*;
use crate::{
    limits::Limits,
    queue::{
        message::SendMessage,
        redrive::RedrivePolicy,
        row::{RowHead, UnstampedRow},
        settings::QueueSettings,
    },
    storage::Page,
};

const WIDE: MemoryBounds =
    MemoryBounds { ready: 100, delayed: 100, staged: 100, staged_bytes: 1 << 20, searched: 100 };

const PAGE: Page = Page { entries: 10, bytes: 1 << 20 };

fn settings(settings: &QueueSettings) -> Settings {
    Settings::new(&Limits::aws(), 1 << 20, settings).expect("the settings are fine")
}

/// A queue of which nothing is in memory, of so many messages that are all stored.
fn queue(of: &QueueSettings, bounds: MemoryBounds, stored: u64) -> QueueState {
    let record = Record { partition: 1, head: 0, tail: stored, stored, cold: 0, delayed: 0, as_of: 0 };
    QueueState::new(1, settings(of), bounds, &record)
}

fn send(state: &mut QueueState, delay_ms: u64, group: Option<&str>) {
    let row = |head| UnstampedRow::new(&SendMessage::from("m"), None).stamp(head);
    state.append(0, delay_ms, group, row, &mut Batch::new());
}

/// A message that is in flight until then, as opening the queue finds it.
fn in_flight(until: u64) -> Lease {
    Lease { visible_at: until, ..Lease::untouched(RowHead::sent(0, 0)).handed_out(0, 0) }
}

/// The rows in memory of messages with and without a group.
fn rows(state: &QueueState) -> (usize, usize) {
    (state.plain.rows(), state.grouped.rows())
}

#[test]
fn memory_holds_as_many_rows_as_may_be() {
    let of = QueueSettings::new();
    let mut state = queue(&of, MemoryBounds { staged: 5, ..WIDE }, 0);
    send(&mut state, 0, Some("g"));
    (0..8).for_each(|_| send(&mut state, 0, None));
    assert_eq!((rows(&state), state.cursor, state.tail), ((4, 1), 5, 9));
    let row_bytes = state.plain.bytes() / 4;
    let bounds = MemoryBounds { staged_bytes: 4 * row_bytes, ..WIDE };
    let mut state = queue(&of, bounds, 0);
    send(&mut state, 0, Some("g"));
    (0..8).for_each(|_| send(&mut state, 0, None));
    assert_eq!((rows(&state), state.cursor), ((3, 1), 4));
}

/// Messages with a group stay known without their rows, up to a bound of their own.
#[test]
fn memory_holds_as_many_messages_with_a_group_as_are_searched() {
    let mut state = queue(&QueueSettings::new(), MemoryBounds { staged: 2, searched: 6, ..WIDE }, 0);
    (0..9).for_each(|_| send(&mut state, 0, Some("g")));
    assert_eq!((rows(&state), state.grouped.len(), state.cursor), ((0, 2), 6, 6));
}

#[test]
fn memory_holds_as_many_delayed_and_ready_messages_as_may_be() {
    let mut state = queue(&QueueSettings::new(), MemoryBounds { delayed: 2, ready: 4, ..WIDE }, 5);
    (0..3).for_each(|_| send(&mut state, 50, None));
    assert_eq!((state.delayed, state.indexed, state.indexed_from), (2, 1, Some(50)));
    (0..4).for_each(|seq| state.restore(seq, in_flight(10), None));
    state.tick(10, &mut Batch::new());
    assert_eq!((state.ready_count(), state.cold), (4, 0));
    state.restore(4, in_flight(20), None);
    state.tick(20, &mut Batch::new());
    assert_eq!((state.ready_count(), state.cold, state.cursor), (2, 3, 0));
}

/// What leaves memory is not spent any more, whatever takes it (Q80).
#[test]
fn a_spent_message_that_leaves_is_forgotten() {
    let of = QueueSettings::new().redrive_policy(RedrivePolicy::to("dead", 1));
    let mut state = queue(&of, MemoryBounds { ready: 2, ..WIDE }, 3);
    (0..2).for_each(|seq| state.restore(seq, in_flight(10), None));
    state.tick(10, &mut Batch::new());
    assert!(state.spent.iter().eq([0, 1].iter()));
    state.remove(1, 10, &mut Batch::new());
    assert!(state.spent.iter().eq([0].iter()));
    state.put_live(2, in_flight(10), Phase::Ready, None);
    state.put_out_ready(&mut Batch::new());
    assert_eq!((state.spent.len(), state.ready_count(), state.cold), (1, 1, 1));
    state.tick(state.settings.retention_ms, &mut Batch::new());
    assert!(!state.has_spent() && state.ready.is_empty() && state.live.is_empty());
}

/// A page that was read before a message went into storage does not know where that is now (F30, Q88).
#[test]
fn a_page_does_not_hold_when_a_message_has_left_memory() {
    let mut state = queue(&QueueSettings::new().fifo(true), WIDE, 1);
    state.restore(0, in_flight(10), Some("g"));
    let page = state.scan(0..1, PAGE, 5).with(Vec::new(), Vec::new());
    assert!(state.holds(&page, 5));
    state.tick(10, &mut Batch::new());
    assert_eq!((state.live.len(), state.cold), (0, 1));
    assert!(!state.holds(&page, 10));
    let page = state.scan(0..1, PAGE, 10).with(Vec::new(), Vec::new());
    assert!(state.holds(&page, 10));
    state.move_cursor_back(0, &mut Batch::new());
    assert!(!state.holds(&page, 10));
    let page = state.scan(0..1, PAGE, 10).with(Vec::new(), Vec::new());
    state.purge(10, 2);
    assert!(!state.holds(&page, 10));
}

/// A later read must see a delete of what it could come to, and need not wait for others.
#[test]
fn a_delete_behind_the_cursor_is_a_fence() {
    let mut state = queue(&QueueSettings::new(), WIDE, 3);
    (0..3).for_each(|seq| state.restore(seq, in_flight(10), None));
    state.cursor = 1;
    state.remove(0, 0, &mut Batch::new());
    assert!(!state.take_fence());
    state.remove(1, 0, &mut Batch::new());
    assert!(state.take_fence() && !state.take_fence());
    state.remove(2, 0, &mut Batch::new());
    assert!(state.take_fence());
}

/// Q101: a delay is no work.
#[test]
fn a_message_that_becomes_visible_for_the_first_time_was_not_worked_on() {
    let mut state = queue(&QueueSettings::new(), WIDE, 2);
    state.restore(0, Lease::untouched(RowHead::sent(0, 10)), Some("delayed"));
    state.restore(1, in_flight(20), Some("slow"));
    state.tick(10, &mut Batch::new());
    assert!(!state.groups.fairness.is_noisy("delayed", 0, 0, 10));
    state.tick(20, &mut Batch::new());
    assert!(state.groups.fairness.is_noisy("slow", 0, 0, 20), "all of the work was its");
}

/// F30, F31: a group that is held by its first message is not free when the second comes back.
#[test]
fn the_next_message_becomes_visible_when_the_first_of_its_group_does() {
    let mut state = queue(&QueueSettings::new().fifo(true), WIDE, 3);
    state.restore(0, in_flight(100), Some("g"));
    state.restore(1, in_flight(50), Some("g"));
    assert_eq!((state.next_visible(false), state.next_visible(true)), (Some(100), Some(50)));
    state.restore(2, in_flight(70), Some("other"));
    assert_eq!(state.next_visible(false), Some(70));
    let mut state = queue(&QueueSettings::new(), WIDE, 1);
    state.restore(0, in_flight(state.settings.retention_ms), None);
    assert_eq!(state.next_visible(false), None, "it expires first");
}

/// Whoever watches a queue looks again when something expires.
#[test]
fn an_overview_foretells_the_next_expiry() {
    let mut state = queue(&QueueSettings::new(), WIDE, 0);
    assert_eq!(state.overview(None).next_change, None);
    send(&mut state, 0, None);
    assert_eq!(state.overview(None).next_change, Some(state.settings.retention_ms));
}
