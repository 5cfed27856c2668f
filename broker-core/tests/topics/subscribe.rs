//! Subscribing and unsubscribing, once and again, and what a subscription says of itself (N10, N13 to N16, N18).

use broker_core::{
    DeliveryOrder, DeliveryPolicy, Endpoint, Error, FilterScope, RetryPolicy, SubscriptionCounters,
    SubscriptionId, SubscriptionSettings,
};

use crate::{
    support::{World, assert_invalid, counts, secs, take},
    topic_support::{bodies, counters, fifo, refused},
};

/// N10.
async fn a_standard_topic_takes_every_protocol_of_sns_and_no_other(world: World) {
    let (_broker, topic) = world.news().await;
    let protocols = ["http", "https", "email", "email-json", "sms", "application", "lambda", "firehose"];
    for protocol in protocols {
        topic.subscribe(Endpoint::push(protocol, "there")).await.unwrap();
    }
    topic.subscribe(Endpoint::queue("q")).await.unwrap();
    topic.subscribe(Endpoint::handler("h")).await.unwrap();
    for protocol in ["", "ftp", "SQS", "Http", "sqs "] {
        let error = refused(topic.subscribe(Endpoint::push(protocol, "there"))).await;
        assert_invalid(&error, "protocol", protocol, "does not support this protocol string");
    }
    let all = topic.subscriptions().await.unwrap();
    let found: Vec<_> = all.iter().map(|one| one.endpoint.protocol()).collect();
    assert_eq!(found, [&protocols[..], &["sqs", "handler"]].concat(), "in the order of their making");
}

/// N10.
async fn an_endpoint_has_an_address_of_1_to_2048_bytes(world: World) {
    let (_broker, topic) = world.news().await;
    topic.subscribe(Endpoint::push("lambda", "x".repeat(2_048))).await.unwrap();
    let error = refused(topic.subscribe(Endpoint::push("lambda", "x".repeat(2_049)))).await;
    assert_invalid(&error, "endpoint", &format!("{}…", "x".repeat(100)), "1 to 2048 bytes");
    for endpoint in [Endpoint::push("lambda", ""), Endpoint::handler("")] {
        assert_invalid(&refused(topic.subscribe(endpoint)).await, "endpoint", "", "1 to 2048");
    }
}

/// N10: a FIFO topic has queues only, of both types.
async fn a_fifo_topic_takes_queues_of_both_types_and_nothing_else(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    topic.subscribe(Endpoint::queue("q.fifo")).await.unwrap();
    topic.subscribe(Endpoint::queue("q")).await.unwrap();
    for endpoint in [Endpoint::push("lambda", "f"), Endpoint::push("http", "u"), Endpoint::handler("h")] {
        let error = refused(topic.subscribe(endpoint.clone())).await;
        assert_invalid(&error, "endpoint", endpoint.address(), "queues only");
    }
    let error = refused(topic.subscribe(Endpoint::push("ftp", "u"))).await;
    assert_invalid(&error, "protocol", "ftp", "does not support");
    assert_eq!(topic.subscriptions().await.unwrap().len(), 2);
}

/// N10, N15: a name that no queue can have is refused, whether such queues exist or not.
async fn a_standard_topic_takes_no_fifo_queue_and_no_name_that_is_none(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    let error = refused(topic.subscribe(&queue)).await;
    assert_invalid(&error, "endpoint", "q.fifo", "FIFO SQS Queues can not be subscribed to standard");
    for name in ["", "a b", "http://localhost/q", ".fifo"] {
        assert_invalid(&refused(topic.subscribe(Endpoint::queue(name))).await, "name", name, "1 to 80");
    }
    assert!(topic.subscriptions().await.unwrap().is_empty());
}

/// N15, N54.
async fn the_queue_need_not_exist_and_gets_what_is_published_once_it_does(world: World) {
    let (broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::queue("q")).raw_delivery(true).await.unwrap().id;
    topic.publish("too early").await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.publish("1").await.unwrap();
    broker.delete_queue("q").await.unwrap();
    topic.publish("in between").await.unwrap();
    let again = broker.queue("q").await.unwrap();
    topic.publish("2").await.unwrap();
    assert_eq!(bodies(&again).await, ["2"]);
    assert!(matches!(refused(queue.counters()).await, Error::QueueDoesNotExist { .. }));
    let seen = counters(&topic, id).await;
    assert_eq!((seen.delivered, seen.dropped), (2, 2));
    assert_eq!(topic.subscriptions().await.unwrap().len(), 1, "N18: the subscription stays as it was");
}

