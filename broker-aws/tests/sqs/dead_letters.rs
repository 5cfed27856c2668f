//! Dead letters: rules Q80 to Q85.

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName as Name};
use serde_json::{Value, json};

use crate::support::{INVALID, Refusal, World, advance, refusal, secs, world};

const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

async fn set(world: &World, url: &str, name: Name, value: &str) -> Result<(), Refusal> {
    let set = world.sqs.set_queue_attributes().queue_url(url).attributes(name, value);
    match set.send().await {
        Ok(_) => Ok(()),
        refused => Err(refusal(refused)),
    }
}

/// A queue whose dead letters go to another one, and the URLs of both.
async fn world_with_dead_letters(receives: u32) -> (World, String, String) {
    let world = world().await;
    let (orders, dead) = (world.aws.queue("orders").await.unwrap(), world.aws.queue("dead").await.unwrap());
    let policy = json!({ "deadLetterTargetArn": DEAD, "maxReceiveCount": receives }).to_string();
    set(&world, &orders, Name::RedrivePolicy, &policy).await.unwrap();
    (world, orders, dead)
}

// Q80, Q81
#[tokio::test(start_paused = true)]
async fn a_message_that_was_received_too_often_is_a_dead_letter() {
    let (world, orders, dead) = world_with_dead_letters(1).await;
    let id = world.send(&orders, "a").await;
    assert_eq!(world.receive(&orders, 1).await.len(), 1);
    advance(secs(30)).await;
    assert_eq!(world.counts(&dead).await, ["0", "0", "0"], "the move waits for the next receive");
    assert!(world.receive(&orders, 1).await.is_empty());
    let receive = world.sqs.receive_message().queue_url(&dead);
    let received =
        receive.message_system_attribute_names(MessageSystemAttributeName::All).send().await.unwrap();
    let letter = &received.messages()[0];
    assert_eq!((letter.message_id(), letter.body()), (Some(id.as_str()), Some("a")));
    let attributes = letter.attributes().unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "2");
    let source = &attributes[&MessageSystemAttributeName::DeadLetterQueueSourceArn];
    assert_eq!(source, "arn:aws:sqs:us-east-1:000000000000:orders");
}

// Q82
#[tokio::test(start_paused = true)]
async fn a_redrive_policy_is_shown_and_removed() {
    let (world, orders, _) = world_with_dead_letters(3).await;
    let shown = world.attributes(&orders).await["RedrivePolicy"].clone();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown, json!({ "deadLetterTargetArn": DEAD, "maxReceiveCount": 3 }));
    let text = json!({ "deadLetterTargetArn": DEAD, "maxReceiveCount": "7" }).to_string();
    set(&world, &orders, Name::RedrivePolicy, &text).await.unwrap();
    assert!(world.attributes(&orders).await["RedrivePolicy"].contains(":7"));
    set(&world, &orders, Name::RedrivePolicy, "").await.unwrap();
    assert_eq!(world.attributes(&orders).await.get("RedrivePolicy"), None);
}

// Q82
#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_redrive_policy_is_told() {
    let (world, orders, _) = world_with_dead_letters(1).await;
    world.aws.queue("dead.fifo").await.unwrap();
    let mandatory = "Redrive policy does not contain mandatory attribute";
    for (policy, told) in [
        (json!({ "maxReceiveCount": 1 }), format!("{mandatory}: deadLetterTargetArn")),
        (json!({ "deadLetterTargetArn": DEAD }), format!("{mandatory}: maxReceiveCount")),
        (
            json!({ "deadLetterTargetArn": DEAD, "maxReceiveCount": 0 }),
            "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive.".into(),
        ),
        (
            json!({ "deadLetterTargetArn": DEAD, "maxReceiveCount": 1_001 }),
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.".into(),
        ),
        (
            json!({ "deadLetterTargetArn": DEAD, "maxReceiveCount": "many" }),
            "Invalid value for maxReceiveCount: many".into(),
        ),
        (
            json!({ "deadLetterTargetArn": format!("{DEAD}er"), "maxReceiveCount": 1 }),
            "Dead letter target does not exist.".into(),
        ),
        (
            json!({ "deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead", "maxReceiveCount": 1 }),
            "Dead letter target does not exist.".into(),
        ),
        (
            json!({ "deadLetterTargetArn": format!("{DEAD}.fifo"), "maxReceiveCount": 1 }),
            "must be FIFO".into(),
        ),
        (json!([]), "not a valid JSON map".into()),
    ] {
        let refused = set(&world, &orders, Name::RedrivePolicy, &policy.to_string()).await.unwrap_err();
        refused.says(INVALID, &told);
    }
    let create = world.sqs.create_queue().queue_name("new");
    let policy = json!({ "deadLetterTargetArn": format!("{DEAD}er"), "maxReceiveCount": 1 }).to_string();
    let refused = refusal(create.attributes(Name::RedrivePolicy, policy).send().await);
    refused.says(INVALID, "Dead letter target does not exist.");
}

