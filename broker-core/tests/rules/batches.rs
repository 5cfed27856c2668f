//! Batches of sends, deletes and visibility changes: rules Q40 to Q46, Q78, and IQ13.

use std::time::Duration;

use broker_core::{
    AttributeValue, ChangeVisibility, Deleted, Entries, EntryId, Error, LocalQueue, QueueSettings,
    SendMessage, VisibilityChanged,
};

use crate::support::{World, assert_invalid, counts, poll, refusal, secs, send_all, texts};

fn sends(count: usize) -> Entries<SendMessage> {
    (0..count).map(|n| SendMessage::from(n.to_string())).collect()
}

fn named<T: Clone>(ids: &[&str], request: &T) -> Entries<T> {
    let mut entries = Entries::new();
    for id in ids {
        entries.push_named(*id, request.clone());
    }
    entries
}

/// The refusals of all three kinds of batch with entries of these ids.
async fn refusals(queue: &LocalQueue, ids: &[&str]) -> [Error; 3] {
    let receipt = poll(queue, 1).await[0].receipt;
    let change = ChangeVisibility { receipt, timeout: secs(1) };
    [
        refusal(queue, queue.send_batch(named(ids, &SendMessage::from("x")))).await,
        refusal(queue, queue.delete_batch(named(ids, &receipt))).await,
        refusal(queue, queue.change_visibility_batch(named(ids, &change))).await,
    ]
}

/// Q40.
async fn a_batch_has_1_to_10_entries(world: World) {
    let (_broker, queue) = world.queue().await;
    send_all(&queue, &["a", "b"]).await;
    for error in refusals(&queue, &[]).await {
        assert!(matches!(error, Error::EmptyBatch));
    }
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    for error in refusals(&queue, &eleven).await {
        assert!(matches!(error, Error::TooManyEntriesInBatch { count: 11, max: 10 }));
    }
    let sent = queue.send_batch(sends(10)).await.unwrap();
    assert_eq!(sent.successful().count(), 10);
    assert_eq!(queue.send_batch(Entries::one(SendMessage::from("x"))).await.unwrap().0.len(), 1);
    assert_eq!(counts(&queue).await, [11, 2, 0]);
}

/// Q41.
async fn entry_ids_are_1_to_80_letters_digits_hyphens_and_underscores(world: World) {
    let (_broker, queue) = world.queue().await;
    let longest = "i".repeat(80);
    let ids = ["a", "A", "0", "-", "_", &longest];
    let sent = queue.send_batch(named(&ids, &SendMessage::from("m"))).await.unwrap();
    let expected: Vec<_> = ids.iter().map(|id| EntryId::Named((*id).to_owned())).collect();
    assert_eq!(sent.0.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), expected);
    let long = "i".repeat(81);
    for (bad, n) in ["", " ", "a.b", "ä", "a\n", &long].into_iter().zip(0_u64..) {
        for error in refusals(&queue, &["good", bad]).await {
            assert!(matches!(error, Error::InvalidBatchEntryId { id } if id == bad));
        }
        assert_eq!(counts(&queue).await, [5 - n, 1 + n, 0]);
    }
}

/// Q41, IQ13.
async fn entry_ids_are_distinct(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    for error in refusals(&queue, &["a", "b", "a"]).await {
        assert!(matches!(error, Error::BatchEntryIdsNotDistinct { id } if id == "a"));
    }
    let sent = queue.send_batch(named(&["a", "A"], &SendMessage::from("m"))).await.unwrap();
    assert_eq!(sent.all().unwrap().len(), 2, "case matters");
}

/// Q42: whatever the queue's own maximum.
async fn the_entries_of_a_batch_have_1_mib_together(world: World) {
    let (_broker, queue) = world.queue().await;
    let part = |bytes: usize| {
        SendMessage::from("x".repeat(bytes - 10)).attribute("abc", AttributeValue::string("z"))
    };
    let fits: Entries<_> = [part(524_288), part(524_288)].into_iter().collect();
    assert_eq!(queue.send_batch(fits).await.unwrap().failed().count(), 0);
    let over: Entries<_> = [part(524_288), part(524_289)].into_iter().collect();
    let error = refusal(&queue, queue.send_batch(over)).await;
    assert!(matches!(error, Error::BatchTooLong { bytes: 1_048_577, max: 1_048_576 }));

    queue.set_attributes(QueueSettings::new().max_message_size(1024)).await.unwrap();
    let over: Entries<_> = [SendMessage::from("y"), part(1_048_576)].into_iter().collect();
    let error = refusal(&queue, queue.send_batch(over)).await;
    assert!(matches!(error, Error::BatchTooLong { bytes: 1_048_577, .. }));
}

