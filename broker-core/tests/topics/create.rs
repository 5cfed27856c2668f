//! Creating, opening, listing and deleting topics (N1 to N3).

use broker_core::{
    Broker, DeliveryPolicy, Endpoint, Entries, Error, FifoThroughputScope, LocalTopic, Notification, Replay,
    RetryPolicy, SubscriptionSettings, Timestamp, TopicBuilder, TopicSettings, storage::Durability,
};

use crate::{
    support::{World, assert_invalid, counts},
    topic_support::{fifo, refused},
};

/// N1.
async fn names_of_1_to_256_letters_digits_hyphens_and_underscores_are_taken(world: World) {
    let broker = world.broker().await;
    let longest = "x".repeat(256);
    for name in ["a", "A-b_9", "0", "-", &longest] {
        assert_eq!(broker.topic(name).await.unwrap().name(), name);
    }
    let longest_fifo = format!("{}.fifo", "x".repeat(251));
    for name in ["a.fifo", &longest_fifo] {
        assert!(broker.topic(name).fifo().await.unwrap().is_fifo());
    }
    let broker = world.open_again(broker).await;
    assert_eq!(broker.list_topics(), ["-", "0", "A-b_9", "a", "a.fifo", &longest_fifo, &longest]);
    assert!(!broker.open_topic(&longest).await.unwrap().is_fifo());
    assert!(broker.open_topic(&longest_fifo).await.unwrap().is_fifo());
}

/// N1.
async fn any_other_name_is_refused_and_no_topic_is_made(world: World) {
    let broker = world.broker().await;
    for name in ["", " ", "a b", "ä", "a.b", "a/b", "a\0"] {
        let error = refused(broker.topic(name)).await;
        assert_invalid(&error, "name", name, "1 to 256 letters");
    }
    for (name, fifo) in [("x".repeat(257), false), (format!("{}.fifo", "x".repeat(252)), true)] {
        let topic = if fifo { broker.topic(name).fifo() } else { broker.topic(name) };
        let shown = format!("{}…", "x".repeat(100));
        assert_invalid(&refused(topic).await, "name", &shown, "1 to 256");
    }
    assert_invalid(&refused(broker.topic("a.fifo")).await, "name", "a.fifo", "FIFO topics only");
    assert_invalid(&refused(broker.topic("a").fifo()).await, "name", "a", "must end with .fifo");
    assert_invalid(&refused(broker.topic(".fifo").fifo()).await, "name", ".fifo", "1 to 256");
    assert!(broker.list_topics().is_empty());
}

/// A topic and a queue may have one name: they are different things.
async fn a_queue_and_a_topic_may_have_the_same_name(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("news").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    topic.publish("x").await.unwrap();
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    broker.delete_topic("news").await.unwrap();
    assert_eq!(broker.list_queues(""), ["news"]);
    assert_eq!(counts(&queue).await, [1, 0, 0]);
}

/// N2.
async fn creating_again_with_equal_or_no_settings_and_tags_opens_the_same_topic(world: World) {
    let broker = world.broker().await;
    let new = |broker: &Broker| broker.topic("a.fifo").fifo().display_name("A").archive_days(3).tag("k", "v");
    let topic = new(&broker).await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    let broker = world.open_again(broker).await;
    let some = broker.topic("a.fifo").display_name("A");
    for again in [new(&broker), broker.topic("a.fifo"), broker.topic("a.fifo").tag("k", "v"), some] {
        let again = again.await.unwrap();
        assert_eq!(again.subscriptions().await.unwrap().len(), 1);
        assert_eq!(again.attributes().await.unwrap().tags["k"], "v");
    }
}

/// N2.
async fn creating_again_with_another_value_names_the_first_setting_that_differs(world: World) {
    let broker = world.broker().await;
    broker.topic("a.fifo").fifo().tag("k", "v").await.unwrap();
    let again = || broker.topic("a.fifo");
    let settings = TopicSettings { disable_subscription_overrides: Some(true), ..TopicSettings::new() };
    let cases: [(TopicBuilder, &str); 10] = [
        (again().display_name("b"), "display_name"),
        (again().max_message_size(2_000), "max_message_size"),
        (again().durability(Durability::Memory), "durability"),
        (again().dedup_by_content(), "content_based_deduplication"),
        (again().fifo_throughput_scope(FifoThroughputScope::MessageGroup), "fifo_throughput_scope"),
        (again().archive_days(1), "archive_policy"),
        (again().delivery_policy(DeliveryPolicy::http()), "delivery_policy"),
        (again().settings(settings), "disable_subscription_overrides"),
        (again().tag("k", "w"), "tags"),
        (again().archive_days(1).display_name("b").tag("x", ""), "display_name"),
    ];
    for (again, setting) in cases {
        let error = refused(again).await;
        let Error::TopicExists { name, attribute } = error else { panic!("{error:?}") };
        assert_eq!((name.as_str(), attribute), ("a.fifo", setting));
    }
    broker.topic("b").await.unwrap();
    let error = refused(broker.topic("b").fifo()).await;
    assert!(matches!(error, Error::TopicExists { attribute: "fifo", .. }), "{error:?}");
}

