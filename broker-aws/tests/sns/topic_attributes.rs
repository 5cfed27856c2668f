//! The attributes of topics (N5, N50, N52, N84).

use std::collections::HashMap;

use aws_sdk_sns::{
    error::SdkError,
    operation::set_topic_attributes::{SetTopicAttributesError, SetTopicAttributesOutput},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use broker_core::Broker;
use serde_json::{Value, json};

use crate::support::{Aws, Endpoint, invalid, refusal, topic_arn};

async fn attributes(aws: &Aws, topic: &str) -> HashMap<String, String> {
    aws.sns.get_topic_attributes().topic_arn(topic).send().await.unwrap().attributes.unwrap()
}

async fn set(
    aws: &Aws,
    topic: &str,
    name: &str,
    value: &str,
) -> Result<SetTopicAttributesOutput, SdkError<SetTopicAttributesError, HttpResponse>> {
    let set = aws.sns.set_topic_attributes().topic_arn(topic).attribute_name(name);
    set.attribute_value(value).send().await
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What holds for HTTP endpoints by default.
fn default_delivery() -> Value {
    json!({
        "http": {
            "defaultHealthyRetryPolicy": {
                "minDelayTarget": 20,
                "maxDelayTarget": 20,
                "numRetries": 3,
                "numMaxDelayRetries": 0,
                "numNoDelayRetries": 0,
                "numMinDelayRetries": 0,
                "backoffFunction": "linear",
            },
            "disableSubscriptionOverrides": false,
            "defaultRequestPolicy": { "headerContentType": "text/plain; charset=UTF-8" },
        },
    })
}

// N5, N52
#[tokio::test(start_paused = true)]
async fn a_fresh_topic_says_what_one_of_sns_says() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let mut shown = attributes(&aws, &topic).await;
    assert_eq!(json_of(&shown.remove("EffectiveDeliveryPolicy").unwrap()), default_delivery());
    let policy = json_of(&shown.remove("Policy").unwrap());
    assert_eq!(policy["Id"], "__default_policy_ID");
    assert_eq!(policy["Statement"][0]["Resource"], topic);
    let expected = [
        ("TopicArn", topic.as_str()),
        ("Owner", "000000000000"),
        ("DisplayName", ""),
        ("SubscriptionsConfirmed", "0"),
        ("SubscriptionsPending", "0"),
        ("SubscriptionsDeleted", "0"),
        ("MaximumMessageSize", "262144"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(shown, HashMap::from(expected));
}

// N5, N84
#[tokio::test(start_paused = true)]
async fn a_fifo_topic_says_more() {
    let aws = Aws::start().await;
    let create = aws.sns.create_topic().name("news.fifo").attributes("FifoTopic", "true");
    let topic = create
        .attributes("FifoThroughputScope", "MessageGroup")
        .attributes("ArchivePolicy", r#"{"MessageRetentionPeriod": 7}"#)
        .send()
        .await
        .unwrap()
        .topic_arn
        .unwrap();
    let shown = attributes(&aws, &topic).await;
    assert_eq!(shown["FifoTopic"], "true");
    assert_eq!(shown["ContentBasedDeduplication"], "false");
    assert_eq!(shown["FifoThroughputScope"], "MessageGroup");
    assert_eq!(json_of(&shown["ArchivePolicy"]), json!({ "MessageRetentionPeriod": "7" }));
    assert_eq!(invalid(set(&aws, &topic, "FifoTopic", "false").await), "Invalid parameter: AttributeName");
    set(&aws, &topic, "ContentBasedDeduplication", "true").await.unwrap();
    assert_eq!(attributes(&aws, &topic).await["ContentBasedDeduplication"], "true");
    let days = r#"{"MessageRetentionPeriod": "366"}"#;
    assert!(invalid(set(&aws, &topic, "ArchivePolicy", days).await).contains("ArchivePolicy"));
}

// N5
#[tokio::test(start_paused = true)]
async fn attributes_that_mean_nothing_here_are_kept() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    for (name, value) in [
        ("DisplayName", "News"),
        ("KmsMasterKeyId", "alias/aws/sns"),
        ("TracingConfig", "Active"),
        ("SignatureVersion", "2"),
        ("HTTPSuccessFeedbackRoleArn", "arn:aws:iam::000000000000:role/r"),
        ("SQSFailureFeedbackRoleArn", "arn:aws:iam::000000000000:role/r"),
        ("LambdaSuccessFeedbackSampleRate", "50"),
        ("MaximumMessageSize", "1024"),
        ("Policy", r#"{"Statement":[]}"#),
    ] {
        set(&aws, &topic, name, value).await.unwrap();
        assert_eq!(attributes(&aws, &topic).await[name], value);
    }
    // An empty value is that of the beginning.
    set(&aws, &topic, "TracingConfig", "").await.unwrap();
    assert_eq!(attributes(&aws, &topic).await.get("TracingConfig"), None);
}

// N5, N16
#[tokio::test(start_paused = true)]
async fn what_the_broker_has_no_use_for_survives_a_restart() {
    let store = broker_mem::MemStorage::new();
    let broker = Broker::open(store.clone()).await.unwrap();
    let aws = Aws::reaching(broker.clone(), &Endpoint::new());
    let topic = aws.topic("news").await;
    set(&aws, &topic, "SignatureVersion", "2").await.unwrap();
    let role = ("SubscriptionRoleArn", "arn:aws:iam::000000000000:role/r");
    let arn = aws.subscribe(&topic, "q", &[role]).await;
    drop(aws);
    broker.close().await.unwrap();
    let aws = Aws::reaching(Broker::open(store).await.unwrap(), &Endpoint::new());
    assert_eq!(attributes(&aws, &topic).await["SignatureVersion"], "2");
    assert_eq!(aws.attribute(&arn, role.0).await.as_deref(), Some(role.1));
    aws.publish(&topic, "m").await;
    assert_eq!(aws.take_envelope("q").await["SignatureVersion"], "2");
}

// N5
#[tokio::test(start_paused = true)]
async fn attributes_that_are_none_are_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    assert_eq!(invalid(set(&aws, &topic, "Fake", "x").await), "Invalid parameter: AttributeName");
    for (name, value) in [
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("MaximumMessageSize", "much"),
        ("SignatureVersion", "3"),
        ("TracingConfig", "On"),
        ("HTTPSuccessFeedbackSampleRate", "101"),
        ("ContentBasedDeduplication", "true"),
        ("FifoThroughputScope", "Topic"),
        ("ArchivePolicy", r#"{"MessageRetentionPeriod": 7}"#),
        ("Policy", "x"),
        ("DeliveryPolicy", "{}"),
    ] {
        let told = invalid(set(&aws, &topic, name, value).await);
        assert!(told.starts_with(&format!("Invalid parameter: {name}: ")), "{told}");
        let created = aws.sns.create_topic().name("other").attributes(name, value).send().await;
        let told = invalid(created);
        assert!(told.starts_with(&format!("Invalid parameter: Attributes Reason: {name}: ")), "{told}");
    }
    let unknown = aws.sns.create_topic().name("other").attributes("Fake", "x").send().await;
    assert_eq!(invalid(unknown), "Invalid parameter: Attributes Reason: Unknown attribute Fake");
    assert_eq!(aws.broker.list_topics(), ["news"]);
    let missing = set(&aws, &topic_arn("missing"), "DisplayName", "x").await;
    assert_eq!(refusal(missing).0, "NotFound");
}

// N50, N52
#[tokio::test(start_paused = true)]
async fn a_delivery_policy_is_shown_with_what_it_leaves_out() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let given = json!({
        "http": {
            "defaultHealthyRetryPolicy": { "minDelayTarget": 1, "numRetries": 5, "backoffFunction": "exponential" },
            "disableSubscriptionOverrides": true,
            "defaultThrottlePolicy": { "maxReceivesPerSecond": 10 },
            "defaultRequestPolicy": { "headerContentType": "application/json" },
        },
    });
    set(&aws, &topic, "DeliveryPolicy", &given.to_string()).await.unwrap();
    let mut expected = default_delivery();
    let retry = &mut expected["http"]["defaultHealthyRetryPolicy"];
    retry["minDelayTarget"] = 1.into();
    retry["numRetries"] = 5.into();
    retry["backoffFunction"] = "exponential".into();
    expected["http"]["disableSubscriptionOverrides"] = true.into();
    expected["http"]["defaultThrottlePolicy"] = json!({ "maxReceivesPerSecond": 10 });
    expected["http"]["defaultRequestPolicy"]["headerContentType"] = "application/json".into();
    let shown = attributes(&aws, &topic).await;
    assert_eq!(json_of(&shown["DeliveryPolicy"]), expected);
    assert_eq!(json_of(&shown["EffectiveDeliveryPolicy"]), expected);
    set(&aws, &topic, "DeliveryPolicy", "").await.unwrap();
    let shown = attributes(&aws, &topic).await;
    assert_eq!(shown.get("DeliveryPolicy"), None);
    assert_eq!(json_of(&shown["EffectiveDeliveryPolicy"]), default_delivery());
}

// N50
#[tokio::test(start_paused = true)]
async fn a_delivery_policy_beyond_the_limits_is_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    for retry in [
        json!({ "numRetries": 101 }),
        json!({ "minDelayTarget": 0 }),
        json!({ "minDelayTarget": 30 }),
        json!({ "maxDelayTarget": 3601 }),
        json!({ "numRetries": 1, "numNoDelayRetries": 2 }),
        json!({ "numRetries": 100, "minDelayTarget": 3600, "maxDelayTarget": 3600 }),
        json!({ "backoffFunction": "cubic" }),
        json!({ "numRetries": -1 }),
        json!({ "retries": 1 }),
    ] {
        let policy = json!({ "http": { "defaultHealthyRetryPolicy": retry } }).to_string();
        let told = invalid(set(&aws, &topic, "DeliveryPolicy", &policy).await);
        assert!(told.starts_with("Invalid parameter: DeliveryPolicy: "), "{policy}: {told}");
    }
    let header = r#"{"http": {"defaultRequestPolicy": {"headerContentType": "a\nb"}}}"#;
    let told = invalid(set(&aws, &topic, "DeliveryPolicy", header).await);
    assert!(told.contains("headerContentType"), "{told}");
}
