//! Who must say yes before anything is delivered, and for how long that is possible (N11, N12).

use broker_core::{Endpoint, Error, SubscriptionCounters};

use crate::{
    support::{World, advance, ms, secs, settle_down},
    topic_support::{Log, counters, refused},
};

const DAY: u64 = 86_400;

/// N11.
async fn what_is_in_the_same_account_is_confirmed_at_once_and_the_rest_waits(world: World) {
    let (_broker, topic) = world.news().await;
    let confirmed = [
        Endpoint::queue("q"),
        Endpoint::handler("h"),
        Endpoint::push("lambda", "f"),
        Endpoint::push("firehose", "s"),
        Endpoint::push("application", "a"),
        Endpoint::push("sms", "+1"),
    ];
    for endpoint in confirmed {
        let subscribed = topic.subscribe(endpoint).await.unwrap();
        assert_eq!(subscribed.token, None);
        assert!(topic.subscription(subscribed.id).await.unwrap().confirmed);
    }
    for protocol in ["http", "https", "email", "email-json"] {
        let subscribed = topic.subscribe(Endpoint::push(protocol, "there")).await.unwrap();
        assert!(subscribed.token.is_some());
        assert!(!topic.subscription(subscribed.id).await.unwrap().confirmed);
    }
    let attributes = topic.attributes().await.unwrap();
    assert_eq!((attributes.subscriptions_confirmed, attributes.subscriptions_pending), (6, 4));
}

/// N11: not even what was published before it was confirmed.
async fn nothing_is_delivered_until_a_subscription_is_confirmed(world: World) {
    let (broker, topic) = world.news().await;
    let subscribed = topic.subscribe(Endpoint::push("http", "there")).await.unwrap();
    topic.publish("before").await.unwrap();
    assert_eq!(counters(&topic, subscribed.id).await, SubscriptionCounters::default());
    let (_broker, topic) = world.news_again(broker).await;
    let token = subscribed.token.unwrap();
    assert_eq!(topic.confirm_subscription(&token).await.unwrap(), subscribed.id);
    topic.publish("after").await.unwrap();
    let log = Log::new();
    let _attached = topic.attach(subscribed.id, log.taking()).await.unwrap();
    settle_down().await;
    assert_eq!(log.texts(), ["after"]);
    let attributes = topic.attributes().await.unwrap();
    assert_eq!((attributes.subscriptions_confirmed, attributes.subscriptions_pending), (1, 0));
}

/// N11: and a confirmation is for ever.
async fn a_subscription_stays_confirmed_and_can_be_confirmed_again(world: World) {
    let (broker, topic) = world.news().await;
    let subscribed = topic.subscribe(Endpoint::push("https", "there")).await.unwrap();
    let token = subscribed.token.unwrap();
    topic.confirm_subscription(&token).await.unwrap();
    let (_broker, topic) = world.news_again(broker).await;
    assert!(topic.subscription(subscribed.id).await.unwrap().confirmed);
    advance(secs(10 * DAY)).await;
    assert_eq!(topic.confirm_subscription(&token).await.unwrap(), subscribed.id);
    let again = topic.subscribe(Endpoint::push("https", "there")).await.unwrap();
    assert_eq!((again.id, again.token), (subscribed.id, None));
}

/// N11: two days, to the millisecond.
async fn a_token_is_taken_for_two_days(world: World) {
    let (broker, topic) = world.news().await;
    let first = topic.subscribe(Endpoint::push("http", "first")).await.unwrap();
    let second = topic.subscribe(Endpoint::push("http", "second")).await.unwrap();
    advance(secs(2 * DAY)).await;
    topic.confirm_subscription(first.token.as_ref().unwrap()).await.unwrap();
    advance(ms(1)).await;
    let (_broker, topic) = world.news_again(broker).await;
    let token = second.token.unwrap();
    let error = refused(topic.confirm_subscription(&token)).await;
    assert!(matches!(error, Error::InvalidParameter { field: "token", .. }), "{error:?}");
    assert!(!topic.subscription(second.id).await.unwrap().confirmed);
}

/// N11: who asks again gets another two days.
async fn subscribing_again_while_it_waits_gives_a_token_for_two_more_days(world: World) {
    let (_broker, topic) = world.news().await;
    let endpoint = || Endpoint::push("http", "there");
    let first = topic.subscribe(endpoint()).await.unwrap();
    advance(secs(DAY)).await;
    let again = topic.subscribe(endpoint()).await.unwrap();
    assert_eq!(again.id, first.id);
    advance(secs(2 * DAY)).await;
    assert_eq!(topic.confirm_subscription(&again.token.unwrap()).await.unwrap(), first.id);
}

/// N12.
async fn a_token_of_nobody_is_refused(world: World) {
    let (broker, topic) = world.news().await;
    let other = broker.topic("other").await.unwrap();
    let subscribed = topic.subscribe(Endpoint::push("http", "there")).await.unwrap();
    topic.subscribe(Endpoint::queue("q")).await.unwrap();
    let token = subscribed.token.unwrap();
    let forged = token.replace(|c: char| c.is_ascii_hexdigit(), "0");
    for wrong in ["", "x", &token[1..], &forged, &token.to_uppercase().replace(char::is_numeric, "A")] {
        let error = refused(topic.confirm_subscription(wrong)).await;
        let Error::InvalidParameter { field: "token", value, .. } = error else { panic!("{error:?}") };
        assert_eq!(value, *wrong);
    }
    let error = refused(other.confirm_subscription(&token)).await;
    assert!(matches!(error, Error::InvalidParameter { field: "token", .. }), "it is of another topic");
    assert!(!topic.subscription(subscribed.id).await.unwrap().confirmed);
    topic.unsubscribe(subscribed.id).await.unwrap();
    let error = refused(topic.confirm_subscription(&token)).await;
    assert!(matches!(error, Error::InvalidParameter { field: "token", .. }), "its subscription is gone");
}

everywhere! {
    what_is_in_the_same_account_is_confirmed_at_once_and_the_rest_waits,
    nothing_is_delivered_until_a_subscription_is_confirmed,
    a_subscription_stays_confirmed_and_can_be_confirmed_again,
    a_token_is_taken_for_two_days,
    subscribing_again_while_it_waits_gives_a_token_for_two_more_days,
    a_token_of_nobody_is_refused,
}