/// N13.
async fn subscribing_again_with_equal_or_no_settings_is_the_same_subscription(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    let first = topic.subscribe(&queue).raw_delivery(true).dead_letter("dead").await.unwrap();
    let (broker, topic) = world.news_again(broker).await;
    let queue = Endpoint::queue("q");
    let again = [
        topic.subscribe(queue.clone()).await.unwrap(),
        topic.subscribe(queue.clone()).raw_delivery(true).await.unwrap(),
        topic.subscribe(queue.clone()).raw_delivery(true).dead_letter("dead").await.unwrap(),
    ];
    assert!(again.iter().all(|again| *again == first));
    let handler = topic.subscribe(Endpoint::handler("h")).await.unwrap();
    let spelled_out = topic.subscribe(Endpoint::handler("h")).order(DeliveryOrder::InOrder).await.unwrap();
    assert_eq!(spelled_out.id, handler.id, "in order is what a handler has by default");
    topic.publish("x").await.unwrap();
    assert_eq!(bodies(&broker.open_queue("q").await.unwrap()).await, ["x"], "and one copy is delivered");
}

/// N13.
async fn subscribing_again_with_another_setting_is_refused_and_names_the_subscription(world: World) {
    let (_broker, topic) = world.news().await;
    let endpoint = || Endpoint::handler("h");
    let id = topic.subscribe(endpoint()).await.unwrap().id;
    let before = topic.subscription(id).await.unwrap();
    let again = || topic.subscribe(endpoint());
    let cases = [
        again().raw_delivery(true),
        again().dead_letter("dead"),
        again().filter_attributes(r#"{"a": ["b"]}"#),
        again().delivery_policy(DeliveryPolicy::http()),
        again().order(DeliveryOrder::Independent(5)),
    ];
    for again in cases {
        let error = refused(again).await;
        let Error::SubscriptionExists { topic, id: of } = error else { panic!("{error:?}") };
        assert_eq!((topic.as_str(), of), ("news", id));
    }
    assert_eq!(topic.subscription(id).await.unwrap(), before);
}

/// N13: the protocol is a part of the endpoint.
async fn one_address_in_two_protocols_is_two_subscriptions(world: World) {
    let (_broker, topic) = world.news().await;
    let mut ids = Vec::new();
    for endpoint in [
        Endpoint::queue("x"),
        Endpoint::handler("x"),
        Endpoint::push("lambda", "x"),
        Endpoint::push("firehose", "x"),
    ] {
        ids.push(topic.subscribe(endpoint).await.unwrap().id);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    for id in ids {
        assert_eq!(id.to_string().parse::<SubscriptionId>().unwrap(), id);
    }
}

/// N14.
async fn unsubscribing_again_is_no_error(world: World) {
    let (broker, topic) = world.news().await;
    let other = broker.topic("other").await.unwrap();
    let id = topic.subscribe(Endpoint::queue("q")).await.unwrap().id;
    other.unsubscribe(id).await.unwrap();
    assert_eq!(topic.subscriptions().await.unwrap().len(), 1, "it is not one of the other topic");
    topic.unsubscribe(id).await.unwrap();
    topic.unsubscribe(id).await.unwrap();
    let error = refused(topic.subscription(id)).await;
    assert!(
        matches!(error, Error::SubscriptionDoesNotExist { topic, id: of } if topic == "news" && of == id)
    );
    let error = refused(topic.set_subscription(id, &SubscriptionSettings::new())).await;
    assert!(matches!(error, Error::SubscriptionDoesNotExist { .. }));
    let (_broker, topic) = world.news_again(broker).await;
    assert!(topic.subscriptions().await.unwrap().is_empty());
    let again = topic.subscribe(Endpoint::queue("q")).await.unwrap();
    assert_ne!(again.id, id, "ids are given out once");
}

/// IT3.
async fn who_is_subscribed_when_a_message_is_published_gets_it_and_nobody_else(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.publish("before").await.unwrap();
    let id = topic.subscribe(&queue).raw_delivery(true).await.unwrap().id;
    topic.publish("during").await.unwrap();
    topic.unsubscribe(id).await.unwrap();
    topic.publish("after").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    topic.publish("again").await.unwrap();
    assert_eq!(bodies(&queue).await, ["during", "again"]);
}

/// N16.
async fn a_subscription_says_what_it_was_told(world: World) {
    let (broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    let fresh = topic.subscription(id).await.unwrap();
    assert_eq!((fresh.id, fresh.topic.as_str(), &fresh.endpoint), (id, "news", &Endpoint::handler("h")));
    assert!(fresh.confirmed && !fresh.raw_delivery);
    assert_eq!((fresh.created_at, fresh.order), (world.now(), Some(DeliveryOrder::InOrder)));
    assert_eq!((&fresh.filter_policy, &fresh.dead_letter, &fresh.delivery_policy), (&None, &None, &None));
    assert_eq!(fresh.effective_delivery_policy, Some(DeliveryPolicy::new(RetryPolicy::aws_managed())));
    assert_eq!((fresh.replay, fresh.counters), (None, SubscriptionCounters::default()));

    let policy = DeliveryPolicy::new(RetryPolicy { retries: 9, ..RetryPolicy::http() });
    let change =
        SubscriptionSettings::new().raw_delivery(true).dead_letter("dead").delivery_policy(policy.clone());
    let change = change.filter_body(r#"{"a": ["b"]}"#);
    topic.set_subscription(id, &change).await.unwrap();
    let (broker, topic) = world.news_again(broker).await;
    let changed = topic.subscription(id).await.unwrap();
    assert!(changed.raw_delivery);
    assert_eq!(
        (changed.dead_letter.as_deref(), changed.delivery_policy.as_ref()),
        (Some("dead"), Some(&policy))
    );
    let filter = changed.filter_policy.unwrap();
    assert_eq!((filter.as_str(), filter.scope()), (r#"{"a": ["b"]}"#, FilterScope::MessageBody));

    let back = SubscriptionSettings {
        filter_policy: Some(String::new()),
        dead_letter: Some(String::new()),
        ..SubscriptionSettings::new().raw_delivery(false)
    };
    topic.set_subscription(id, &back).await.unwrap();
    let (_broker, topic) = world.news_again(broker).await;
    let back = topic.subscription(id).await.unwrap();
    assert_eq!((back.raw_delivery, &back.filter_policy, &back.dead_letter), (false, &None, &None));
}

/// N16: what a queue is not, it cannot be told.
async fn the_order_of_deliveries_is_settled_when_a_push_subscriber_is_subscribed(world: World) {
    let (_broker, topic) = world.news().await;
    let order = |order| SubscriptionSettings::new().order(order);
    let (in_order, at_once) = (order(DeliveryOrder::InOrder), order(DeliveryOrder::Independent(10)));
    let handler = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    topic.set_subscription(handler, &in_order).await.unwrap();
    assert_invalid(&refused(topic.set_subscription(handler, &at_once)).await, "order", "given", "settled");
    let lambda = topic.subscribe(Endpoint::push("lambda", "f")).await.unwrap().id;
    assert_eq!(topic.subscription(lambda).await.unwrap().order, Some(DeliveryOrder::Independent(10)));
    topic.set_subscription(lambda, &at_once).await.unwrap();
    assert_invalid(&refused(topic.set_subscription(lambda, &in_order)).await, "order", "given", "settled");
    let queue = topic.subscribe(Endpoint::queue("q")).await.unwrap().id;
    assert_invalid(&refused(topic.set_subscription(queue, &in_order)).await, "order", "given", "settled");
    for (number, taken) in [(0, false), (1, true), (1_000, true), (1_001, false), (u32::MAX, false)] {
        let endpoint = Endpoint::handler(format!("h{number}"));
        let subscribed = topic.subscribe(endpoint).order(DeliveryOrder::Independent(number)).await;
        match subscribed {
            Ok(_) => assert!(taken, "{number}"),
            Err(error) => {
                assert!(!taken, "{number}");
                assert_invalid(&error, "order", &number.to_string(), "1 to 1000");
            }
        }
    }
}

/// N18: nor does any number of failures.
async fn a_changed_form_holds_from_the_next_publish_on(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    let id = topic.subscribe(&queue).await.unwrap().id;
    topic.publish("x").await.unwrap();
    topic.set_subscription(id, &SubscriptionSettings::new().raw_delivery(true)).await.unwrap();
    topic.publish("x").await.unwrap();
    assert_ne!(take(&queue).await.text().unwrap(), "x");
    assert_eq!(take(&queue).await.text().unwrap(), "x");
}

/// A queue's delay and its type are its own business.
async fn a_message_waits_in_a_queue_as_long_as_that_delays_it(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let slow = broker.queue("slow.fifo").fifo().delay(secs(5)).await.unwrap();
    let quick = broker.queue("quick").await.unwrap();
    topic.subscribe(&slow).raw_delivery(true).await.unwrap();
    topic.subscribe(&quick).raw_delivery(true).await.unwrap();
    topic.publish(fifo("a1")).await.unwrap();
    assert_eq!((counts(&slow).await, counts(&quick).await), ([0, 0, 1], [1, 0, 0]));
    crate::support::advance(secs(5)).await;
    assert_eq!(bodies(&slow).await, ["a1"]);
}

everywhere! {
    a_standard_topic_takes_every_protocol_of_sns_and_no_other,
    an_endpoint_has_an_address_of_1_to_2048_bytes,
    a_fifo_topic_takes_queues_of_both_types_and_nothing_else,
    a_standard_topic_takes_no_fifo_queue_and_no_name_that_is_none,
    the_queue_need_not_exist_and_gets_what_is_published_once_it_does,
    subscribing_again_with_equal_or_no_settings_is_the_same_subscription,
    subscribing_again_with_another_setting_is_refused_and_names_the_subscription,
    one_address_in_two_protocols_is_two_subscriptions,
    unsubscribing_again_is_no_error,
    who_is_subscribed_when_a_message_is_published_gets_it_and_nobody_else,
    a_subscription_says_what_it_was_told,
    the_order_of_deliveries_is_settled_when_a_push_subscriber_is_subscribed,
    a_changed_form_holds_from_the_next_publish_on,
    a_message_waits_in_a_queue_as_long_as_that_delays_it,
}
