//! Creating and describing FIFO queues: the table of B1, rules F1 and F2, and what Q3, Q5 and Q6 say of them.

use broker_core::{
    Broker, DeduplicationScope, Error, FifoAttributes, FifoThroughputLimit, LocalQueue, QueueSettings,
    RedrivePolicy, SendMessage,
};

use crate::{
    fifo_support::{NAME, fifo, send},
    support::{World, assert_invalid, counts, poll, refusal, texts},
};

const GROUP: DeduplicationScope = DeduplicationScope::MessageGroup;
const PER_GROUP: FifoThroughputLimit = FifoThroughputLimit::PerMessageGroupId;

fn new() -> QueueSettings {
    QueueSettings::new()
}

async fn described(queue: &LocalQueue) -> FifoAttributes {
    queue.attributes().await.unwrap().fifo.expect("a FIFO queue")
}

/// F1, and the defaults of B1.
async fn a_fresh_fifo_queue_describes_what_only_fifo_queues_have(world: World) {
    let (broker, queue) = world.fifo().await;
    let expected = FifoAttributes {
        content_based_deduplication: false,
        deduplication_scope: DeduplicationScope::Queue,
        throughput_limit: FifoThroughputLimit::PerQueue,
    };
    assert_eq!(described(&queue).await, expected);
    let standard = broker.queue("orders").await.unwrap().attributes().await.unwrap();
    assert_eq!((&standard.fifo, &standard.redrive_policy), (&None, &RedrivePolicy::None));
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(described(&queue).await, expected);
}

