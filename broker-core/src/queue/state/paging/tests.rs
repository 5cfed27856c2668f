//! What is asked for while something else is being read.

use super::*;
use crate::{
    limits::{Limits, MemoryBounds},
    queue::{
        message::SendMessage,
        record::Record,
        row::UnstampedRow,
        settings::{QueueSettings, Settings},
    },
};

/// A message is put into the time index while the index is being read, and another call looks for what is due: that
/// made the queue forget the message until the index was read again.
#[test]
fn what_is_put_into_the_time_index_while_it_is_read_is_not_forgotten() {
    let settings =
        Settings::new(&Limits::aws(), 1 << 20, &QueueSettings::new()).expect("the defaults are fine");
    let record = Record { partition: 1, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: 0 };
    let bounds = MemoryBounds { delayed: 0, ..MemoryBounds::default() };
    let mut state = QueueState::new(1, settings, bounds, &record);
    let mut batch = Batch::new();
    let row = || UnstampedRow::new(&SendMessage::from("m"), None);
    state.append(0, 10, None, |head| row().stamp(head), &mut batch);
    let need = state.ask(10, Want::Nothing).expect("the message is due");
    state.append(10, 5, None, |head| row().stamp(head), &mut batch);
    assert!(state.need(10, Want::First).is_some(), "another call waits for its turn to read");
    let lease = Lease::untouched(RowHead::sent(0, 10));
    let due = vec![Due { time: 10, seq: 0, lease, group: None }];
    state.absorb(&need, Fetched::Delayed { due, next: None }, &mut batch).expect("it is as it was stored");
    state.tick(10, &mut batch);
    assert_eq!(state.next_event(), Some(15));
}
