//! The retries of HTTP endpoints, by the policies of subscriptions and topics (N50 to N54).

use serde_json::json;

use crate::{
    http_endpoints::confirmed,
    support::{Act, Aws, Endpoint, queue_arn},
};

/// When the attempts at the next message came, in seconds after the first, while the endpoint does this.
async fn attempts(aws: &Aws, endpoint: &Endpoint, topic: &str, act: Act) -> Vec<u64> {
    let before = endpoint.notifications().len();
    endpoint.next([act; 200]);
    aws.publish(topic, "m").await;
    endpoint.after(4_000).await;
    let got = endpoint.notifications().split_off(before);
    let first = got[0].after;
    assert!(
        got.iter().all(|one| one.header("x-amz-sns-message-id") == got[0].header("x-amz-sns-message-id"))
    );
    got.iter().map(|one| one.after.saturating_sub(first).as_secs()).collect()
}

// N50, N53
#[tokio::test(start_paused = true)]
async fn by_default_there_are_three_retries_20_seconds_apart() {
    for (act, expected) in [
        (Act::Answer(500), vec![0, 20, 40, 60]),
        (Act::Answer(429), vec![0, 20, 40, 60]),
        (Act::Refuse, vec![0, 20, 40, 60]),
        (Act::Hang, vec![0, 35, 70, 105]),
        // N54
        (Act::Answer(400), vec![0]),
        (Act::Answer(301), vec![0]),
        (Act::Answer(200), vec![0]),
    ] {
        let endpoint = Endpoint::new();
        let aws = Aws::with_endpoint(&endpoint).await;
        let topic = aws.topic("news").await;
        confirmed(&aws, &endpoint, &topic, "http://localhost/", &[]).await;
        assert_eq!(attempts(&aws, &endpoint, &topic, act).await, expected, "{act:?}");
    }
}

// N50, N51
#[tokio::test(start_paused = true)]
async fn the_phases_of_a_policy_come_in_their_order() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    aws.queue("dead").await;
    let redrive = json!({ "deadLetterTargetArn": queue_arn("dead") }).to_string();
    let policy = json!({ "healthyRetryPolicy": {
        "minDelayTarget": 1,
        "maxDelayTarget": 60,
        "numRetries": 10,
        "numNoDelayRetries": 3,
        "numMinDelayRetries": 2,
        "numMaxDelayRetries": 2,
        "backoffFunction": "linear",
    }});
    let attributes = [("DeliveryPolicy", policy.to_string()), ("RedrivePolicy", redrive)];
    let attributes: Vec<_> = attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
    confirmed(&aws, &endpoint, &topic, "http://localhost/", &attributes).await;
    let times = attempts(&aws, &endpoint, &topic, Act::Answer(503)).await;
    let delays: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(delays[..5], [0, 0, 0, 1, 1]);
    // 1, 30.5 and 60 seconds, seen in whole ones.
    assert!(delays[5] == 1 && (30..=31).contains(&delays[6]) && (60..=61).contains(&delays[7]), "{delays:?}");
    assert_eq!(delays[8..], [60, 60]);
    assert_eq!(aws.depth("dead").await, 1);
}

// N52
#[tokio::test(start_paused = true)]
async fn the_policy_of_the_topic_holds_for_who_has_none_or_may_have_none() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    let set = async |policy: serde_json::Value| {
        let set = aws.sns.set_topic_attributes().topic_arn(&topic).attribute_name("DeliveryPolicy");
        set.attribute_value(policy.to_string()).send().await.unwrap();
    };
    let own = r#"{"healthyRetryPolicy": {"numRetries": 1}}"#;
    confirmed(&aws, &endpoint, &topic, "http://localhost/", &[("DeliveryPolicy", own)]).await;
    set(json!({ "http": { "defaultHealthyRetryPolicy": { "numRetries": 2 } } })).await;
    assert_eq!(attempts(&aws, &endpoint, &topic, Act::Refuse).await.len(), 2);
    let http =
        json!({ "defaultHealthyRetryPolicy": { "numRetries": 2 }, "disableSubscriptionOverrides": true });
    set(json!({ "http": http })).await;
    let before = endpoint.notifications().len();
    aws.publish(&topic, "m").await;
    endpoint.after(4_000).await;
    assert_eq!(endpoint.notifications().len() - before, 3);
}

// N50
#[tokio::test(start_paused = true)]
async fn no_more_is_delivered_in_a_second_than_the_policy_says() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    let policy = r#"{"throttlePolicy": {"maxReceivesPerSecond": 2}}"#;
    confirmed(&aws, &endpoint, &topic, "http://localhost/", &[("DeliveryPolicy", policy)]).await;
    for _ in 0..6 {
        aws.publish(&topic, "m").await;
    }
    endpoint.after(10).await;
    let times: Vec<_> = endpoint.notifications().iter().map(|got| got.after.as_millis()).collect();
    assert_eq!(times.len(), 6);
    assert!(times[5] - times[0] >= 2_000, "{times:?}");
}
