//! The attributes of subscriptions (N16, N17, N50, N52, N55, N64, N65).

use aws_sdk_sns::{
    error::SdkError,
    operation::set_subscription_attributes::{
        SetSubscriptionAttributesError, SetSubscriptionAttributesOutput,
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::{Value, json};

use crate::support::{Aws, Endpoint, invalid, queue_arn, refusal, topic_arn};

async fn set(
    aws: &Aws,
    arn: &str,
    name: &str,
    value: &str,
) -> Result<SetSubscriptionAttributesOutput, SdkError<SetSubscriptionAttributesError, HttpResponse>> {
    let set = aws.sns.set_subscription_attributes().subscription_arn(arn).attribute_name(name);
    set.attribute_value(value).send().await
}

/// What a subscribe with this attribute is told, and what a change to it is.
async fn refused_both_ways(aws: &Aws, arn: &str, name: &str, value: &str) -> String {
    let topic = arn.rsplit_once(':').unwrap().0;
    let endpoint = queue_arn(if topic.strip_suffix(".fifo").is_some() { "other.fifo" } else { "other" });
    let subscribe = aws.sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(endpoint);
    let created = invalid(subscribe.attributes(name, value).send().await);
    let changed = invalid(set(aws, arn, name, value).await);
    let what = changed.strip_prefix("Invalid parameter: ").unwrap();
    assert_eq!(created, format!("Invalid parameter: Attributes Reason: {what}"));
    what.to_owned()
}

// N16
#[tokio::test(start_paused = true)]
async fn a_fresh_subscription_says_what_one_of_sns_says() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let arn = aws.subscribe(&topic, "q", &[]).await;
    let got = aws.sns.get_subscription_attributes().subscription_arn(&arn).send().await.unwrap();
    let endpoint = queue_arn("q");
    let expected = [
        ("SubscriptionArn", arn.as_str()),
        ("TopicArn", topic.as_str()),
        ("Endpoint", endpoint.as_str()),
        ("Protocol", "sqs"),
        ("Owner", "000000000000"),
        ("SubscriptionPrincipal", "arn:aws:iam::000000000000:root"),
        ("PendingConfirmation", "false"),
        ("ConfirmationWasAuthenticated", "true"),
        ("RawMessageDelivery", "false"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(got.attributes().unwrap(), &std::collections::HashMap::from(expected));
}

// N16
#[tokio::test(start_paused = true)]
async fn attributes_are_changed_and_shown() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let arn = aws.subscribe(&topic, "q", &[("FilterPolicyScope", "MessageBody")]).await;
    assert_eq!(aws.attribute(&arn, "FilterPolicyScope").await, None, "not without a policy");
    let policy = r#"{"a": {"b": ["c"]}}"#;
    let redrive = json!({ "deadLetterTargetArn": queue_arn("dead") }).to_string();
    for (name, value) in [
        ("RawMessageDelivery", "true"),
        ("FilterPolicy", policy),
        ("FilterPolicyScope", "MessageBody"),
        ("RedrivePolicy", redrive.as_str()),
        ("SubscriptionRoleArn", "arn:aws:iam::000000000000:role/r"),
    ] {
        set(&aws, &arn, name, value).await.unwrap();
        assert_eq!(aws.attribute(&arn, name).await.as_deref(), Some(value));
    }
    for name in ["FilterPolicy", "RedrivePolicy", "SubscriptionRoleArn"] {
        set(&aws, &arn, name, "").await.unwrap();
        assert_eq!(aws.attribute(&arn, name).await, None, "{name}");
    }
}

// N16
#[tokio::test(start_paused = true)]
async fn attributes_that_are_none_are_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let arn = aws.subscribe(&topic, "q", &[]).await;
    assert_eq!(refused_both_ways(&aws, &arn, "Fake", "x").await, "AttributeName");
    assert_eq!(refused_both_ways(&aws, &arn, "ReplayStatus", "Completed").await, "AttributeName");
    let told = "RawMessageDelivery: Invalid value [maybe]. Must be true or false.";
    assert_eq!(refused_both_ways(&aws, &arn, "RawMessageDelivery", "maybe").await, told);
    let told = "FilterPolicyScope: Invalid value [x]. Please use either MessageBody or MessageAttributes";
    assert_eq!(refused_both_ways(&aws, &arn, "FilterPolicyScope", "x").await, told);
    let told = "Invalid parameter: RawMessageDelivery: Invalid value []. Must be true or false.";
    assert_eq!(invalid(set(&aws, &arn, "RawMessageDelivery", "").await), told);
    let missing = topic_arn("news:00000000-0000-4000-8000-000000000000");
    let missing = set(&aws, &missing, "Fake", "x").await;
    assert_eq!(refusal(missing), ("NotFound".into(), "Subscription does not exist".into(), 404));
}

// N17, N64, N65: the words of SNS, and where the fault is.
#[tokio::test(start_paused = true)]
async fn a_refused_filter_policy_names_the_place_of_the_fault() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let arn = aws.subscribe(&topic, "q", &[]).await;
    for (policy, told) in [
        (
            r#"{"a": {"b": ["c"]}}"#,
            "Filter policy scope MessageAttributes does not support nested filter policy",
        ),
        (r#"{"a": []}"#, "Empty arrays are not allowed"),
        (r#"{"a": "b"}"#, "\"a\" must be an object or an array"),
        (r#"{"a": [{"wildcard": "x*"}]}"#, "Unrecognized match type wildcard"),
        (r#"{"a": [{"numeric": [">", 3, "<", 1]}]}"#, "Bottom must be less than top"),
    ] {
        let what = refused_both_ways(&aws, &arn, "FilterPolicy", policy).await;
        let expected = format!("FilterPolicy: {told}\n at line 1, column ");
        assert!(what.starts_with(&expected), "{what}");
    }
    let what = refused_both_ways(&aws, &arn, "FilterPolicy", "{i").await;
    assert!(what.starts_with("FilterPolicy: failed to parse JSON. "), "{what}");
    assert_eq!(aws.attribute(&arn, "FilterPolicy").await, None);
    // N17: with its scope it is taken.
    set(&aws, &arn, "FilterPolicyScope", "MessageBody").await.unwrap();
    set(&aws, &arn, "FilterPolicy", r#"{"a": {"b": ["c"]}}"#).await.unwrap();
}

// N62
#[tokio::test(start_paused = true)]
async fn a_topic_has_200_filter_policies_at_most() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let subscribe = |number: usize| {
        let subscribe = aws.sns.subscribe().topic_arn(&topic).protocol("sqs");
        subscribe
            .endpoint(queue_arn(&format!("q{number}")))
            .attributes("FilterPolicy", r#"{"a": ["b"]}"#)
            .send()
    };
    for number in 0..200 {
        subscribe(number).await.unwrap();
    }
    let refused = subscribe(200).await;
    let error = refused.as_ref().unwrap_err().as_service_error().unwrap();
    assert!(error.is_filter_policy_limit_exceeded_exception());
    let (code, _, status) = refusal(refused);
    assert_eq!((code.as_str(), status), ("FilterPolicyLimitExceeded", 403));
}

// N55
#[tokio::test(start_paused = true)]
async fn a_dead_letter_queue_is_named_by_its_arn_and_fits() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let arn = aws.subscribe(&topic, "q", &[]).await;
    for bad in [
        r#"{"deadLetterTargetArn": "dead"}"#,
        r#"{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead"}"#,
        r#"{"deadLetterTargetArn": "arn:aws:sns:us-east-1:000000000000:dead"}"#,
        r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:a b"}"#,
        "{}",
    ] {
        let told = "RedrivePolicy: deadLetterTargetArn is an invalid arn";
        assert_eq!(refused_both_ways(&aws, &arn, "RedrivePolicy", bad).await, told);
    }
    let what = refused_both_ways(&aws, &arn, "RedrivePolicy", "{x").await;
    assert!(what.starts_with("RedrivePolicy: failed to parse JSON."), "{what}");
    let topic = aws.fifo_topic("news.fifo").await;
    let arn = aws.subscribe(&topic, "q.fifo", &[]).await;
    let redrive = json!({ "deadLetterTargetArn": queue_arn("dead") }).to_string();
    let told = "RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.";
    assert_eq!(refused_both_ways(&aws, &arn, "RedrivePolicy", &redrive).await, told);
}

// N50, N52
#[tokio::test(start_paused = true)]
async fn a_delivery_policy_of_a_subscription_overrides_that_of_the_topic() {
    let aws = Aws::with_endpoint(&Endpoint::new()).await;
    let topic = aws.topic("news").await;
    let subscribe = aws.sns.subscribe().topic_arn(&topic).protocol("http").endpoint("http://localhost/");
    let arn = subscribe.return_subscription_arn(true).send().await.unwrap().subscription_arn.unwrap();
    let effective = async || -> Value {
        serde_json::from_str(&aws.attribute(&arn, "EffectiveDeliveryPolicy").await.unwrap()).unwrap()
    };
    assert_eq!(effective().await["healthyRetryPolicy"]["numRetries"], 3);
    let of_topic = r#"{"http": {"defaultHealthyRetryPolicy": {"numRetries": 7}}}"#;
    let set_topic = async |policy: &str| {
        let set = aws.sns.set_topic_attributes().topic_arn(&topic).attribute_name("DeliveryPolicy");
        set.attribute_value(policy).send().await.unwrap();
    };
    set_topic(of_topic).await;
    assert_eq!(effective().await["healthyRetryPolicy"]["numRetries"], 7);
    let own = json!({
        "healthyRetryPolicy": { "numRetries": 5, "numNoDelayRetries": 2 },
        "throttlePolicy": { "maxReceivesPerSecond": 3 },
        "requestPolicy": { "headerContentType": "application/json" },
    });
    set(&aws, &arn, "DeliveryPolicy", &own.to_string()).await.unwrap();
    let shown = effective().await;
    assert_eq!(shown["healthyRetryPolicy"]["numRetries"], 5);
    assert_eq!(shown["healthyRetryPolicy"]["minDelayTarget"], 20);
    assert_eq!(shown["throttlePolicy"], own["throttlePolicy"]);
    assert_eq!(shown["requestPolicy"], own["requestPolicy"]);
    set_topic(
        r#"{"http": {"defaultHealthyRetryPolicy": {"numRetries": 7}, "disableSubscriptionOverrides": true}}"#,
    )
    .await;
    assert_eq!(effective().await["healthyRetryPolicy"]["numRetries"], 7);
    let bad = set(&aws, &arn, "DeliveryPolicy", r#"{"healthyRetryPolicy": {"numRetries": 101}}"#).await;
    assert!(invalid(bad).starts_with("Invalid parameter: DeliveryPolicy: "));
}
