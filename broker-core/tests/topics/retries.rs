//! When failed deliveries are tried again, on virtual time (N50 to N52).

use broker_core::{
    BackoffFunction::{Arithmetic, Exponential, Geometric, Linear},
    Broker, DeliveryOrder, DeliveryPolicy, Endpoint, RetryPolicy, SubscriptionSettings, TopicSettings,
};
use broker_mem::MemStorage;

use crate::{
    support::{World, assert_invalid, ms, secs, settle_down},
    topic_support::{Log, counters, numbered, refused},
};

/// Retries after so many seconds each.
pub(crate) fn every(seconds: u64, retries: u32) -> DeliveryPolicy {
    let (min_delay, max_delay) = (secs(seconds), secs(seconds));
    DeliveryPolicy::new(RetryPolicy { min_delay, max_delay, retries, ..RetryPolicy::http() })
}

/// N50, N51.
async fn the_four_phases_come_in_their_order_and_to_the_millisecond(world: World) {
    let (_broker, topic) = world.news().await;
    let policy = DeliveryPolicy::new(RetryPolicy {
        min_delay: secs(1),
        max_delay: secs(8),
        retries: 9,
        no_delay_retries: 2,
        min_delay_retries: 1,
        max_delay_retries: 2,
        backoff: Exponential,
        jitter_percent: 0,
    });
    let id = topic.subscribe(Endpoint::handler("h")).delivery_policy(policy).await.unwrap().id;
    let log = Log::new();
    let _attached = topic.attach(id, log.answering(|_| Err::<(), _>("no"))).await.unwrap();
    topic.publish("m").await.unwrap();
    tokio::time::sleep(secs(1_000)).await;
    assert_eq!(log.times(), [0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 24_000, 32_000]);
    let numbers: Vec<_> = log.attempts().iter().map(|(_, number, _)| *number).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    let seen = counters(&topic, id).await;
    assert_eq!((seen.dropped, seen.delivered, seen.waiting), (1, 0, 0));
}

/// N51.
#[test]
fn the_four_curves_meet_at_their_ends_and_keep_their_order_between() {
    let curve = |backoff| {
        let (min_delay, max_delay) = (secs(1), secs(60));
        let policy = RetryPolicy { min_delay, max_delay, retries: 10, backoff, ..RetryPolicy::http() };
        (1..=10).map(|retry| policy.delay(retry).unwrap()).collect::<Vec<_>>()
    };
    let curves = [Linear, Arithmetic, Geometric, Exponential].map(curve);
    for curve in &curves {
        assert_eq!((curve[0], curve[9]), (secs(1), secs(60)));
        assert!(curve.is_sorted());
    }
    for retry in 1..9 {
        assert!(curves.windows(2).all(|pair| pair[0][retry] > pair[1][retry]), "retry {retry}");
    }
    assert_eq!((curves[0][3], curves[3][3]), (ms(20_666), ms(3_914)), "1 + 59 * 3/9, and 60^(3/9)");
}

/// N50: a policy that is refused changes nothing.
async fn policies_beyond_the_limits_are_refused(world: World) {
    let (_broker, topic) = world.news().await;
    let http = RetryPolicy::http;
    let cases = [
        (
            RetryPolicy { min_delay: ms(999), ..http() },
            "min_delay, max_delay",
            "999ms to 20s",
            "1s and 3600s",
        ),
        (RetryPolicy { max_delay: secs(3_601), ..http() }, "min_delay, max_delay", "20s to 3601s", "3600s"),
        (
            RetryPolicy { min_delay: secs(21), ..http() },
            "min_delay, max_delay",
            "21s to 20s",
            "shorter first",
        ),
        (RetryPolicy { retries: 101, ..http() }, "retries", "101", "0 and 100"),
        (RetryPolicy { no_delay_retries: 4, ..http() }, "retries", "3", "three phases"),
        (RetryPolicy { jitter_percent: 101, ..http() }, "jitter_percent", "101", "0 and 100"),
        (
            RetryPolicy { min_delay: secs(40), max_delay: secs(40), retries: 100, ..http() },
            "retry policy",
            "4000s",
            "3600s",
        ),
    ];
    let id = topic.subscribe(Endpoint::handler("h")).await.unwrap().id;
    for (retry, field, value, reason) in cases {
        let policy = DeliveryPolicy::new(retry);
        let of_topic = TopicSettings { delivery_policy: Some(policy.clone()), ..TopicSettings::new() };
        assert_invalid(&refused(topic.set_attributes(of_topic)).await, field, value, reason);
        let new = topic.subscribe(Endpoint::handler("new")).delivery_policy(policy.clone());
        assert_invalid(&refused(new).await, field, value, reason);
        let change = SubscriptionSettings::new().delivery_policy(policy);
        assert_invalid(&refused(topic.set_subscription(id, &change)).await, field, value, reason);
    }
    let none = DeliveryPolicy { max_receives_per_second: Some(0), ..DeliveryPolicy::http() };
    let change = SubscriptionSettings::new().delivery_policy(none);
    let error = refused(topic.set_subscription(id, &change)).await;
    assert_invalid(&error, "max_receives_per_second", "0", "at least 1");
    for content_type in [String::new(), "x".repeat(257)] {
        let policy = DeliveryPolicy { content_type: Some(content_type), ..DeliveryPolicy::http() };
        let change = SubscriptionSettings::new().delivery_policy(policy);
        let error = refused(topic.set_subscription(id, &change)).await;
        assert!(error.to_string().starts_with("content_type is "), "{error}");
    }
    assert_eq!(topic.subscriptions().await.unwrap().len(), 1);
    assert_eq!(topic.subscription(id).await.unwrap().delivery_policy, None);
    assert_eq!(topic.attributes().await.unwrap().delivery_policy, None);
}

