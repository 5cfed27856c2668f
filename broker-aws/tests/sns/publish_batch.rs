//! Publishing in batches (N25, N32, N72).

use aws_sdk_sns::{
    operation::publish_batch::builders::PublishBatchFluentBuilder,
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};

use crate::support::{Aws, invalid, refusal, text_attribute, topic_arn};

fn entry(id: &str, message: &str) -> PublishBatchRequestEntry {
    PublishBatchRequestEntry::builder().id(id).message(message).build().unwrap()
}

fn batch(
    aws: &Aws,
    topic: &str,
    entries: impl IntoIterator<Item = PublishBatchRequestEntry>,
) -> PublishBatchFluentBuilder {
    let entries = entries.into_iter().collect();
    aws.sns.publish_batch().topic_arn(topic).set_publish_batch_request_entries(Some(entries))
}

// N25, N72
#[tokio::test(start_paused = true)]
async fn every_entry_has_its_own_answer_and_its_own_verdict() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let filter = [("FilterPolicy", r#"{"wanted": ["yes"]}"#), ("RawMessageDelivery", "true")];
    aws.subscribe(&topic, "q", &filter).await;
    let wanted = PublishBatchRequestEntry::builder().id("b").message("2");
    let wanted = wanted.message_attributes("wanted", text_attribute("String", "yes")).build().unwrap();
    let empty = entry("c", "");
    let sent = batch(&aws, &topic, [entry("a", "1"), wanted, empty]).send().await.unwrap();
    let ids: Vec<_> = sent.successful().iter().map(|one| one.id().unwrap()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_ne!(sent.successful()[0].message_id(), sent.successful()[1].message_id());
    let failed = &sent.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("c", "InvalidParameter", true));
    assert_eq!(failed.message(), Some("Invalid parameter: Empty message"));
    assert_eq!(aws.depth("q").await, 1);
    assert_eq!(aws.take("q").await.text(), Ok("2"));
}

// N25
#[tokio::test(start_paused = true)]
async fn a_batch_that_is_none_is_refused_whole() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[]).await;
    let none = batch(&aws, &topic, []).send().await;
    assert!(none.as_ref().unwrap_err().as_service_error().unwrap().is_empty_batch_request_exception());
    assert_eq!(refusal(none).0, "EmptyBatchRequest");

    let many = (0..11).map(|number| entry(&number.to_string(), "m"));
    let many = batch(&aws, &topic, many).send().await;
    let error = many.as_ref().unwrap_err().as_service_error().unwrap();
    assert!(error.is_too_many_entries_in_batch_request_exception());
    let told = "The batch request contains more entries than permissible.";
    assert_eq!(refusal(many), ("TooManyEntriesInBatchRequest".into(), told.into(), 400));

    let same = batch(&aws, &topic, [entry("a", "1"), entry("a", "2")]).send().await;
    let error = same.as_ref().unwrap_err().as_service_error().unwrap();
    assert!(error.is_batch_entry_ids_not_distinct_exception());
    let told = "Two or more batch entries in the request have the same Id.";
    assert_eq!(refusal(same), ("BatchEntryIdsNotDistinct".into(), told.into(), 400));

    let long = "a".repeat(140_000);
    let long = batch(&aws, &topic, [entry("a", &long), entry("b", &long)]).send().await;
    let error = long.as_ref().unwrap_err().as_service_error().unwrap();
    assert!(error.is_batch_request_too_long_exception());
    let told = "The length of all the messages put together is more than the limit.";
    assert_eq!(refusal(long), ("BatchRequestTooLong".into(), told.into(), 400));

    let missing = batch(&aws, &topic_arn("missing"), [entry("a", "m")]).send().await;
    assert_eq!(refusal(missing).0, "NotFound");
    assert_eq!(aws.depth("q").await, 0);
}

// N25
#[tokio::test(start_paused = true)]
async fn ids_of_entries_are_checked() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let refused = async |id: &str| {
        let refused = batch(&aws, &topic, [entry(id, "m")]).send().await;
        let error = refused.as_ref().unwrap_err().as_service_error().unwrap();
        assert!(error.is_invalid_batch_entry_id_exception());
        refusal(refused).1
    };
    let told = "The Id of a batch entry in the batch request";
    assert_eq!(refused("a b").await, format!("{told} contains an impermissible character: a b"));
    let long = "a".repeat(81);
    assert_eq!(refused(&long).await, format!("{told} is too long: {long}"));
    batch(&aws, &topic, [entry(&"a".repeat(80), "m")]).send().await.unwrap();
}

// N25, N32
#[tokio::test(start_paused = true)]
async fn a_bad_part_of_one_entry_fails_the_whole_call() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[]).await;
    let bad = || PublishBatchRequestEntry::builder().id("b").message("{}");
    let refused = batch(&aws, &topic, [entry("a", "m"), bad().message_structure("json").build().unwrap()]);
    let told = "Invalid parameter: Message Structure - No default entry in JSON message body";
    assert_eq!(invalid(refused.send().await), told);
    let empty = bad().message_attributes("k", text_attribute("String", "")).build().unwrap();
    let refused = batch(&aws, &topic, [entry("a", "m"), empty]).send().await;
    assert_eq!(refusal(refused).0, "ParameterValueInvalid");
    let untyped = MessageAttributeValue::builder().data_type("").string_value("x").build().unwrap();
    let untyped = bad().message_attributes("k", untyped).build().unwrap();
    let refused = batch(&aws, &topic, [entry("a", "m"), untyped]).send().await;
    assert_eq!(refusal(refused).0, "ParameterValueInvalid");
    assert_eq!(aws.depth("q").await, 0);
}

// N25, N80
#[tokio::test(start_paused = true)]
async fn entries_for_a_fifo_topic_need_a_group_and_an_id() {
    let aws = Aws::start().await;
    let create = aws.sns.create_topic().name("news.fifo").attributes("FifoTopic", "true");
    let topic = create.send().await.unwrap().topic_arn.unwrap();
    let told = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics";
    assert_eq!(invalid(batch(&aws, &topic, [entry("a", "m")]).send().await), told);
    let grouped = || PublishBatchRequestEntry::builder().id("a").message("m").message_group_id("g");
    let told = "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or \
                MessageDeduplicationId provided explicitly";
    assert_eq!(invalid(batch(&aws, &topic, [grouped().build().unwrap()]).send().await), told);
    let whole = grouped().message_deduplication_id("d").build().unwrap();
    let sent = batch(&aws, &topic, [whole]).send().await.unwrap();
    assert_eq!(sent.successful()[0].sequence_number().unwrap().len(), 20);
}