/// F1, B1: what it was created with.
async fn a_fifo_queue_describes_the_settings_it_was_given(world: World) {
    let broker = world.broker().await;
    let settings = new().fifo(true).content_based_deduplication(true);
    let settings = settings.deduplication_scope(GROUP).fifo_throughput_limit(PER_GROUP);
    let queue = broker.queue(NAME).settings(settings).await.unwrap();
    let expected = FifoAttributes {
        content_based_deduplication: true,
        deduplication_scope: GROUP,
        throughput_limit: PER_GROUP,
    };
    assert_eq!(described(&queue).await, expected);
    let (broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(described(&queue).await, expected);
    let by_builder = broker.queue("b.fifo").fifo().dedup_by_content().deduplication_scope(GROUP);
    let by_builder = described(&by_builder.await.unwrap()).await;
    assert_eq!(
        by_builder,
        FifoAttributes { throughput_limit: FifoThroughputLimit::PerQueue, ..expected },
        "the scope may be the group without high throughput"
    );
}

/// F2.
async fn high_throughput_is_both_settings_by_group(world: World) {
    let broker = world.broker().await;
    let settings = |scope, limit| new().fifo(true).deduplication_scope(scope).fifo_throughput_limit(limit);
    let combinations = [
        ("a.fifo", DeduplicationScope::Queue, FifoThroughputLimit::PerQueue, false),
        ("b.fifo", GROUP, FifoThroughputLimit::PerQueue, false),
        ("c.fifo", GROUP, PER_GROUP, true),
    ];
    for (name, scope, limit, high) in combinations {
        let queue = broker.queue(name).settings(settings(scope, limit)).await.unwrap();
        assert_eq!(described(&queue).await.high_throughput(), high, "{name}");
    }
}

/// B1: the limit is per group only if the scope is, at creation and later.
async fn a_limit_per_group_needs_the_scope_of_a_group(world: World) {
    let broker = world.broker().await;
    for settings in [
        new().fifo(true).fifo_throughput_limit(PER_GROUP),
        new().fifo(true).fifo_throughput_limit(PER_GROUP).deduplication_scope(DeduplicationScope::Queue),
    ] {
        let error = broker.queue(NAME).settings(settings).await.unwrap_err();
        assert_invalid(&error, "fifo_throughput_limit", "PerMessageGroupId", "MessageGroup");
    }
    assert!(broker.list_queues("").is_empty());

    let queue = broker.queue(NAME).fifo().await.unwrap();
    let error = refusal(&queue, queue.set_attributes(new().fifo_throughput_limit(PER_GROUP))).await;
    assert_invalid(&error, "fifo_throughput_limit", "PerMessageGroupId", "MessageGroup");
    let both = new().deduplication_scope(GROUP).fifo_throughput_limit(PER_GROUP);
    queue.set_attributes(both).await.unwrap();
    assert!(described(&queue).await.high_throughput());
    let scope_alone = new().deduplication_scope(DeduplicationScope::Queue);
    let error = refusal(&queue, queue.set_attributes(scope_alone.clone())).await;
    assert_invalid(&error, "fifo_throughput_limit", "PerMessageGroupId", "MessageGroup");
    let both = scope_alone.fifo_throughput_limit(FifoThroughputLimit::PerQueue);
    queue.set_attributes(both).await.unwrap();
    assert!(!described(&queue).await.high_throughput());
}

/// B1. Content-based deduplication can be switched on and off.
async fn deduplication_by_content_can_be_changed_later(world: World) {
    let (broker, queue) = world.fifo().await;
    let without_id = || SendMessage::from("m").group_id("g");
    refusal(&queue, queue.send(without_id())).await;
    queue.set_attributes(new().content_based_deduplication(true)).await.unwrap();
    assert!(described(&queue).await.content_based_deduplication);
    queue.send(without_id()).await.unwrap();
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert!(queue.send(without_id()).await.unwrap().duplicate);
    queue.set_attributes(new().content_based_deduplication(false)).await.unwrap();
    refusal(&queue, queue.send(without_id())).await;
    assert_eq!(counts(&queue).await, [1, 0, 0]);
}

/// B1. True on a FIFO queue changes nothing, false is refused; and the other way round.
async fn the_type_of_a_queue_cannot_be_changed(world: World) {
    let (broker, queue) = world.fifo().await;
    queue.set_attributes(new().fifo(true)).await.unwrap();
    let error = refusal(&queue, queue.set_attributes(new().fifo(false))).await;
    assert_invalid(&error, "fifo", "false", "cannot be changed");
    let standard = broker.queue("orders").await.unwrap();
    let error = refusal(&standard, standard.set_attributes(new().fifo(true))).await;
    assert_invalid(&error, "fifo", "true", "cannot be changed");
}

/// Q3.
async fn settings_of_fifo_queues_are_refused_on_standard_queues(world: World) {
    let (broker, queue) = world.queue().await;
    let settings = [
        ("content_based_deduplication", new().content_based_deduplication(true)),
        ("content_based_deduplication", new().content_based_deduplication(false)),
        ("deduplication_scope", new().deduplication_scope(DeduplicationScope::Queue)),
        ("deduplication_scope", new().deduplication_scope(GROUP)),
        ("fifo_throughput_limit", new().fifo_throughput_limit(FifoThroughputLimit::PerQueue)),
    ];
    for (field, settings) in settings {
        let error = broker.queue("other").settings(settings.clone()).await.unwrap_err();
        assert!(matches!(error, Error::InvalidParameter { field: f, .. } if f == field), "{error:?}");
        let error = refusal(&queue, queue.set_attributes(settings)).await;
        assert!(matches!(error, Error::InvalidParameter { field: f, .. } if f == field), "{error:?}");
    }
    assert_eq!(broker.list_queues(""), ["orders"]);
}

/// Q5: the suffix counts in the 80 characters.
async fn the_name_of_a_fifo_queue_ends_with_fifo(world: World) {
    let broker = world.broker().await;
    let longest = format!("{}.fifo", "n".repeat(75));
    for name in ["a.fifo", "A-b_9.fifo", &longest] {
        assert_eq!(broker.queue(name).fifo().await.unwrap().name(), name);
    }
    let long = format!("{}.fifo", "n".repeat(76));
    for name in ["orders", "a.FIFO", "a.fifo ", ".fifo", "a.b.fifo", "a.fifo.fifo", "fifo", &long] {
        let error = broker.queue(name).fifo().await.unwrap_err();
        assert!(matches!(error, Error::InvalidParameter { field: "name", .. }), "{name}: {error:?}");
    }
    let error = broker.queue("new.fifo").await.unwrap_err();
    assert_invalid(&error, "name", "new.fifo", "FIFO");
    assert_eq!(broker.list_queues("").len(), 3);
}

/// Q5, Q6: a queue that exists opens without being told what it is.
async fn an_existing_fifo_queue_opens_with_equal_or_no_settings(world: World) {
    let broker = world.broker().await;
    let create = || broker.queue(NAME).fifo().dedup_by_content().deduplication_scope(GROUP);
    let queue = create().await.unwrap();
    send(&queue, &["a1"]).await;
    for again in
        [create(), broker.queue(NAME), broker.queue(NAME).fifo(), broker.queue(NAME).dedup_by_content()]
    {
        assert_eq!(counts(&again.await.unwrap()).await, [1, 0, 0]);
    }
    let default_said_aloud = new().fifo_throughput_limit(FifoThroughputLimit::PerQueue);
    broker.queue(NAME).settings(default_said_aloud).await.unwrap();
    assert_eq!(broker.list_queues(""), [NAME]);
}

/// Q6: the first setting that differs is named.
async fn opening_a_fifo_queue_with_another_value_names_the_setting(world: World) {
    let (broker, queue) = world.fifo().await;
    let before = queue.attributes().await.unwrap();
    for (expected, settings) in [
        ("fifo", new().fifo(false)),
        ("content_based_deduplication", new().content_based_deduplication(true)),
        ("deduplication_scope", new().deduplication_scope(GROUP)),
        ("fifo_throughput_limit", new().fifo_throughput_limit(PER_GROUP)),
    ] {
        let error = broker.queue(NAME).settings(settings).await.unwrap_err();
        let Error::QueueNameExists { name, attribute } = error else { panic!("{error:?}") };
        assert_eq!((name.as_str(), attribute), (NAME, expected));
    }
    let standard = broker.queue("orders").await.unwrap();
    let error = broker.queue("orders").fifo().await.unwrap_err();
    assert!(matches!(error, Error::QueueNameExists { attribute: "fifo", .. }), "{error:?}");
    assert_eq!(standard.attributes().await.unwrap().fifo, None);
    assert_eq!(queue.attributes().await.unwrap(), before);
}

async fn both(broker: &Broker) -> (LocalQueue, LocalQueue) {
    (broker.queue("orders").await.unwrap(), broker.queue(NAME).fifo().await.unwrap())
}

/// The suffix is a part of the name.
async fn a_standard_and_a_fifo_queue_of_one_stem_are_two_queues(world: World) {
    let broker = world.broker().await;
    let (standard, ordered) = both(&broker).await;
    standard.send("m").await.unwrap();
    ordered.send(fifo("a1")).await.unwrap();
    assert_eq!(broker.list_queues(""), ["orders", NAME]);
    broker.delete_queue("orders").await.unwrap();
    let (broker, ordered) = world.fifo_reopened(broker).await;
    assert_eq!(texts(&poll(&ordered, 10).await), ["a1"]);
    assert_eq!(broker.list_queues(""), [NAME]);
}

everywhere! {
    a_fresh_fifo_queue_describes_what_only_fifo_queues_have,
    a_fifo_queue_describes_the_settings_it_was_given,
    high_throughput_is_both_settings_by_group,
    a_limit_per_group_needs_the_scope_of_a_group,
    deduplication_by_content_can_be_changed_later,
    the_type_of_a_queue_cannot_be_changed,
    settings_of_fifo_queues_are_refused_on_standard_queues,
    the_name_of_a_fifo_queue_ends_with_fifo,
    an_existing_fifo_queue_opens_with_equal_or_no_settings,
    opening_a_fifo_queue_with_another_value_names_the_setting,
    a_standard_and_a_fifo_queue_of_one_stem_are_two_queues,
}
