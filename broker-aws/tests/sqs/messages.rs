//! Receiving what was sent: attributes on request, rules Q55 to Q58.

use std::collections::HashMap;

use aws_sdk_sqs::types::{MessageSystemAttributeName as Name, QueueAttributeName};

use crate::support::{
    World, advance, binary_attribute, refusal, secs, text_attribute, world, world_and_queue,
};

/// The system attributes of the message at the front, without hiding it.
async fn system(world: &World, url: &str, names: &[Name]) -> HashMap<String, String> {
    let receive = world.sqs.receive_message().queue_url(url).visibility_timeout(0);
    let receive = receive.set_message_system_attribute_names(Some(names.to_vec()));
    let attributes = receive.send().await.unwrap().messages()[0].attributes.clone().unwrap_or_default();
    attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()
}

// Q57
#[tokio::test(start_paused = true)]
async fn system_attributes_are_returned_on_request() {
    let (world, url) = world_and_queue("orders").await;
    let sent_at = world.aws.broker().now().as_millis().to_string();
    world.send(&url, "a").await;
    assert!(system(&world, &url, &[]).await.is_empty());
    let all = system(&world, &url, &[Name::All]).await;
    assert_eq!(all.len(), 4);
    assert_eq!(all["SentTimestamp"], sent_at);
    assert_eq!(all["SenderId"], "000000000000");
    assert_eq!(all["ApproximateReceiveCount"], "2");
    assert_eq!(all["ApproximateFirstReceiveTimestamp"], sent_at);
    let some = system(&world, &url, &[Name::SequenceNumber, Name::ApproximateReceiveCount]).await;
    assert_eq!(some, HashMap::from([("ApproximateReceiveCount".to_owned(), "3".to_owned())]));
    let receive = world.sqs.receive_message().queue_url(&url);
    let unknown = refusal(receive.message_system_attribute_names(Name::from("Colour")).send().await);
    unknown.is(400, "InvalidAttributeName", "Unknown Attribute Colour.");
}

// Q57
#[tokio::test(start_paused = true)]
async fn the_older_parameter_is_taken_together_with_the_newer_one() {
    let (world, url) = world_and_queue("orders").await;
    let send = world.sqs.send_message().queue_url(&url).message_body("a").message_group_id("tenant");
    send.send().await.unwrap();
    #[expect(deprecated, reason = "clients still use it")]
    let receive =
        world.sqs.receive_message().queue_url(&url).attribute_names(QueueAttributeName::from("SenderId"));
    let receive = receive.message_system_attribute_names(Name::MessageGroupId);
    let received = receive.send().await.unwrap();
    let attributes = received.messages()[0].attributes().unwrap();
    assert_eq!(attributes.len(), 2);
    assert_eq!(attributes[&Name::MessageGroupId], "tenant");
}

// Q58
#[tokio::test(start_paused = true)]
async fn message_attributes_are_selected_by_name() {
    let (world, url) = world_and_queue("orders").await;
    let mut send = world.sqs.send_message().queue_url(&url).message_body("a");
    send = send.message_attributes("trace.id", text_attribute("String", "1"));
    send = send.message_attributes("trace.span", text_attribute("Number.int", "2"));
    send.message_attributes("blob", binary_attribute(&[0, 255])).send().await.unwrap();
    for (wanted, expected) in [
        ("All", vec!["blob", "trace.id", "trace.span"]),
        (".*", vec!["blob", "trace.id", "trace.span"]),
        ("trace.*", vec!["trace.id", "trace.span"]),
        ("blob", vec!["blob"]),
        ("no such name!", vec![]),
    ] {
        let receive = world.sqs.receive_message().queue_url(&url).visibility_timeout(0);
        let received = receive.message_attribute_names(wanted).send().await.unwrap();
        let attributes = received.messages()[0].message_attributes.clone().unwrap_or_default();
        let mut names: Vec<_> = attributes.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{wanted}");
        if let Some(blob) = attributes.get("blob") {
            assert_eq!(*blob, binary_attribute(&[0, 255]));
        }
    }
}

// Q55, Q56, Q61
#[tokio::test(start_paused = true)]
async fn each_receive_has_a_receipt_of_its_own_until_the_message_expires() {
    let world = world().await;
    let create = world.sqs.create_queue().queue_name("orders");
    let create = create.attributes(QueueAttributeName::MessageRetentionPeriod, "60");
    let url = create.send().await.unwrap().queue_url.unwrap();
    let id = world.send(&url, "a").await;
    let first = world.receive(&url, 1).await.remove(0);
    advance(secs(30)).await;
    let second = world.receive(&url, 1).await.remove(0);
    assert_eq!((first.message_id(), second.message_id()), (Some(id.as_str()), Some(id.as_str())));
    assert_ne!(first.receipt_handle, second.receipt_handle);
    assert_eq!(first.md5_of_body, second.md5_of_body);
    advance(secs(30)).await;
    assert_eq!(world.counts(&url).await, ["0", "0", "0"]);
    let delete = world.sqs.delete_message().queue_url(&url).set_receipt_handle(second.receipt_handle);
    delete.send().await.expect("deleting what has expired is no error");
}
