//! Attributes as strings: rules Q1 to Q4, section A2, rule F1.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::QueueAttributeName as Name;

use crate::support::{Refusal, World, advance, refusal, secs, world, world_and_queue};

async fn set(world: &World, url: &str, name: Name, value: &str) -> Result<(), Refusal> {
    let set = world.sqs.set_queue_attributes().queue_url(url).attributes(name, value);
    match set.send().await {
        Ok(_) => Ok(()),
        refused => Err(refusal(refused)),
    }
}

const OF_A_FRESH_QUEUE: [&str; 12] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "DelaySeconds",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

// Q2
#[tokio::test(start_paused = true)]
async fn a_fresh_queue_says_what_one_of_sqs_says() {
    let (world, url) = world_and_queue("orders").await;
    let attributes = world.attributes(&url).await;
    let names: BTreeSet<&str> = attributes.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(OF_A_FRESH_QUEUE));
    for (name, value) in [
        ("DelaySeconds", "0"),
        ("MaximumMessageSize", "1048576"),
        ("MessageRetentionPeriod", "345600"),
        ("QueueArn", "arn:aws:sqs:us-east-1:000000000000:orders"),
        ("ReceiveMessageWaitTimeSeconds", "0"),
        ("SqsManagedSseEnabled", "true"),
        ("VisibilityTimeout", "30"),
    ] {
        assert_eq!(attributes[name], value, "{name}");
    }
    let seconds: u64 = attributes["CreatedTimestamp"].parse().unwrap();
    assert_eq!(seconds, world.aws.broker().now().as_millis() / 1_000);
}

// F1
#[tokio::test(start_paused = true)]
async fn a_fifo_queue_says_four_more() {
    let (world, url) = world_and_queue("orders.fifo").await;
    let attributes = world.attributes(&url).await;
    let more = attributes.keys().filter(|name| !OF_A_FRESH_QUEUE.contains(&name.as_str()));
    assert_eq!(more.count(), 4);
    for (name, value) in [
        ("FifoQueue", "true"),
        ("ContentBasedDeduplication", "true"),
        ("DeduplicationScope", "queue"),
        ("FifoThroughputLimit", "perQueue"),
    ] {
        assert_eq!(attributes[name], value, "{name}");
    }
}

// Q1
#[tokio::test(start_paused = true)]
async fn only_the_attributes_asked_for_are_returned() {
    let (world, url) = world_and_queue("orders").await;
    let get = || world.sqs.get_queue_attributes().queue_url(&url);
    assert_eq!(get().send().await.unwrap().attributes, None);
    let two = get().attribute_names(Name::DelaySeconds).attribute_names(Name::Policy).send().await.unwrap();
    let two = two.attributes.unwrap();
    assert_eq!((two.len(), two[&Name::DelaySeconds].as_str()), (1, "0"));
    let unknown = refusal(get().attribute_names(Name::from("Colour")).send().await);
    unknown.is(400, "InvalidAttributeName", "Unknown Attribute Colour.");
}

// Q3
#[tokio::test(start_paused = true)]
async fn attributes_of_fifo_queues_are_not_for_standard_queues() {
    let world = world().await;
    let create = |name: Name, value: &str| {
        let create = world.sqs.create_queue().queue_name("orders");
        create.attributes(name, value).send()
    };
    let unknown = refusal(create(Name::FifoQueue, "false").await);
    unknown.is(400, "InvalidAttributeName", "Unknown Attribute FifoQueue.");
    let told = "You can specify the DeduplicationScope only when FifoQueue is set to true.";
    refusal(create(Name::DeduplicationScope, "queue").await).is(400, "InvalidAttributeName", told);
    let typed = create(Name::ContentBasedDeduplication, "true").await.unwrap_err().into_service_error();
    assert!(typed.is_invalid_attribute_name(), "{typed:?}");
    let url = world.aws.queue("orders").await.unwrap();
    for value in ["true", "false"] {
        let refused = set(&world, &url, Name::FifoQueue, value).await.unwrap_err();
        refused.is(400, "InvalidAttributeName", "Unknown Attribute FifoQueue.");
    }
    let refused = set(&world, &url, Name::FifoThroughputLimit, "perQueue").await.unwrap_err();
    refused.says("InvalidAttributeName", "You can specify the FifoThroughputLimit only");
}