/// N52.
async fn the_policy_of_a_subscription_overrides_that_of_the_topic_unless_that_says_otherwise(world: World) {
    let (broker, topic) = world.news().await;
    let lambda = topic.subscribe(Endpoint::push("lambda", "f")).await.unwrap().id;
    let http = topic.subscribe(Endpoint::push("http", "u")).await.unwrap().id;
    let mail = topic.subscribe(Endpoint::push("email", "a@b")).await.unwrap().id;
    let effective = async |topic: &broker_core::LocalTopic, id| {
        topic.subscription(id).await.unwrap().effective_delivery_policy.unwrap()
    };
    let built_in = |retry| DeliveryPolicy::new(retry);
    assert_eq!(effective(&topic, lambda).await, built_in(RetryPolicy::aws_managed()));
    assert_eq!(effective(&topic, http).await, built_in(RetryPolicy::http()));
    assert_eq!(effective(&topic, mail).await, built_in(RetryPolicy::customer_managed()));
    let set_topic = async |topic: &broker_core::LocalTopic, policy, disable| {
        let settings = TopicSettings {
            delivery_policy: policy,
            disable_subscription_overrides: disable,
            ..TopicSettings::new()
        };
        topic.set_attributes(settings).await.unwrap();
    };
    set_topic(&topic, Some(every(5, 5)), None).await;
    assert_eq!(effective(&topic, lambda).await, every(5, 5));
    let own = SubscriptionSettings::new().delivery_policy(every(7, 7));
    topic.set_subscription(lambda, &own).await.unwrap();
    assert_eq!((effective(&topic, lambda).await, effective(&topic, http).await), (every(7, 7), every(5, 5)));
    set_topic(&topic, None, Some(true)).await;
    let (broker, topic) = world.news_again(broker).await;
    assert_eq!(effective(&topic, lambda).await, every(5, 5));
    assert_eq!(
        topic.subscription(lambda).await.unwrap().delivery_policy,
        Some(every(7, 7)),
        "kept, but not used"
    );
    assert_eq!(topic.attributes().await.unwrap().effective_delivery_policy, every(5, 5));
    set_topic(&topic, None, Some(false)).await;
    let (_broker, topic) = world.news_again(broker).await;
    assert_eq!(effective(&topic, lambda).await, every(7, 7));
    let queue = topic.subscribe(Endpoint::queue("q")).await.unwrap().id;
    assert_eq!(
        topic.subscription(queue).await.unwrap().effective_delivery_policy,
        None,
        "it is no push subscriber"
    );
}

/// N52: the policy that holds is the one that is used, from the next attempt on.
async fn a_policy_that_is_changed_while_retrying_holds_from_the_next_attempt_on(world: World) {
    let (_broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).delivery_policy(every(100, 10)).await.unwrap().id;
    let log = Log::new();
    let _attached = topic.attach(id, log.answering(|_| Err::<(), _>("no"))).await.unwrap();
    topic.publish("m").await.unwrap();
    log.until(1).await;
    let change = SubscriptionSettings::new().delivery_policy(every(7, 4));
    topic.set_subscription(id, &change).await.unwrap();
    tokio::time::sleep(secs(1_000)).await;
    let first = log.times()[0];
    let since: Vec<_> = log.times().iter().map(|at| (at - first) / 1_000).collect();
    assert_eq!(since, [0, 100, 107, 114, 121]);
    assert_eq!(counters(&topic, id).await.dropped, 1);
}

