//! Archives and replays, as attributes spell them (N84).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Aws, invalid, queue_arn};

async fn archived_topic(aws: &Aws) -> String {
    let create = aws.sns.create_topic().name("news.fifo").attributes("FifoTopic", "true");
    let create = create.attributes("ContentBasedDeduplication", "true");
    let create = create.attributes("ArchivePolicy", r#"{"MessageRetentionPeriod": "7"}"#);
    create.send().await.unwrap().topic_arn.unwrap()
}

async fn publish(aws: &Aws, topic: &str, text: &str) {
    aws.sns.publish().topic_arn(topic).message(text).message_group_id("g").send().await.unwrap();
}

async fn texts(aws: &Aws, queue: &str) -> Vec<(String, bool)> {
    let mut seen = Vec::new();
    for _ in 0..aws.depth(queue).await {
        let envelope = aws.take_envelope(queue).await;
        let replayed = envelope.get("Replayed").is_some_and(|replayed| replayed == true);
        seen.push((envelope["Message"].as_str().unwrap().to_owned(), replayed));
    }
    seen
}

// N84
#[tokio::test(start_paused = true)]
async fn a_new_subscription_can_have_what_was_published_before() {
    let aws = Aws::start().await;
    let topic = archived_topic(&aws).await;
    publish(&aws, &topic, "1").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let start = aws.broker.now();
    publish(&aws, &topic, "2").await;
    let policy = json!({ "PointType": "Timestamp", "StartingPoint": start.to_string() });
    let arn = aws.subscribe(&topic, "q.fifo", &[("ReplayPolicy", &policy.to_string())]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    publish(&aws, &topic, "3").await;
    let shown: Value = serde_json::from_str(&aws.attribute(&arn, "ReplayPolicy").await.unwrap()).unwrap();
    assert_eq!(shown, policy);
    assert_eq!(aws.attribute(&arn, "ReplayStatus").await.as_deref(), Some("Completed"));
    assert_eq!(texts(&aws, "q.fifo").await, [("2".to_owned(), true), ("3".to_owned(), false)]);
}

// N84
#[tokio::test(start_paused = true)]
async fn a_replay_is_started_again_and_given_up_by_its_attribute() {
    let aws = Aws::start().await;
    let topic = archived_topic(&aws).await;
    let arn = aws.subscribe(&topic, "q.fifo", &[]).await;
    assert_eq!(aws.attribute(&arn, "ReplayStatus").await, None);
    publish(&aws, &topic, "1").await;
    let set = |policy: &str| {
        let set = aws.sns.set_subscription_attributes().subscription_arn(&arn).attribute_name("ReplayPolicy");
        set.attribute_value(policy).send()
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let until = aws.broker.now();
    let policy = json!({
        "PointType": "Timestamp",
        "StartingPoint": "2020-01-01T00:00:00.000Z",
        "EndingPoint": until.to_string(),
    });
    set(&policy.to_string()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(texts(&aws, "q.fifo").await, [("1".to_owned(), false), ("1".to_owned(), true)]);
    let shown: Value = serde_json::from_str(&aws.attribute(&arn, "ReplayPolicy").await.unwrap()).unwrap();
    assert_eq!(shown, policy);
    set("").await.unwrap();
    assert_eq!(aws.attribute(&arn, "ReplayPolicy").await, None);
}

// N84
#[tokio::test(start_paused = true)]
async fn a_replay_that_cannot_be_is_refused() {
    let aws = Aws::start().await;
    let topic = archived_topic(&aws).await;
    let arn = aws.subscribe(&topic, "q.fifo", &[]).await;
    let set = async |policy: Value| {
        let set = aws.sns.set_subscription_attributes().subscription_arn(&arn).attribute_name("ReplayPolicy");
        invalid(set.attribute_value(policy.to_string()).send().await)
    };
    let time = "2020-01-01T00:00:00.000Z";
    for bad in [
        json!({ "PointType": "Sequence", "StartingPoint": time }),
        json!({ "PointType": "Timestamp", "StartingPoint": "yesterday" }),
        json!({ "PointType": "Timestamp", "StartingPoint": "1969-01-01T00:00:00.000Z" }),
        json!({ "PointType": "Timestamp" }),
        json!({ "PointType": "Timestamp", "StartingPoint": time, "EndingPoint": time }),
        json!({ "PointType": "Timestamp", "StartingPoint": time, "EndingPoint": "2999-01-01T00:00:00.000Z" }),
        json!([]),
    ] {
        let told = set(bad.clone()).await;
        assert!(told.starts_with("Invalid parameter: ReplayPolicy: "), "{bad}: {told}");
    }
    let plain = aws.fifo_topic("plain.fifo").await;
    let policy = json!({ "PointType": "Timestamp", "StartingPoint": time }).to_string();
    let subscribe = aws.sns.subscribe().topic_arn(&plain).protocol("sqs").endpoint(queue_arn("q.fifo"));
    let told = invalid(subscribe.attributes("ReplayPolicy", policy).send().await);
    assert_eq!(told, "Invalid parameter: Attributes Reason: ReplayPolicy: the topic keeps no archive");
}
