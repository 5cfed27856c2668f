//! FIFO queues: section B.

use aws_sdk_sqs::types::{
    MessageSystemAttributeName as Name, QueueAttributeName, SendMessageBatchRequestEntry as Send,
};

use crate::support::{INVALID, MISSING, World, advance, refusal, secs, world, world_and_queue};

/// A FIFO queue that does not compute deduplication ids.
async fn world_without_content_ids() -> (World, String) {
    let world = world().await;
    let create = world.sqs.create_queue().queue_name("orders.fifo");
    let created = create.attributes(QueueAttributeName::FifoQueue, "true").send().await.unwrap();
    (world, created.queue_url.unwrap())
}

const NO_GROUP: &str = "The request must contain the parameter MessageGroupId.";
const NO_ID: &str = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";

// F10, F11
#[tokio::test(start_paused = true)]
async fn a_message_needs_a_group_and_an_id() {
    let (world, url) = world_without_content_ids().await;
    let send = || world.sqs.send_message().queue_url(&url).message_body("a");
    refusal(send().message_deduplication_id("d").send().await).is(400, MISSING, NO_GROUP);
    refusal(send().message_group_id("g").send().await).is(400, INVALID, NO_ID);
    for bad in ["", "a b", &"d".repeat(129)] {
        let refused = refusal(send().message_group_id("g").message_deduplication_id(bad).send().await);
        refused.says(
            INVALID,
            "MessageDeduplicationId can only include alphanumeric and punctuation characters.",
        );
    }
    send().message_group_id("g").message_deduplication_id("d").send().await.unwrap();
}

// F10, F11
#[tokio::test(start_paused = true)]
async fn a_batch_without_a_group_or_an_id_fails_as_a_whole() {
    let (world, url) = world_without_content_ids().await;
    let whole = Send::builder().id("a").message_body("a").message_group_id("g").message_deduplication_id("d");
    let send = |entry: Send| {
        let send = world.sqs.send_message_batch().queue_url(&url).entries(whole.clone().build().unwrap());
        send.entries(entry).send()
    };
    let no_group = Send::builder().id("b").message_body("b").message_deduplication_id("e").build().unwrap();
    refusal(send(no_group).await).is(400, INVALID, NO_GROUP);
    let no_id = Send::builder().id("b").message_body("b").message_group_id("g").build().unwrap();
    refusal(send(no_id).await).is(400, INVALID, NO_ID);
    assert_eq!(world.counts(&url).await, ["0", "0", "0"]);
}

// F12
#[tokio::test(start_paused = true)]
async fn a_message_has_no_delay_of_its_own() {
    let (world, url) = world_and_queue("orders.fifo").await;
    let send = |seconds| {
        let send = world.sqs.send_message().queue_url(&url).message_body("a").message_group_id("g");
        send.delay_seconds(seconds).send()
    };
    let told = "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this \
                queue type.";
    refusal(send(2).await).is(400, INVALID, told);
    send(0).await.unwrap();
}

// F13, F20, F21
#[tokio::test(start_paused = true)]
async fn a_duplicate_has_the_answer_of_the_original() {
    let (world, url) = world_and_queue("orders.fifo").await;
    let send = |body: &str| {
        let send = world.sqs.send_message().queue_url(&url).message_body(body).message_group_id("g");
        send.message_deduplication_id("d").send()
    };
    let first = send("a").await.unwrap();
    assert_eq!(first.sequence_number().map(str::len), Some(20));
    let second = send("b").await.unwrap();
    assert_eq!(
        (second.message_id, second.sequence_number),
        (first.message_id, first.sequence_number.clone())
    );
    assert_eq!(world.counts(&url).await, ["1", "0", "0"]);
    advance(secs(300)).await;
    let third = send("c").await.unwrap();
    assert!(third.sequence_number > first.sequence_number);
}