/// Q43. The sum may exceed the queue's maximum.
async fn an_entry_over_the_queues_maximum_fails_alone(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").max_message_size(1024).await.unwrap();
    let sizes = [1024, 1025, 1024, 5000, 1];
    let entries = sizes.into_iter().map(|bytes| SendMessage::from("x".repeat(bytes))).collect();
    let sent = queue.send_batch(entries).await.unwrap();
    let failed: Vec<_> = sent.failed().map(|(id, error)| (id.clone(), error.clone())).collect();
    assert!(matches!(
        &failed[..],
        [
            (EntryId::Position(1), Error::MessageTooLong { bytes: 1025, max: 1024 }),
            (EntryId::Position(3), Error::MessageTooLong { bytes: 5000, max: 1024 }),
        ]
    ));
    let received = poll(&queue, 10).await;
    assert_eq!(received.iter().map(|message| message.body.len()).collect::<Vec<_>>(), [1024, 1024, 1]);
    let ids: Vec<_> = sent.successful().map(|(_, sent)| sent.id).collect();
    assert_eq!(received.iter().map(|message| message.id).collect::<Vec<_>>(), ids);
}

/// Q44, Q46: each entry's own fault, in the order of the entries; either list may be empty.
async fn a_bad_entry_fails_alone_whatever_is_wrong_with_it(world: World) {
    let (_broker, queue) = world.queue().await;
    let mut entries = Entries::new();
    entries.push_named("good", SendMessage::from("1"));
    entries.push_named("chars", SendMessage::from("\0"));
    entries.push_named("empty", SendMessage::from(""));
    entries.push_named("delay", SendMessage::from("m").delay(secs(901)));
    entries.push_named("attribute", SendMessage::from("m").attribute("", AttributeValue::number(1)));
    entries.push_named("group", SendMessage::from("m").group_id(""));
    entries.push(SendMessage::from("2"));
    let sent = queue.send_batch(entries).await.unwrap();
    let successful: Vec<_> = sent.successful().map(|(id, _)| id.to_string()).collect();
    assert_eq!(successful, ["good", "6"]);
    let failed: Vec<_> = sent.failed().map(|(id, error)| (id.to_string(), error.clone())).collect();
    assert!(matches!(failed[0].1, Error::InvalidMessageContents { position: 0, .. }));
    assert!(matches!(failed[1].1, Error::MissingParameter { field: "body" }));
    assert_invalid(&failed[2].1, "delay", "901s", "900s");
    assert_invalid(&failed[3].1, "attribute name", "", "1 to 256");
    assert_invalid(&failed[4].1, "group_id", "", "1 to 128");
    assert_eq!(texts(&poll(&queue, 10).await), ["1", "2"]);

    let none = queue.send_batch(["", "\0"].into_iter().map(SendMessage::from).collect()).await.unwrap();
    assert_eq!((none.successful().count(), none.failed().count()), (0, 2));
    assert!(none.all().is_err());
    assert_eq!(counts(&queue).await, [0, 2, 0]);
}

