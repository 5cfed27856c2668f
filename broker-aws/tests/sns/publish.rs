//! Publishing (N20 to N24).

use crate::support::{Aws, invalid, refusal, text_attribute, topic_arn};

// N20, N23
#[tokio::test(start_paused = true)]
async fn a_message_goes_to_a_topic_by_either_name_and_has_an_id() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[("RawMessageDelivery", "true")]).await;
    let by_topic = aws.sns.publish().topic_arn(&topic).message("a").send().await.unwrap();
    let by_target = aws.sns.publish().target_arn(&topic).message("b").send().await.unwrap();
    assert_eq!((by_topic.message_id().unwrap().len(), by_topic.sequence_number()), (36, None));
    assert_ne!(by_topic.message_id(), by_target.message_id());
    assert_eq!(aws.depth("q").await, 2, "visible when the publish returns");
    assert_eq!(aws.take("q").await.text(), Ok("a"));
}

// N20
#[tokio::test(start_paused = true)]
async fn a_message_needs_one_topic_that_exists() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let missing = aws.sns.publish().topic_arn(topic_arn("missing")).message("m").send().await;
    assert!(missing.as_ref().unwrap_err().as_service_error().unwrap().is_not_found_exception());
    assert_eq!(refusal(missing), ("NotFound".into(), "Topic does not exist".into(), 404));
    let nowhere = aws.sns.publish().message("m").send().await;
    let told = "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter";
    assert_eq!(invalid(nowhere), told);
    let twice = aws.sns.publish().topic_arn(&topic).target_arn(&topic).message("m").send().await;
    assert!(invalid(twice).starts_with("Invalid parameter: TopicArn or TargetArn Reason:"));
    let told = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1";
    assert_eq!(invalid(aws.sns.publish().topic_arn("news").message("m").send().await), told);
}

/// Nothing here reaches phones: that is told as of those that SNS does not know.
#[tokio::test(start_paused = true)]
async fn there_are_no_phones_and_no_apps() {
    let aws = Aws::start().await;
    let phone = aws.sns.publish().phone_number("+4915112345678").message("m").send().await;
    let told = "Invalid parameter: PhoneNumber Reason: +4915112345678 is not valid to publish to";
    assert_eq!(invalid(phone), told);
    let app = "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/app/id";
    let app = aws.sns.publish().target_arn(app).message("m").send().await;
    let told = "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified";
    assert_eq!(invalid(app), told);
    let (code, message, status) = refusal(aws.sns.get_sms_attributes().send().await);
    assert_eq!((code.as_str(), status), ("InvalidAction", 400));
    assert!(message.contains("no telephones"), "{message}");
}

// N20
#[tokio::test(start_paused = true)]
async fn a_message_is_not_empty_and_as_large_as_the_topic_takes() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let publish = |message: &str| aws.sns.publish().topic_arn(&topic).message(message);
    assert_eq!(invalid(publish("").send().await), "Invalid parameter: Empty message");
    let most = "a".repeat(262_144);
    publish(&most).send().await.unwrap();
    let told = "Invalid parameter: Message too long";
    assert_eq!(invalid(publish(&format!("{most}a")).send().await), told);
    let attribute = publish(&most).message_attributes("a", text_attribute("String", "b"));
    assert_eq!(invalid(attribute.send().await), told);
}

// N21
#[tokio::test(start_paused = true)]
async fn a_subject_has_up_to_99_characters_in_a_line() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let publish = |subject: &str| aws.sns.publish().topic_arn(&topic).message("m").subject(subject).send();
    publish(&"s".repeat(99)).await.unwrap();
    for bad in ["", &"s".repeat(100), "two\nlines"] {
        assert_eq!(invalid(publish(bad).await), "Invalid parameter: Subject");
    }
}

// N22
#[tokio::test(start_paused = true)]
async fn each_protocol_gets_its_own_text() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[("RawMessageDelivery", "true")]).await;
    let publish =
        |text: &str| aws.sns.publish().topic_arn(&topic).message_structure("json").message(text).send();
    publish(r#"{"default": "all", "sqs": "queues", "http": 5}"#).await.unwrap();
    publish(r#"{"default": "all", "sqs": 5, "email": "mail"}"#).await.unwrap();
    assert_eq!(aws.take("q").await.text(), Ok("queues"));
    assert_eq!(aws.take("q").await.text(), Ok("all"));
    let told = "Invalid parameter: Message Structure - No default entry in JSON message body";
    for bad in [r#"{"sqs": "x"}"#, r#"{"default": 1}"#] {
        assert_eq!(invalid(publish(bad).await), told);
    }
    let told = "Invalid parameter: Message Structure - JSON message body failed to parse";
    for bad in ["x", "[]", r#"{"default": "a", "default": "b"}"#] {
        assert_eq!(invalid(publish(bad).await), told);
    }
    let other = aws.sns.publish().topic_arn(&topic).message_structure("xml").message("m").send().await;
    assert!(invalid(other).starts_with("Invalid parameter: MessageStructure"));
}

// N24
#[tokio::test(start_paused = true)]
async fn on_a_standard_topic_a_group_is_a_tenant_and_an_id_is_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[]).await;
    let publish = || aws.sns.publish().topic_arn(&topic).message("m").message_group_id("tenant");
    publish().send().await.unwrap();
    assert_eq!(aws.take("q").await.group_id.as_deref(), Some("tenant"));
    let told = "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId \
                parameter that is not valid for this topic type";
    assert_eq!(invalid(publish().message_deduplication_id("id").send().await), told);
}
