//! What a topic can be told, and within which limits (N5, N6).

use broker_core::{
    ArchivePolicy, DeliveryPolicy, Endpoint, Error, FifoThroughputScope, Limits, RetryPolicy, TopicLimits,
    TopicSettings, storage::Durability,
};

use crate::{
    support::{World, assert_invalid},
    topic_support::refused,
};

/// N5.
async fn a_fresh_topic_has_the_defaults_of_sns(world: World) {
    let (_broker, topic) = world.news().await;
    let attributes = topic.attributes().await.unwrap();
    assert_eq!(attributes.name, "news");
    assert_eq!(attributes.display_name, "");
    assert_eq!(attributes.max_message_size, 262_144);
    assert_eq!(attributes.durability, Durability::Synced);
    assert!(!attributes.fifo && !attributes.content_based_deduplication);
    assert_eq!(attributes.fifo_throughput_scope, FifoThroughputScope::Topic);
    assert_eq!(attributes.archive_policy, ArchivePolicy::None);
    assert_eq!(attributes.delivery_policy, None);
    assert_eq!(attributes.effective_delivery_policy, DeliveryPolicy::http());
    assert!(!attributes.disable_subscription_overrides);
    assert_eq!(attributes.created_at, world.now());
    assert!(attributes.tags.is_empty());
    assert_eq!((attributes.subscriptions_confirmed, attributes.subscriptions_pending), (0, 0));
}

/// N5.
async fn each_setting_is_taken_up_to_its_limits_and_refused_beyond(world: World) {
    let (_broker, topic) = world.news().await;
    let set = async |change: TopicSettings| topic.set_attributes(change).await;
    for bytes in [1_024, 1_048_576] {
        set(TopicSettings { max_message_size: Some(bytes), ..Default::default() }).await.unwrap();
        assert_eq!(topic.attributes().await.unwrap().max_message_size, bytes);
    }
    let before = topic.attributes().await.unwrap();
    for bytes in [0, 1_023, 1_048_577, usize::MAX] {
        let error = refused(set(TopicSettings { max_message_size: Some(bytes), ..Default::default() })).await;
        assert_invalid(&error, "max_message_size", &bytes.to_string(), "1024 and 1048576");
    }
    let longest = "ü".repeat(100);
    set(TopicSettings { display_name: Some(longest.clone()), ..Default::default() }).await.unwrap();
    let too_long = TopicSettings { display_name: Some(format!("{longest}x")), ..Default::default() };
    assert_invalid(&refused(set(too_long)).await, "display_name", &format!("{longest}…"), "100");
    assert_eq!(topic.attributes().await.unwrap().max_message_size, before.max_message_size);
}

/// N5, N84.
async fn settings_of_fifo_topics_are_taken_up_to_their_limits_and_refused_on_standard_topics(world: World) {
    let (broker, topic) = world.news().await;
    let fifo = broker.topic("a.fifo").fifo().await.unwrap();
    for days in [1, 365] {
        let change = TopicSettings { archive_policy: Some(ArchivePolicy::Days(days)), ..Default::default() };
        fifo.set_attributes(change).await.unwrap();
    }
    for days in [0, 366, u32::MAX] {
        let change = TopicSettings { archive_policy: Some(ArchivePolicy::Days(days)), ..Default::default() };
        let error = refused(fifo.set_attributes(change)).await;
        assert_invalid(&error, "archive_policy", &days.to_string(), "1 and 365");
    }
    let none = TopicSettings::new;
    let settings = [
        ("content_based_deduplication", TopicSettings { content_based_deduplication: Some(true), ..none() }),
        (
            "fifo_throughput_scope",
            TopicSettings { fifo_throughput_scope: Some(FifoThroughputScope::Topic), ..none() },
        ),
        ("archive_policy", TopicSettings { archive_policy: Some(ArchivePolicy::Days(1)), ..none() }),
    ];
    for (field, settings) in settings {
        fifo.set_attributes(settings.clone()).await.unwrap();
        let error = refused(topic.set_attributes(settings.clone())).await;
        assert_invalid(&error, field, "given", "FIFO topics only");
        assert_invalid(&refused(broker.topic("new").settings(settings)).await, field, "given", "FIFO");
    }
    let attributes = fifo.attributes().await.unwrap();
    assert!(attributes.content_based_deduplication);
    assert_eq!(attributes.archive_policy, ArchivePolicy::Days(1));
}

/// N5.
async fn the_type_of_a_topic_cannot_be_changed(world: World) {
    let (broker, standard) = world.news().await;
    let fifo = broker.topic("a.fifo").fifo().await.unwrap();
    for (topic, now) in [(standard, false), (fifo, true)] {
        let same = TopicSettings { fifo: Some(now), ..TopicSettings::new() };
        topic.set_attributes(same).await.unwrap();
        let other =
            TopicSettings { fifo: Some(!now), display_name: Some("x".into()), ..TopicSettings::new() };
        let error = refused(topic.set_attributes(other)).await;
        assert_invalid(&error, "fifo", &(!now).to_string(), "cannot be changed");
        let attributes = topic.attributes().await.unwrap();
        assert_eq!(
            (attributes.fifo, attributes.display_name.as_str()),
            (now, ""),
            "changed as a whole or not"
        );
    }
}