/// Q45: empty, count, ids, total size.
async fn the_checks_of_a_whole_batch_have_an_order(world: World) {
    let (_broker, queue) = world.queue().await;
    let large = SendMessage::from("x".repeat(1_000_000));
    let mut ids = vec!["same"; 10];
    ids.push("not an id");
    let all_wrong = queue.send_batch(named(&ids, &large)).await.unwrap_err();
    assert!(matches!(all_wrong, Error::TooManyEntriesInBatch { count: 11, max: 10 }));
    let ids_wrong = queue.send_batch(named(&["same", "same", "not an id"], &large)).await.unwrap_err();
    assert!(matches!(ids_wrong, Error::InvalidBatchEntryId { .. }));
    let equal = queue.send_batch(named(&["same", "same"], &large)).await.unwrap_err();
    assert!(matches!(equal, Error::BatchEntryIdsNotDistinct { .. }));
    let too_long = queue.send_batch(named(&["a", "b"], &large)).await.unwrap_err();
    assert!(matches!(too_long, Error::BatchTooLong { bytes: 2_000_000, .. }));
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// Q78, Q72, IQ13.
async fn deletes_of_a_batch_succeed_or_fail_one_by_one(world: World) {
    let (broker, queue) = world.queue().await;
    let other = broker.queue("other").await.unwrap();
    send_all(&queue, &["a", "b", "c"]).await;
    other.send("x").await.unwrap();
    let foreign = poll(&other, 1).await[0].receipt;
    let [a, b, c] = &poll(&queue, 10).await[..] else { panic!() };
    queue.change_visibility(c.receipt, Duration::ZERO).await.unwrap();
    let c_again = poll(&queue, 1).await[0].clone();
    let mut entries = Entries::new();
    entries.push_named("a", a.receipt);
    entries.push_named("foreign", foreign);
    entries.push_named("a-again", a.receipt);
    entries.push_named("c-old", c.receipt);
    entries.push_named("b", b.receipt);
    let outcomes = queue.delete_batch(entries).await.unwrap().0;
    let results: Vec<_> = outcomes.iter().map(|(id, outcome)| (id.to_string(), outcome)).collect();
    assert!(matches!(results[0], (ref id, Ok(Deleted::Gone)) if id == "a"));
    assert!(
        matches!(results[1].1, Err(Error::ReceiptHandleIsInvalid { receipt }) if *receipt == foreign.to_string())
    );
    assert!(matches!(results[2].1, Ok(Deleted::Gone)));
    assert!(matches!(results[3].1, Ok(Deleted::Stale)));
    assert!(matches!(results[4].1, Ok(Deleted::Gone)));
    assert_eq!((counts(&queue).await, counts(&other).await), ([0, 1, 0], [0, 1, 0]));
    assert_eq!(queue.delete(c_again.receipt).await.unwrap(), Deleted::Gone);
}

/// Q78, Q75.
async fn visibility_changes_of_a_batch_succeed_or_fail_one_by_one(world: World) {
    let (broker, queue) = world.queue().await;
    let other = broker.queue("other").await.unwrap();
    send_all(&queue, &["a", "b", "c"]).await;
    other.send("x").await.unwrap();
    let foreign = poll(&other, 1).await[0].receipt;
    let [a, b, c] = &poll(&queue, 10).await[..] else { panic!() };
    queue.delete(b.receipt).await.unwrap();
    let change = |receipt, timeout| ChangeVisibility { receipt, timeout };
    let entries = [
        change(a.receipt, Duration::ZERO),
        change(foreign, secs(1)),
        change(b.receipt, secs(1)),
        change(c.receipt, secs(43_201)),
        change(c.receipt, secs(100)),
    ];
    let outcomes = queue.change_visibility_batch(entries.into_iter().collect()).await.unwrap().0;
    assert!(matches!(outcomes[0], (EntryId::Position(0), Ok(VisibilityChanged::Until(_)))));
    assert!(matches!(outcomes[1].1, Err(Error::ReceiptHandleIsInvalid { .. })));
    assert!(matches!(outcomes[2].1, Ok(VisibilityChanged::Gone)));
    assert_invalid(outcomes[3].1.as_ref().unwrap_err(), "timeout", "43201s", "43200s");
    assert!(matches!(outcomes[4].1, Ok(VisibilityChanged::Until(_))));
    assert_eq!((counts(&queue).await, counts(&other).await), ([1, 1, 0], [0, 1, 0]));
}

everywhere! {
    a_batch_has_1_to_10_entries,
    entry_ids_are_1_to_80_letters_digits_hyphens_and_underscores,
    entry_ids_are_distinct,
    the_entries_of_a_batch_have_1_mib_together,
    an_entry_over_the_queues_maximum_fails_alone,
    a_bad_entry_fails_alone_whatever_is_wrong_with_it,
    the_checks_of_a_whole_batch_have_an_order,
    deletes_of_a_batch_succeed_or_fail_one_by_one,
    visibility_changes_of_a_batch_succeed_or_fail_one_by_one,
}
