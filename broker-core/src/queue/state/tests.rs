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

fn recalled() -> Recalled {
    Recalled { lease: Lease::untouched(RowHead::sent(0, 0)), group: None, cold: false }
}

/// A row as it is read of a message that was sent at the beginning.
fn paged(seq: u64) -> PagedRow {
    let head = RowHead::sent(0, 0);
    PagedRow { seq, head, row: UnstampedRow::new(&SendMessage::from("m"), None).stamp(head) }
}

/// Who has read a lease meanwhile asks for the epoch, or a message that another call has deleted would come back.
#[test]
fn the_epoch_is_another_one_after_each_message_that_became_live() {
    let mut state = queue(&QueueSettings::new(), WIDE, 3);
    let mut seen = vec![state.epoch()];
    for seq in 0..3 {
        state.recall(seq, &recalled(), &mut Batch::new());
        assert!(!seen.contains(&state.epoch()), "{seq}");
        seen.push(state.epoch());
    }
    assert_eq!((state.live.len(), state.stored()), (3, 3));
}

/// IG10: the store is damaged then, and must not make the queue count below zero.
#[test]
fn no_more_messages_become_live_than_the_store_counts() {
    let record = Record { partition: 1, head: 0, tail: 2, stored: 1, cold: 0, delayed: 0, as_of: 0 };
    let mut state = QueueState::new(1, settings(&QueueSettings::new()), WIDE, &record);
    state.restore(0, in_flight(10), None);
    state.recall(1, &recalled(), &mut Batch::new());
    assert!(state.live.contains_key(&0) && state.live.len() == 1);
}

#[test]
fn what_is_in_storage_only_wakes_those_who_wait() {
    assert!(queue(&QueueSettings::new(), WIDE, 1).has_more());
    assert!(!queue(&QueueSettings::new(), WIDE, 0).has_more());
}

/// A page is of no use if a message of it was received meanwhile: it would be there twice.
#[test]
fn a_page_of_an_earlier_epoch_is_not_taken_in() {
    let mut state = queue(&QueueSettings::new(), WIDE, 3);
    let mut read = |change: bool| {
        let need = state.ask(0, Want::First).expect("nothing is in memory");
        if change {
            state.recall(2, &recalled(), &mut Batch::new());
        }
        let Need::Rows { range, .. } = need.clone() else { unreachable!("no message is delayed") };
        let fetched = Fetched::Rows { rows: range.map(paged).collect(), cold: Vec::new() };
        state.absorb(&need, fetched, &mut Batch::new()).expect("it is as it was stored");
        (state.plain.rows(), state.cursor)
    };
    assert_eq!(read(true), (0, 0));
    assert_eq!(read(false), (2, 2));
}

/// What lies behind the last message that a look notes as live is not told apart from what is gone.
#[test]
fn a_look_ends_before_more_live_messages_than_a_page_has() {
    let mut state = queue(&QueueSettings::new(), WIDE, 4);
    let looked = |state: &QueueState| match state.scan(0..4, Page { entries: 2, ..PAGE }, 0).need {
        Need::Rows { range, cold, .. } => (range, cold),
        Need::Delayed { .. } => unreachable!("a scan needs rows"),
    };
    (0..2).for_each(|seq| state.restore(seq, in_flight(10), None));
    assert_eq!(looked(&state), (0..4, false));
    state.restore(3, in_flight(10), None);
    assert_eq!(looked(&state), (0..3, false));
}

/// F30, Q88: a FIFO queue's delay is its own, whatever the row says, and holds for those who move messages too.
#[test]
fn a_delay_of_a_fifo_queue_hides_what_is_in_storage_only() {
    let of = QueueSettings::new().fifo(true).delay(std::time::Duration::from_millis(50));
    let delayed = queue(&of, WIDE, 1);
    let at = |state: &QueueState, now| {
        let mut row = paged(0);
        row.head.visible_from = 40;
        state.standing(&state.scan(0..1, PAGE, now).with(vec![row], Vec::new()), 0, now)
    };
    assert_eq!((at(&delayed, 49), at(&delayed, 50)), (Standing::Hidden, Standing::Visible));
    assert_eq!(at(&queue(&QueueSettings::new().fifo(true), WIDE, 1), 10), Standing::Visible);
    assert_eq!(at(&queue(&QueueSettings::new(), WIDE, 1), 10), Standing::Hidden);
}

/// Another page, read before, may still have the message.
#[test]
fn what_was_taken_out_of_storage_is_another_epoch() {
    let mut state = queue(&QueueSettings::new(), WIDE, 2);
    let read = |state: &QueueState| state.scan(0..2, PAGE, 0).with(vec![paged(0), paged(1)], Vec::new());
    let (mut one, other) = (read(&state), read(&state));
    let taken = state.extract(&mut one, [0].into_iter(), 0, &mut Batch::new()).expect("it is counted");
    assert_eq!((taken.len(), state.stored()), (1, 1));
    assert!(state.holds(&one, 0) && !state.holds(&other, 0));
}

#[test]
fn a_glance_counts_delayed_messages_wherever_they_are() {
    let mut state = queue(&QueueSettings::new(), MemoryBounds { delayed: 2, ..WIDE }, 0);
    (0..5).for_each(|_| send(&mut state, 50, None));
    assert_eq!((state.delayed, state.indexed, state.glance().delayed), (2, 3, 5));
}

/// F20: when their window has passed, of the queue's own ids, and once.
#[test]
fn forgotten_ids_are_cleared_from_the_queues_partition() {
    let mut state = queue(&QueueSettings::new().fifo(true), WIDE, 0);
    assert_eq!(state.take_forgotten_ids(900_000), Some((1, 4)));
    assert_eq!(state.take_forgotten_ids(900_000), None);
}

/// Q80: rows are read of what is spent and not at hand; what cannot be moved is handed out.
#[test]
fn spent_messages_are_moved_with_their_rows_or_handed_out() {
    let mut state = queue(&QueueSettings::new().redrive_policy(RedrivePolicy::to("dead", 1)), WIDE, 2);
    (0..2).for_each(|seq| state.restore(seq, in_flight(10), None));
    state.tick(10, &mut Batch::new());
    let mut at_hand = std::collections::HashMap::new();
    assert_eq!(state.spent_without_row(&at_hand), [0, 1]);
    at_hand.insert(0, paged(0).row);
    assert_eq!(state.spent_without_row(&at_hand), [1]);
    state.hand_out_all_the_same(&[0]);
    assert!(state.spent.iter().eq([1].iter()));
}