/// Section B1.
#[tokio::test(start_paused = true)]
async fn the_type_of_a_queue_stays() {
    let (world, url) = world_and_queue("orders.fifo").await;
    set(&world, &url, Name::FifoQueue, "True").await.unwrap();
    let told = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.";
    set(&world, &url, Name::FifoQueue, "False").await.unwrap_err().is(400, "InvalidAttributeValue", told);
    let refused = set(&world, &url, Name::FifoThroughputLimit, "perMessageGroupId").await.unwrap_err();
    refused.says("InvalidAttributeValue", "DeduplicationScope is messageGroup");
    set(&world, &url, Name::DeduplicationScope, "messageGroup").await.unwrap();
    set(&world, &url, Name::FifoThroughputLimit, "perMessageGroupId").await.unwrap();
    set(&world, &url, Name::ContentBasedDeduplication, "false").await.unwrap();
    let attributes = world.attributes(&url).await;
    assert_eq!(attributes["FifoThroughputLimit"], "perMessageGroupId");
    assert_eq!(attributes["ContentBasedDeduplication"], "false");
    set(&world, &url, Name::DeduplicationScope, "topic").await.unwrap_err();
}

/// Section A2. Q4
#[tokio::test(start_paused = true)]
async fn attributes_have_the_ranges_of_sqs_and_apply_at_once() {
    let (world, url) = world_and_queue("orders").await;
    advance(secs(5)).await;
    for (name, least, most) in [
        (Name::VisibilityTimeout, 0, 43_200),
        (Name::DelaySeconds, 0, 900),
        (Name::MessageRetentionPeriod, 60, 1_209_600),
        (Name::MaximumMessageSize, 1_024, 1_048_576),
        (Name::ReceiveMessageWaitTimeSeconds, 0, 20),
        (Name::KmsDataKeyReusePeriodSeconds, 60, 86_400),
    ] {
        for value in [least, most] {
            set(&world, &url, name.clone(), &value.to_string()).await.unwrap();
            assert_eq!(world.attributes(&url).await[name.as_str()], value.to_string());
        }
        for bad in [(least - 1).to_string(), (most + 1).to_string(), "many".into(), String::new()] {
            let refused = set(&world, &url, name.clone(), &bad).await.unwrap_err();
            refused.says("InvalidAttributeValue", name.as_str());
        }
    }
    let attributes = world.attributes(&url).await;
    let seconds = |name: &str| attributes[name].parse::<u64>().unwrap();
    assert_eq!(seconds("LastModifiedTimestamp") - seconds("CreatedTimestamp"), 5);
}

/// Section A2.
#[tokio::test(start_paused = true)]
async fn a_queue_has_one_kind_of_encryption() {
    let (world, url) = world_and_queue("orders").await;
    set(&world, &url, Name::KmsMasterKeyId, "alias/mine").await.unwrap();
    let attributes = world.attributes(&url).await;
    assert_eq!(attributes["KmsMasterKeyId"], "alias/mine");
    assert_eq!(attributes["KmsDataKeyReusePeriodSeconds"], "300");
    assert_eq!(attributes["SqsManagedSseEnabled"], "false");
    set(&world, &url, Name::SqsManagedSseEnabled, "true").await.unwrap();
    assert_eq!(world.attributes(&url).await.get("KmsMasterKeyId"), None);
    let both =
        world.sqs.set_queue_attributes().queue_url(&url).attributes(Name::KmsMasterKeyId, "alias/mine");
    let both = refusal(both.attributes(Name::SqsManagedSseEnabled, "true").send().await);
    both.says("InvalidAttributeName", "one type of server-side encryption");
}

/// Section A2.
#[tokio::test(start_paused = true)]
async fn a_policy_comes_back_as_it_was_set_until_the_queue_is_gone() {
    let (world, url) = world_and_queue("orders").await;
    let policy = r#"{"Version": "2012-10-17",  "Statement": []}"#;
    set(&world, &url, Name::Policy, policy).await.unwrap();
    assert_eq!(world.attributes(&url).await["Policy"], policy);
    for bad in ["no", "[]", "{", &format!("{{\"Id\": \"{}\"}}", "x".repeat(8_192))] {
        set(&world, &url, Name::Policy, bad).await.unwrap_err().says("InvalidAttributeValue", "Policy");
    }
    set(&world, &url, Name::Policy, "").await.unwrap();
    assert_eq!(world.attributes(&url).await.get("Policy"), None);
    // Another queue of the same name has none of it, also if nobody told the service that the first one is gone.
    set(&world, &url, Name::Policy, policy).await.unwrap();
    world.aws.broker().delete_queue("orders").await.unwrap();
    advance(secs(1)).await;
    world.aws.queue("orders").await.unwrap();
    assert_eq!(world.attributes(&url).await.get("Policy"), None);
}