/// N52: also if nothing was under way.
async fn a_policy_that_is_changed_while_nothing_waits_holds_for_the_next_message(world: World) {
    let (_broker, topic) = world.news().await;
    let id = topic.subscribe(Endpoint::handler("h")).delivery_policy(every(100, 10)).await.unwrap().id;
    let log = Log::new();
    let _attached = topic.attach(id, log.answering(|_| Err::<(), _>("no"))).await.unwrap();
    settle_down().await;
    let change = SubscriptionSettings::new().delivery_policy(every(7, 2));
    topic.set_subscription(id, &change).await.unwrap();
    topic.publish("m").await.unwrap();
    tokio::time::sleep(secs(1_000)).await;
    let first = log.times()[0];
    let since: Vec<_> = log.times().iter().map(|at| at - first).collect();
    assert_eq!(since, [0, 7_000, 14_000]);
}

/// N50: the throttle counts attempts, whatever comes of them.
async fn no_more_is_delivered_in_a_second_than_the_policy_says(world: World) {
    for order in [DeliveryOrder::InOrder, DeliveryOrder::Independent(10)] {
        let (broker, topic) = world.news().await;
        let retry = RetryPolicy { retries: 1, no_delay_retries: 1, ..RetryPolicy::http() };
        let policy = DeliveryPolicy { max_receives_per_second: Some(4), ..DeliveryPolicy::new(retry) };
        let subscribing = topic.subscribe(Endpoint::handler("h")).delivery_policy(policy).order(order);
        let id = subscribing.await.unwrap().id;
        for body in numbered("m", 0..10) {
            topic.publish(body).await.unwrap();
        }
        let log = Log::new();
        let handler = log.answering(|message| match (message.text(), message.attempt) {
            ("m3", 1) => Err("no"),
            _ => Ok(()),
        });
        let _attached = topic.attach(id, handler).await.unwrap();
        log.until(11).await;
        settle_down().await;
        let expected: Vec<_> = (0..11).map(|n| n * 250).collect();
        assert_eq!(log.times(), expected, "{order:?}");
        broker.delete_topic("news").await.unwrap();
        broker.close().await.unwrap();
    }
}

everywhere! {
    the_four_phases_come_in_their_order_and_to_the_millisecond,
    policies_beyond_the_limits_are_refused,
    the_policy_of_a_subscription_overrides_that_of_the_topic_unless_that_says_otherwise,
    a_policy_that_is_changed_while_retrying_holds_from_the_next_attempt_on,
    a_policy_that_is_changed_while_nothing_waits_holds_for_the_next_message,
    no_more_is_delivered_in_a_second_than_the_policy_says,
}

/// The times of all attempts of two messages that always fail, on a store with this seed.
async fn times_of_failures(seed: u64) -> Vec<u64> {
    let broker = Broker::builder(MemStorage::new()).seed(seed).open().await.unwrap();
    let topic = broker.topic("news").await.unwrap();
    let policy = DeliveryPolicy::new(RetryPolicy::customer_managed());
    let id = topic.subscribe(Endpoint::handler("h")).delivery_policy(policy).await.unwrap().id;
    topic.publish("m0").await.unwrap();
    topic.publish("m1").await.unwrap();
    let log = Log::new();
    let _attached = topic.attach(id, log.answering(|_| Err::<(), _>("no"))).await.unwrap();
    tokio::time::sleep(secs(100_000)).await;
    log.times()
}

/// N51, IG9: spread by up to a tenth, and the same again with the same seed.
#[tokio::test(start_paused = true)]
async fn jitter_shortens_delays_and_repeats_itself_with_the_seed() {
    let times = times_of_failures(7).await;
    assert_eq!(times_of_failures(7).await, times);
    assert_ne!(times_of_failures(8).await, times);
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (first, second) = (&gaps[..50], &gaps[51..]);
    assert_ne!(first, second, "each message has delays of its own");
    let policy = RetryPolicy::customer_managed();
    for (retry, gap) in (1..).zip(first).chain((1..).zip(second)) {
        let plain = u64::try_from(policy.delay(retry).unwrap().as_millis()).unwrap();
        assert!((plain * 9 / 10..=plain + 2).contains(gap), "{gap} ms instead of {plain} ms");
    }
    assert!(first.iter().zip(1..).any(|(gap, retry)| ms(*gap) < policy.delay(retry).unwrap().mul_f64(0.95)));
}
