//! Creating, opening and deleting queues by name: rules Q5 to Q7.

use std::time::Duration;

use broker_core::{Broker, Deleted, Error, Limits, LocalQueue, QueueSettings, Result, SendMessage};

use crate::support::{World, advance, assert_invalid, counts, ms, poll, secs, send_all, take};

/// Q5.
async fn names_of_1_to_80_letters_digits_hyphens_and_underscores_are_taken(world: World) {
    let broker = world.broker().await;
    for name in ["a", "Z", "0", "-", "_", "A-b_9", &"n".repeat(80)] {
        assert_eq!(broker.queue(name).await.unwrap().name(), name);
    }
    broker.queue("z").await.unwrap();
    assert!(broker.list_queues("Z") == ["Z"] && broker.list_queues("z") == ["z"], "case matters");
}

/// Q5.
async fn any_other_name_is_refused_and_no_queue_is_made(world: World) {
    let broker = world.broker().await;
    let long = "n".repeat(81);
    for name in ["", " ", "a b", "a.b", "a/b", "../a", "ä", "a\0", "a\n", "名前", &long] {
        let error = broker.queue(name).await.unwrap_err();
        assert_invalid(&error, "name", name, "1 to 80 letters");
    }
    for name in ["a.fifo", ".fifo"] {
        assert_invalid(&broker.queue(name).await.unwrap_err(), "name", name, ".fifo");
    }
    let huge = "n".repeat(1_000_000);
    assert!(broker.queue(&huge).await.unwrap_err().to_string().len() < 500);
    assert!(broker.list_queues("").is_empty());
}

/// Q6.
async fn creating_again_with_equal_or_no_settings_opens_the_same_queue(world: World) {
    let broker = world.broker().await;
    let create = || broker.queue("orders").visibility_timeout(secs(5)).delay(Duration::ZERO).tag("a", "1");
    let queue = create().await.unwrap();
    queue.send("m").await.unwrap();
    assert_eq!(counts(&create().await.unwrap()).await, [1, 0, 0]);
    let subset = broker.queue("orders").visibility_timeout(secs(5)).await.unwrap();
    assert_eq!(counts(&subset).await, [1, 0, 0]);
    let default_said_aloud = broker.queue("orders").retention(secs(345_600)).await.unwrap();
    assert_eq!(counts(&default_said_aloud).await, [1, 0, 0]);
    let none = broker.queue("orders").tag("a", "2").await.unwrap();
    assert_eq!(none.tags()["a"], "1", "tags are set on a new queue only");
    assert_eq!(broker.list_queues(""), ["orders"]);
}

/// Q6. [`test_create_queue_with_different_attributes_raises_exception`]
async fn creating_again_with_another_value_names_the_first_setting_that_differs(world: World) {
    let (broker, queue) = world.queue().await;
    let before = queue.attributes().await.unwrap();
    let new = QueueSettings::new;
    let differing = [
        ("visibility_timeout", new().visibility_timeout(secs(31))),
        ("delay", new().delay(secs(1))),
        ("retention", new().retention(secs(60))),
        ("max_message_size", new().max_message_size(1024)),
        ("receive_wait_time", new().receive_wait_time(secs(20))),
        ("durability", new().durability(broker_core::storage::Durability::Buffered)),
        ("delay", new().visibility_timeout(secs(30)).delay(secs(1)).retention(secs(60))),
    ];
    for (expected, settings) in differing {
        let error = broker.queue("orders").settings(settings).await.unwrap_err();
        let Error::QueueNameExists { name, attribute } = error else { panic!("{error:?}") };
        assert_eq!((name.as_str(), attribute), ("orders", expected));
    }
    assert_eq!(queue.attributes().await.unwrap(), before);
}

/// Q6.
async fn settings_are_compared_with_those_of_now(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").delay(secs(1)).await.unwrap();
    queue.set_attributes(QueueSettings::new().delay(secs(2))).await.unwrap();
    assert!(broker.queue("orders").delay(secs(1)).await.is_err());
    broker.queue("orders").delay(secs(2)).await.unwrap();
    let (broker, _) = world.reopened(broker).await;
    assert!(broker.queue("orders").delay(secs(1)).await.is_err());
    broker.queue("orders").delay(secs(2)).await.unwrap();
}

/// Q6.
async fn many_creators_at_once_get_one_queue(world: World) {
    let broker = world.broker().await;
    let created = futures_util::future::join_all((0..20).map(|_| broker.queue("orders").into_future())).await;
    for queue in created {
        queue.unwrap().send("m").await.unwrap();
    }
    assert_eq!(counts(&broker.open_queue("orders").await.unwrap()).await, [20, 0, 0]);
}