// Q84
#[tokio::test(start_paused = true)]
async fn a_queue_says_whose_dead_letters_it_takes() {
    let (world, orders, dead) = world_with_dead_letters(1).await;
    set(&world, &orders, Name::RedrivePolicy, "").await.unwrap();
    let redrive = json!({ "deadLetterTargetArn": DEAD, "maxReceiveCount": 1 }).to_string();
    let allow = |policy: Value| {
        let (world, dead) = (&world, &dead);
        async move { set(world, dead, Name::RedriveAllowPolicy, &policy.to_string()).await }
    };
    allow(json!({ "redrivePermission": "denyAll" })).await.unwrap();
    assert!(world.attributes(&dead).await["RedriveAllowPolicy"].contains("denyAll"));
    set(&world, &orders, Name::RedrivePolicy, &redrive).await.unwrap_err().says(INVALID, "does not allow");
    let other = "arn:aws:sqs:us-east-1:000000000000:other";
    allow(json!({ "redrivePermission": "byQueue", "sourceQueueArns": [other] })).await.unwrap();
    set(&world, &orders, Name::RedrivePolicy, &redrive).await.unwrap_err().says(INVALID, "does not allow");
    let mine = "arn:aws:sqs:us-east-1:000000000000:orders";
    allow(json!({ "redrivePermission": "byQueue", "sourceQueueArns": [other, mine] })).await.unwrap();
    set(&world, &orders, Name::RedrivePolicy, &redrive).await.unwrap();
    for bad in [
        json!({ "redrivePermission": "byQueue" }),
        json!({ "redrivePermission": "byQueue", "sourceQueueArns": vec![mine; 11] }),
        json!({ "redrivePermission": "denyAll", "sourceQueueArns": [mine] }),
        json!({ "redrivePermission": "some" }),
        json!(7),
    ] {
        allow(bad).await.unwrap_err().says(INVALID, "RedriveAllowPolicy");
    }
    allow(json!({ "redrivePermission": "allowAll" })).await.unwrap();
}

// Q85
#[tokio::test(start_paused = true)]
async fn the_sources_of_a_dead_letter_queue_are_listed_in_pages() {
    let (world, orders, dead) = world_with_dead_letters(1).await;
    let other = world.aws.queue("other").await.unwrap();
    let policy = world.attributes(&orders).await["RedrivePolicy"].clone();
    set(&world, &other, Name::RedrivePolicy, &policy).await.unwrap();
    let list = || world.sqs.list_dead_letter_source_queues().queue_url(&dead);
    assert_eq!(list().send().await.unwrap().queue_urls(), [orders.clone(), other.clone()]);
    let first = list().max_results(1).send().await.unwrap();
    assert_eq!(first.queue_urls(), std::slice::from_ref(&orders));
    let second = list().max_results(1).set_next_token(first.next_token).send().await.unwrap();
    assert_eq!((second.queue_urls(), second.next_token()), (&[other][..], None));
    let none = world.sqs.list_dead_letter_source_queues().queue_url(&orders).send().await.unwrap();
    assert!(none.queue_urls().is_empty());
}