// F38
#[tokio::test(start_paused = true)]
async fn a_message_says_its_group_id_and_number() {
    let (world, url) = world_and_queue("orders.fifo").await;
    let send = world.sqs.send_message().queue_url(&url).message_body("hello").message_group_id("g");
    let answer = send.send().await.unwrap();
    let receive = world.sqs.receive_message().queue_url(&url).message_system_attribute_names(Name::All);
    let received = receive.send().await.unwrap();
    let attributes = received.messages()[0].attributes().unwrap();
    assert_eq!(attributes.len(), 7);
    assert_eq!(attributes[&Name::MessageGroupId], "g");
    let content = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(attributes[&Name::MessageDeduplicationId], content);
    assert_eq!(Some(&attributes[&Name::SequenceNumber]), answer.sequence_number.as_ref());
}

// F14, F30, F31
#[tokio::test(start_paused = true)]
async fn messages_of_a_group_come_in_their_order() {
    let (world, url) = world_and_queue("orders.fifo").await;
    let entry = |(id, group): (usize, &str)| {
        Send::builder()
            .id(id.to_string())
            .message_body(id.to_string())
            .message_group_id(group)
            .build()
            .unwrap()
    };
    let entries = ["g", "h", "g"].into_iter().enumerate().map(entry).collect();
    let send = world.sqs.send_message_batch().queue_url(&url).set_entries(Some(entries));
    assert_eq!(send.send().await.unwrap().successful().len(), 3);
    let bodies = |received: Vec<aws_sdk_sqs::types::Message>| -> Vec<String> {
        received.into_iter().map(|message| message.body.unwrap()).collect()
    };
    assert_eq!(bodies(world.receive(&url, 2).await), ["0", "2"]);
    assert_eq!(bodies(world.receive(&url, 10).await), ["1"]);
    assert!(world.receive(&url, 10).await.is_empty());
}

// F39
#[tokio::test(start_paused = true)]
async fn a_receive_can_be_repeated() {
    let (world, url) = world_and_queue("orders.fifo").await;
    let send = world.sqs.send_message().queue_url(&url).message_body("a").message_group_id("g");
    send.send().await.unwrap();
    let receive = |url: &str, id: &str| {
        world.sqs.receive_message().queue_url(url).receive_request_attempt_id(id).send()
    };
    let first = receive(&url, "attempt").await.unwrap();
    let again = receive(&url, "attempt").await.unwrap();
    assert_eq!(first.messages()[0].receipt_handle, again.messages()[0].receipt_handle);
    assert!(receive(&url, "another").await.unwrap().messages.is_none());
    refusal(receive(&url, "a b").await).says(INVALID, "ReceiveRequestAttemptId can only include");
    let standard = world.aws.queue("standard").await.unwrap();
    refusal(receive(&standard, "attempt").await).says(INVALID, "not valid for this queue type");
}

// F40, F42
#[tokio::test(start_paused = true)]
async fn a_receipt_expires_with_its_visibility_timeout() {
    let (world, url) = world_and_queue("orders.fifo").await;
    let send = world.sqs.send_message().queue_url(&url).message_body("a").message_group_id("g");
    send.send().await.unwrap();
    let receipt = world.receipt(&url).await;
    advance(secs(30)).await;
    let delete = || world.sqs.delete_message().queue_url(&url).receipt_handle(&receipt).send();
    let told = format!(
        "Value {receipt} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    );
    refusal(delete().await).is(400, INVALID, &told);
    let entry =
        aws_sdk_sqs::types::DeleteMessageBatchRequestEntry::builder().id("a").receipt_handle(&receipt);
    let batch = world.sqs.delete_message_batch().queue_url(&url).entries(entry.build().unwrap());
    let outcome = batch.send().await.unwrap();
    assert_eq!(outcome.failed()[0].code(), INVALID);
    // F43
    let change = world.sqs.change_message_visibility().queue_url(&url).receipt_handle(&receipt);
    refusal(change.visibility_timeout(5).send().await).is(400, INVALID, &told);
}
