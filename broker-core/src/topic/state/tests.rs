//! What a topic remembers of ids, and where its archive begins.

use super::*;
use crate::{limits::Limits, topic::settings::TopicSettings};

fn topic() -> TopicState {
    let record = Record { partition: 3, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: 0 };
    TopicState::new(
        1,
        Settings::new(&Limits::aws(), 1 << 20, &TopicSettings::new()).expect("the defaults are fine"),
        &record,
        false,
    )
}

fn id() -> ScopedId {
    ScopedId::new(None, "a")
}

/// N81: whoever publishes it again before the first is committed waits for that; afterwards it is looked for in the store.
#[test]
fn an_id_is_a_duplicate_until_its_group_is_committed() {
    let mut topic = topic();
    topic.accept(Some(id()), None, 0, &mut Batch::new());
    topic.submitted(3);
    topic.committed(2);
    assert!(matches!(topic.look_up_id(&id(), 1), Known::Duplicate(_)));
    topic.committed(3);
    assert!(matches!(topic.look_up_id(&id(), 1), Known::Perhaps(_)));
}

/// N84: the archive begins with the first message that it keeps, and what comes later leaves it alone.
#[test]
fn an_archive_begins_with_its_first_message() {
    let mut topic = topic();
    let mut accept = |row: Option<&'static str>| {
        topic.accept(None, row.map(Bytes::from), 0, &mut Batch::new());
        (topic.head(), topic.tail())
    };
    assert_eq!([accept(None), accept(Some("row")), accept(None)], [(1, 1), (1, 2), (1, 3)]);
}

#[test]
fn only_a_trim_that_gives_something_up_is_written() {
    let mut topic = topic();
    (0..3).for_each(|_| topic.accept(None, Some("row".into()), 0, &mut Batch::new()));
    let mut trim = |below| {
        let mut batch = Batch::new();
        topic.trim(below, 0, &mut batch);
        (topic.head(), !batch.is_empty())
    };
    assert_eq!([trim(0), trim(2), trim(2), trim(1)], [(0, false), (2, true), (2, false), (2, false)]);
}