/// N2: compared with what the topic has now, not with what it was created with.
async fn settings_are_compared_with_those_of_now(world: World) {
    let (broker, topic) = world.news().await;
    let change = TopicSettings { display_name: Some("News".into()), ..TopicSettings::new() };
    topic.set_attributes(change).await.unwrap();
    topic.tag([("k", "v")]).await.unwrap();
    let broker = world.open_again(broker).await;
    broker.topic("news").display_name("News").tag("k", "v").await.unwrap();
    let error = refused(broker.topic("news").display_name("")).await;
    assert!(matches!(error, Error::TopicExists { attribute: "display_name", .. }));
}

/// N3.
async fn deleting_a_topic_that_does_not_exist_is_no_error(world: World) {
    let (broker, _topic) = world.news().await;
    broker.delete_topic("nobody").await.unwrap();
    broker.delete_topic("news").await.unwrap();
    broker.delete_topic("news").await.unwrap();
    assert!(broker.list_topics().is_empty());
    let broker = world.open_again(broker).await;
    assert!(broker.list_topics().is_empty());
    let error = refused(broker.open_topic("news")).await;
    assert!(matches!(error, Error::TopicDoesNotExist { name } if name == "news"));
}

/// N3: and so says every call on its handles.
async fn every_call_on_a_deleted_topic_says_that_it_does_not_exist(world: World) {
    let (broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    broker.delete_topic("news").await.unwrap();
    let nothing = TopicSettings::new();
    let batch = Entries::one("x".into());
    let handler = |_: Notification| async {};
    let replay = Replay::from(Timestamp::from_millis(0));
    let errors = [
        refused(topic.publish("x")).await,
        refused(async { topic.publish_batch(batch).await.map(|_| ()) }).await,
        refused(topic.attributes()).await,
        refused(topic.set_attributes(nothing)).await,
        refused(topic.tag([("k", "v")])).await,
        refused(topic.untag(["k"])).await,
        refused(topic.subscribe(Endpoint::queue("q"))).await,
        refused(topic.subscriptions()).await,
        refused(topic.subscription(id)).await,
        refused(topic.set_subscription(id, &SubscriptionSettings::default())).await,
        refused(topic.unsubscribe(id)).await,
        refused(topic.confirm_subscription("token")).await,
        refused(topic.attach(id, handler)).await,
        refused(topic.start_replay(id, replay)).await,
        refused(topic.stop_replay(id)).await,
    ];
    for error in errors {
        assert!(matches!(&error, Error::TopicDoesNotExist { name } if name == "news"), "{error:?}");
    }
}

/// N3: of the old topic a new one of its name has nothing; what was delivered stays where it is.
async fn a_recreated_topic_has_none_of_the_old_subscriptions(world: World) {
    let broker = world.broker().await;
    let create = async |broker: &Broker| -> LocalTopic { broker.topic("a.fifo").fifo().await.unwrap() };
    let old = create(&broker).await;
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    let id = old.subscribe(&queue).await.unwrap().id;
    let first = old.publish(fifo("g1")).await.unwrap();
    broker.delete_topic("a.fifo").await.unwrap();
    let new = create(&broker).await;
    assert!(new.subscriptions().await.unwrap().is_empty());
    let error = refused(new.subscription(id)).await;
    assert!(
        matches!(&error, Error::SubscriptionDoesNotExist { topic, id: of } if topic == "a.fifo" && *of == id)
    );
    new.unsubscribe(id).await.unwrap();
    let again = new.publish(fifo("g1")).await.unwrap();
    assert!(!again.duplicate, "the new topic remembers no ids of the old one");
    assert_ne!(again.id, first.id);
    assert_eq!(counts(&queue).await, [1, 0, 0]);
    let error = refused(old.publish(fifo("g2"))).await;
    assert!(matches!(error, Error::TopicDoesNotExist { .. }), "an old handle does not reach the new topic");
    let broker = world.open_again(broker).await;
    assert!(broker.open_topic("a.fifo").await.unwrap().subscriptions().await.unwrap().is_empty());
    assert_eq!(counts(&broker.open_queue("q.fifo").await.unwrap()).await, [1, 0, 0]);
}

/// N50: a policy that is refused makes no topic.
async fn a_topic_with_a_refused_setting_is_not_made(world: World) {
    let broker = world.broker().await;
    let policy = DeliveryPolicy::new(RetryPolicy { retries: 101, ..RetryPolicy::http() });
    let error = refused(broker.topic("news").delivery_policy(policy)).await;
    assert_invalid(&error, "retries", "101", "0 and 100");
    assert!(broker.list_topics().is_empty());
}

everywhere! {
    names_of_1_to_256_letters_digits_hyphens_and_underscores_are_taken,
    any_other_name_is_refused_and_no_topic_is_made,
    a_queue_and_a_topic_may_have_the_same_name,
    creating_again_with_equal_or_no_settings_and_tags_opens_the_same_topic,
    creating_again_with_another_value_names_the_first_setting_that_differs,
    settings_are_compared_with_those_of_now,
    deleting_a_topic_that_does_not_exist_is_no_error,
    every_call_on_a_deleted_topic_says_that_it_does_not_exist,
    a_recreated_topic_has_none_of_the_old_subscriptions,
    a_topic_with_a_refused_setting_is_not_made,
}