/// Q7.
async fn a_missing_queue_can_neither_be_opened_nor_deleted(world: World) {
    let broker = world.broker().await;
    let missing = |result: Result<()>| {
        assert!(matches!(result, Err(Error::QueueDoesNotExist { name }) if name == "orders"));
    };
    missing(broker.open_queue("orders").await.map(drop));
    missing(broker.delete_queue("orders").await);
    broker.queue("orders").await.unwrap();
    broker.delete_queue("orders").await.unwrap();
    missing(broker.delete_queue("orders").await);
    assert!(broker.list_queues("").is_empty());
}

/// Q7, IQ19.
async fn a_recreated_queue_has_none_of_the_old_messages_ids_or_receipts(world: World) {
    let (broker, queue) = world.queue().await;
    let first = queue.send("old").await.unwrap();
    send_all(&queue, &["in flight", "delayed"]).await;
    let old = take(&queue).await;
    broker.delete_queue("orders").await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    assert_eq!(counts(&queue).await, [0, 0, 0]);
    assert_ne!(queue.send("new").await.unwrap().id, first.id);
    assert!(matches!(queue.delete(old.receipt).await, Err(Error::ReceiptHandleIsInvalid { .. })));
    advance(secs(60)).await;
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(crate::support::texts(&poll(&queue, 10).await), ["new"]);
}

/// Q7. The wait of SQS is an option.
async fn with_waits_a_deleted_name_is_free_again_after_60_seconds(world: World) {
    let world = world.limits(Limits::aws_with_waits());
    let (broker, _) = world.queue().await;
    broker.delete_queue("orders").await.unwrap();
    let too_early = |broker: Broker, left: Duration| async move {
        let error = broker.queue("orders").await.unwrap_err();
        let Error::QueueDeletedRecently { name, wait } = error else { panic!("{error:?}") };
        assert_eq!((name.as_str(), wait), ("orders", left));
        assert!(broker.list_queues("").is_empty());
    };
    too_early(broker.clone(), secs(60)).await;
    advance(secs(59)).await;
    broker.close().await.unwrap();
    let broker = world.broker().await;
    too_early(broker.clone(), secs(1)).await;
    advance(ms(999)).await;
    too_early(broker.clone(), ms(1)).await;
    advance(ms(1)).await;
    let queue = broker.queue("orders").await.unwrap();
    queue.send("m").await.unwrap();
    assert_eq!(queue.delete(take(&queue).await.receipt).await.unwrap(), Deleted::Gone);
}

/// Q7, IQ19.
async fn every_call_on_a_deleted_queue_says_that_it_does_not_exist(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let receipt = take(&queue).await.receipt;
    broker.delete_queue("orders").await.unwrap();
    let gone = |error: Error| assert!(matches!(error, Error::QueueDoesNotExist { .. }), "{error:?}");
    let q: &LocalQueue = &queue;
    gone(q.send("m").await.unwrap_err());
    gone(q.send_batch(["m"].into_iter().map(SendMessage::from).collect()).await.unwrap_err());
    gone(q.receive(broker_core::ReceiveOptions::default()).await.unwrap_err());
    gone(q.delete(receipt).await.unwrap_err());
    gone(q.change_visibility(receipt, secs(1)).await.unwrap_err());
    gone(q.purge().await.unwrap_err());
    gone(q.attributes().await.unwrap_err());
    gone(q.counters().await.unwrap_err());
    gone(q.set_attributes(QueueSettings::new()).await.unwrap_err());
    gone(q.tag([("a", "b")]).await.unwrap_err());
    gone(q.untag(["a"]).await.unwrap_err());
}

everywhere! {
    names_of_1_to_80_letters_digits_hyphens_and_underscores_are_taken,
    any_other_name_is_refused_and_no_queue_is_made,
    creating_again_with_equal_or_no_settings_opens_the_same_queue,
    creating_again_with_another_value_names_the_first_setting_that_differs,
    settings_are_compared_with_those_of_now,
    many_creators_at_once_get_one_queue,
    a_missing_queue_can_neither_be_opened_nor_deleted,
    a_recreated_queue_has_none_of_the_old_messages_ids_or_receipts,
    with_waits_a_deleted_name_is_free_again_after_60_seconds,
    every_call_on_a_deleted_queue_says_that_it_does_not_exist,
}