/// N5, IG2.
async fn settings_and_tags_survive_a_restart(world: World) {
    let broker = world.broker().await;
    let retry = RetryPolicy { retries: 7, no_delay_retries: 2, jitter_percent: 5, ..RetryPolicy::http() };
    let policy = DeliveryPolicy {
        max_receives_per_second: Some(9),
        content_type: Some("application/json".into()),
        ..DeliveryPolicy::new(retry)
    };
    let topic = broker.topic("a.fifo").fifo().tag("old", "1").tag("kept", "2").await.unwrap();
    let all = TopicSettings {
        display_name: Some("A".into()),
        max_message_size: Some(9_999),
        durability: Some(Durability::Buffered),
        fifo: Some(true),
        content_based_deduplication: Some(true),
        fifo_throughput_scope: Some(FifoThroughputScope::MessageGroup),
        archive_policy: Some(ArchivePolicy::Days(40)),
        delivery_policy: Some(policy.clone()),
        disable_subscription_overrides: Some(true),
    };
    topic.set_attributes(all.clone()).await.unwrap();
    topic.tag([("new", "3"), ("kept", "4")]).await.unwrap();
    topic.untag(["old", "never there"]).await.unwrap();
    let before = topic.attributes().await.unwrap();
    assert_eq!(topic.tags(), before.tags);
    let broker = world.open_again(broker).await;
    let topic = broker.topic("a.fifo").settings(all).await.unwrap();
    let after = topic.attributes().await.unwrap();
    assert_eq!(after, before);
    assert_eq!(after.effective_delivery_policy, policy);
    let tags: Vec<_> = after.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("kept", "4"), ("new", "3")]);
}

/// N6.
async fn a_topic_has_50_tags_at_most(world: World) {
    let (broker, topic) = world.news().await;
    topic.tag((0..50).map(|n| (format!("k{n}"), "v"))).await.unwrap();
    topic.tag([("k7", "other")]).await.unwrap();
    let error = refused(topic.tag([("k50", "v")])).await;
    assert_invalid(&error, "tags", "51", "at most 50");
    assert_invalid(&refused(topic.tag([("", "v")])).await, "tags", "51", "50");
    topic.untag(["k0"]).await.unwrap();
    assert_invalid(&refused(topic.tag([("", "v")])).await, "tag key", "", "1 to");
    let many = (0..51).fold(broker.topic("other"), |topic, n| topic.tag(format!("k{n}"), "v"));
    assert_invalid(&refused(many).await, "tags", "51", "at most 50");
    assert_eq!((topic.tags().len(), topic.tags()["k7"].as_str()), (49, "other"));
}

/// N6.
async fn there_are_as_many_topics_of_each_type_as_the_limits_say(world: World) {
    let topics = TopicLimits { standard_max: 2, fifo_max: 1, ..TopicLimits::aws() };
    let world = world.limits(Limits { topics, ..Limits::aws() });
    let broker = world.broker().await;
    for name in ["a", "b", "a"] {
        broker.topic(name).await.unwrap();
    }
    broker.topic("a.fifo").fifo().await.unwrap();
    let broker = world.open_again(broker).await;
    let error = refused(broker.topic("c")).await;
    assert!(matches!(error, Error::TooMany { what: "topics of this type", max: 2 }), "{error}");
    let error = refused(broker.topic("b.fifo").fifo()).await;
    assert!(matches!(error, Error::TooMany { what: "topics of this type", max: 1 }), "{error}");
    broker.delete_topic("a").await.unwrap();
    broker.topic("c").await.unwrap();
    assert_eq!(broker.list_topics(), ["a.fifo", "b", "c"]);
}

/// N6.
async fn a_topic_has_as_many_subscriptions_as_the_limits_say(world: World) {
    let topics = TopicLimits { subscriptions_max: 3, fifo_subscriptions_max: 2, ..TopicLimits::aws() };
    let world = world.limits(Limits { topics, ..Limits::aws() });
    let broker = world.broker().await;
    let standard = broker.topic("a").await.unwrap();
    let fifo = broker.topic("a.fifo").fifo().await.unwrap();
    for (topic, max) in [(standard, 3), (fifo, 2)] {
        let endpoint = |n: usize| Endpoint::queue(format!("q{n}"));
        for n in (0..max).chain(0..max) {
            topic.subscribe(endpoint(n)).await.unwrap();
        }
        let error = refused(topic.subscribe(endpoint(max))).await;
        let Error::TooMany { what: "subscriptions of the topic", max: said } = error else {
            panic!("{error}")
        };
        assert_eq!(said, max);
        let first = topic.subscriptions().await.unwrap()[0].id;
        topic.unsubscribe(first).await.unwrap();
        topic.subscribe(endpoint(max)).await.unwrap();
    }
    assert_eq!(TopicLimits::aws().fifo_subscriptions_max, 100);
    assert_eq!((TopicLimits::aws().standard_max, TopicLimits::aws().fifo_max), (100_000, 1_000));
}

everywhere! {
    a_fresh_topic_has_the_defaults_of_sns,
    each_setting_is_taken_up_to_its_limits_and_refused_beyond,
    settings_of_fifo_topics_are_taken_up_to_their_limits_and_refused_on_standard_topics,
    the_type_of_a_topic_cannot_be_changed,
    settings_and_tags_survive_a_restart,
    a_topic_has_50_tags_at_most,
    there_are_as_many_topics_of_each_type_as_the_limits_say,
    a_topic_has_as_many_subscriptions_as_the_limits_say,
}
