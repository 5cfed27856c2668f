//! That topics use filter policies: when, on what, and what becomes of messages that are not wanted (N16 to N18, N72, N73,
//! IT3). What policies mean is tested in `filter`.

use broker_core::{
    AttributeValue, Endpoint, Entries, Error, FilterScope, Limits, LocalTopic, PublishMessage,
    SubscriptionSettings, TopicLimits,
};

use crate::{
    support::{World, counts},
    topic_support::{Log, bodies, counters, fifo, refused},
};

fn colour(colour: &str) -> PublishMessage {
    PublishMessage::new(format!(r#"{{"colour": "{colour}"}}"#))
        .attribute("colour", AttributeValue::string(colour))
}

const RED: &str = r#"{"colour": ["red"]}"#;

/// N16: attributes by default, the body if so asked.
async fn a_policy_looks_at_attributes_or_at_the_body(world: World) {
    let (broker, topic) = world.news().await;
    let queues = [broker.queue("attributes").await.unwrap(), broker.queue("body").await.unwrap()];
    topic.subscribe(&queues[0]).raw_delivery(true).filter_attributes(RED).await.unwrap();
    topic.subscribe(&queues[1]).raw_delivery(true).filter_body(RED).await.unwrap();
    let push = topic.subscribe(Endpoint::handler("h")).filter_body(RED).await.unwrap().id;
    let log = Log::new();
    let _attached = topic.attach(push, log.taking()).await.unwrap();
    let red = colour("red").body;
    topic.publish(PublishMessage::new("1").attribute("colour", AttributeValue::string("red"))).await.unwrap();
    topic.publish(red.as_str()).await.unwrap();
    topic.publish("{ not JSON").await.unwrap();
    topic.publish(colour("blue")).await.unwrap();
    assert_eq!(bodies(&queues[0]).await, ["1"]);
    assert_eq!(bodies(&queues[1]).await, [red.as_str()]);
    log.until(1).await;
    assert_eq!(log.texts(), [red]);
    assert_eq!(counters(&topic, push).await.filtered_out, 3);
}

/// N72: each entry for itself; what is not wanted is no failure.
async fn every_entry_of_a_batch_is_filtered_for_itself(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    let dead = broker.queue("dead").await.unwrap();
    let subscribing = topic.subscribe(&queue).raw_delivery(true).filter_attributes(RED);
    let id = subscribing.dead_letter("dead").await.unwrap().id;
    let all = broker.queue("all").await.unwrap();
    topic.subscribe(&all).raw_delivery(true).await.unwrap();
    let entries: Entries<_> = ["red", "blue", "", "red", "green"].map(colour).into_iter().collect();
    let mut entries = entries;
    let refused = topic.publish_batch(entries.clone()).await.unwrap_err();
    assert!(
        matches!(refused, Error::InvalidParameter { field: "attribute value", .. }),
        "an empty attribute"
    );
    entries = ["red", "blue", "red", "green"].map(colour).into_iter().collect();
    entries.push(PublishMessage::new("").attribute("colour", AttributeValue::string("red")));
    let published = topic.publish_batch(entries).await.unwrap();
    assert_eq!((published.successful().count(), published.failed().count()), (4, 1));
    assert_eq!(bodies(&queue).await, vec![colour("red").body; 2]);
    assert_eq!((counts(&all).await, counts(&dead).await), ([4, 0, 0], [0, 0, 0]));
    let seen = counters(&topic, id).await;
    assert_eq!((seen.delivered, seen.filtered_out, seen.dead_lettered, seen.dropped), (2, 2, 0, 0));
}

/// N72: a message that is published again was filtered the first time.
async fn duplicates_are_not_counted_as_filtered_out(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let id = topic.subscribe(Endpoint::queue("q")).filter_attributes(RED).await.unwrap().id;
    for _ in 0..3 {
        topic.publish(fifo("a1")).await.unwrap();
    }
    assert_eq!(counters(&topic, id).await.filtered_out, 1);
}

/// N73: order is kept among the messages that match.
async fn messages_that_match_keep_their_order(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    let odd = r#"{"odd": ["true"]}"#;
    topic.subscribe(&queue).raw_delivery(true).filter_attributes(odd).await.unwrap();
    for n in 0..20 {
        let value = AttributeValue::string((n % 2 == 1).to_string());
        topic.publish(fifo(format!("a{n}")).attribute("odd", value)).await.unwrap();
    }
    let expected: Vec<_> = (0..20).filter(|n| n % 2 == 1).map(|n| format!("a{n}")).collect();
    assert_eq!(bodies(&queue).await, expected);
}

/// N22, N16: the text that the subscriber's protocol gets is what its policy looks at, live and replayed.
async fn a_policy_over_the_body_looks_at_what_its_subscriber_gets(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().archive_days(1).await.unwrap();
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    let id = topic.subscribe(&queue).raw_delivery(true).filter_body(RED).await.unwrap().id;
    let (red, blue) = (colour("red").body, colour("blue").body);
    topic.publish(fifo("a1").body_for("sqs", red.as_str())).await.unwrap();
    let message = PublishMessage { body: red.clone(), ..fifo("a2") };
    topic.publish(message.body_for("sqs", blue)).await.unwrap();
    assert_eq!(bodies(&queue).await, [red.as_str()]);
    topic.start_replay(id, crate::replay::all()).await.unwrap();
    crate::replay::ended(&topic, id).await;
    assert_eq!(bodies(&queue).await, [red]);
}

/// N17, N64: a policy that is none, or not in its scope, changes nothing.
async fn a_policy_that_is_none_is_refused_with_its_reason(world: World) {
    let (_broker, topic) = world.news().await;
    let nested = r#"{"a": {"b": ["c"]}}"#;
    let queue = || Endpoint::queue("q");
    let reason = |error: Error| match error {
        Error::InvalidFilterPolicy(cause) => cause.message,
        other => panic!("{other:?}"),
    };
    let error = refused(topic.subscribe(queue()).filter_attributes(nested)).await;
    assert_eq!(reason(error), "Filter policy scope MessageAttributes does not support nested filter policy");
    let error = refused(topic.subscribe(queue()).filter_body("{")).await;
    assert!(reason(error).starts_with("failed to parse JSON"));
    assert!(topic.subscriptions().await.unwrap().is_empty());

    let id = topic.subscribe(queue()).filter_attributes(RED).await.unwrap().id;
    let policy = |text: &str| SubscriptionSettings { filter_policy: Some(text.into()), ..Default::default() };
    let scope = |scope| SubscriptionSettings { filter_scope: Some(scope), ..Default::default() };
    let before = topic.subscription(id).await.unwrap();
    refused(topic.set_subscription(id, &policy(nested))).await;
    refused(topic.set_subscription(id, &policy(nested).raw_delivery(true))).await;
    assert_eq!(topic.subscription(id).await.unwrap(), before);
    topic.set_subscription(id, &scope(FilterScope::MessageBody)).await.unwrap();
    topic.set_subscription(id, &policy(nested)).await.unwrap();
    refused(topic.set_subscription(id, &scope(FilterScope::MessageAttributes))).await;
    let after = topic.subscription(id).await.unwrap().filter_policy.unwrap();
    assert_eq!((after.as_str(), after.scope()), (nested, FilterScope::MessageBody));
}

/// N16: without a policy a scope is kept, for the policy to come.
async fn a_scope_without_a_policy_is_that_of_the_next_policy(world: World) {
    let (broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::queue("q")).await.unwrap().id;
    let scope = SubscriptionSettings { filter_scope: Some(FilterScope::MessageBody), ..Default::default() };
    topic.set_subscription(id, &scope).await.unwrap();
    assert_eq!(topic.subscription(id).await.unwrap().filter_policy, None, "it does not show yet");
    let (_broker, topic) = world.news_again(broker).await;
    let policy = SubscriptionSettings { filter_policy: Some(RED.into()), ..Default::default() };
    topic.set_subscription(id, &policy).await.unwrap();
    assert_eq!(
        topic.subscription(id).await.unwrap().filter_policy.unwrap().scope(),
        FilterScope::MessageBody
    );
}

/// N18: at once, for what is published then; what waits already has been decided.
async fn a_changed_policy_holds_from_the_next_publish_on(world: World) {
    let (broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).filter_attributes(RED).await.unwrap().id;
    topic.publish(colour("red")).await.unwrap();
    let blue = SubscriptionSettings::new().filter_attributes(r#"{"colour": ["blue"]}"#);
    topic.set_subscription(id, &blue).await.unwrap();
    topic.publish(colour("red")).await.unwrap();
    topic.publish(colour("blue")).await.unwrap();
    let (_broker, topic) = world.news_again(broker).await;
    topic.publish(colour("red")).await.unwrap();
    topic.publish(colour("blue")).await.unwrap();
    let log = Log::new();
    let _attached = topic.attach(id, log.taking()).await.unwrap();
    log.until(3).await;
    let expected = ["red", "blue", "blue"].map(|name| colour(name).body);
    assert_eq!(log.texts(), expected);
}

/// IT3: each publish sees one policy or the other, whole: with policies that between them want everything once, every
/// message comes once.
async fn a_change_of_policy_is_atomic_to_each_publish(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    let (first, second) =
        (r#"{"colour": ["red"], "n": [{"exists": true}]}"#, r#"{"colour": ["red", "none"]}"#);
    let id = topic.subscribe(&queue).raw_delivery(true).filter_attributes(first).await.unwrap().id;
    let change = async |topic: &LocalTopic| {
        for n in 0..60 {
            let policy = if n % 2 == 0 { second } else { first };
            let change = SubscriptionSettings::new().filter_attributes(policy);
            topic.set_subscription(id, &change).await.unwrap();
        }
    };
    let publish = async |topic: &LocalTopic| {
        for n in 0..60 {
            topic.publish(colour("red").attribute("n", AttributeValue::number(n))).await.unwrap();
            topic.publish(colour("green").attribute("n", AttributeValue::number(n))).await.unwrap();
        }
    };
    tokio::join!(change(&topic), publish(&topic), publish(&topic));
    assert_eq!(bodies(&queue).await, vec![colour("red").body; 120]);
    let seen = counters(&topic, id).await;
    assert_eq!((seen.delivered, seen.filtered_out), (120, 120));
}

/// N62: so many on a topic, and so many in all.
async fn there_are_as_many_filter_policies_as_the_limits_say(world: World) {
    let topics = TopicLimits { filter_policies_max: 2, filter_policies_total_max: 3, ..TopicLimits::aws() };
    let world = world.limits(Limits { topics, ..Limits::aws() });
    let (broker, topic) = world.news().await;
    let other = broker.topic("other").await.unwrap();
    let queue = |n: usize| Endpoint::queue(format!("q{n}"));
    for n in 0..2 {
        topic.subscribe(queue(n)).filter_attributes(RED).await.unwrap();
    }
    topic.subscribe(queue(0)).filter_attributes(RED).await.unwrap();
    let too_many = |error: Error, expected: &str, most: usize| {
        let Error::TooMany { what, max } = error else { panic!("{error:?}") };
        assert_eq!((what, max), (expected, most));
    };
    let error = refused(topic.subscribe(queue(2)).filter_attributes(RED)).await;
    too_many(error, "filter policies of the topic", 2);
    let plain = topic.subscribe(queue(2)).await.unwrap().id;
    let change = SubscriptionSettings::new().filter_attributes(RED);
    too_many(refused(topic.set_subscription(plain, &change)).await, "filter policies of the topic", 2);
    other.subscribe(queue(0)).filter_attributes(RED).await.unwrap();
    let error = refused(other.subscribe(queue(1)).filter_attributes(RED)).await;
    too_many(error, "filter policies of the broker", 3);
    let first = topic.subscriptions().await.unwrap()[0].id;
    let none = SubscriptionSettings { filter_policy: Some(String::new()), ..Default::default() };
    topic.set_subscription(first, &none).await.unwrap();
    other.subscribe(queue(1)).filter_attributes(RED).await.unwrap();
    assert_eq!(
        (TopicLimits::aws().filter_policies_max, TopicLimits::aws().filter_policies_total_max),
        (200, 10_000)
    );
}

everywhere! {
    a_policy_looks_at_attributes_or_at_the_body,
    every_entry_of_a_batch_is_filtered_for_itself,
    duplicates_are_not_counted_as_filtered_out,
    messages_that_match_keep_their_order,
    a_policy_over_the_body_looks_at_what_its_subscriber_gets,
    a_policy_that_is_none_is_refused_with_its_reason,
    a_scope_without_a_policy_is_that_of_the_next_policy,
    a_changed_policy_holds_from_the_next_publish_on,
    a_change_of_policy_is_atomic_to_each_publish,
    there_are_as_many_filter_policies_as_the_limits_say,
}
