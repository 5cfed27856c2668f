//! Batches: rules Q40 to Q46, and Q78.

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Change, DeleteMessageBatchRequestEntry as Delete,
    QueueAttributeName, SendMessageBatchRequestEntry as Send,
};

use crate::support::{INVALID, World, refusal, text_attribute, world, world_and_queue};

fn entry(id: &str, body: &str) -> Send {
    Send::builder().id(id).message_body(body).build().unwrap()
}

fn send(
    world: &World,
    url: &str,
    entries: Vec<Send>,
) -> aws_sdk_sqs::operation::send_message_batch::builders::SendMessageBatchFluentBuilder {
    world.sqs.send_message_batch().queue_url(url).set_entries(Some(entries))
}

// Q40, Q41, Q45
#[tokio::test(start_paused = true)]
async fn a_batch_is_refused_as_a_whole() {
    let (world, url) = world_and_queue("orders").await;
    let refused = |entries| async { send(&world, &url, entries).send().await.unwrap_err() };
    let empty = refused(Vec::new()).await;
    assert!(empty.as_service_error().unwrap().is_empty_batch_request());
    assert_eq!(refusal(Err::<(), _>(empty)).code, "AWS.SimpleQueueService.EmptyBatchRequest");
    let many = refused((0..11).map(|n| entry(&n.to_string(), "a")).collect()).await;
    assert!(many.as_service_error().unwrap().is_too_many_entries_in_batch_request());
    let told = "Maximum number of entries per request are 10. You have sent 11.";
    refusal(Err::<(), _>(many)).is(400, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", told);
    let bad = refused(vec![entry("a b", "a")]).await;
    assert!(bad.as_service_error().unwrap().is_invalid_batch_entry_id());
    let twice = refused(vec![entry("a", "a"), entry("a", "b")]).await;
    assert!(twice.as_service_error().unwrap().is_batch_entry_ids_not_distinct());
    // Ids are checked also if an entry would fail by itself.
    let twice = refused(vec![entry("a", ""), entry("a", "b")]).await;
    assert!(twice.as_service_error().unwrap().is_batch_entry_ids_not_distinct());
    assert_eq!(world.counts(&url).await, ["0", "0", "0"]);
}

// Q42
#[tokio::test(start_paused = true)]
async fn a_batch_has_1_mib_at_most() {
    let (world, url) = world_and_queue("orders").await;
    let half = "x".repeat(512 * 1024);
    let full = vec![entry("a", &half), entry("b", &half)];
    let sent = send(&world, &url, full.clone()).send().await.unwrap();
    assert_eq!(sent.successful().len(), 2);
    let more = send(&world, &url, [full, vec![entry("c", "x")]].concat()).send().await.unwrap_err();
    assert!(more.as_service_error().unwrap().is_batch_request_too_long());
    let told = "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.";
    refusal(Err::<(), _>(more)).is(400, "AWS.SimpleQueueService.BatchRequestTooLong", told);
}

// Q43, Q44, Q46
#[tokio::test(start_paused = true)]
async fn an_entry_fails_alone() {
    let world = world().await;
    let create = world.sqs.create_queue().queue_name("orders");
    let create = create.attributes(QueueAttributeName::MaximumMessageSize, "1024").send().await.unwrap();
    let url = create.queue_url.unwrap();
    let bad_attribute = Send::builder().id("attribute").message_body("a");
    let bad_attribute = bad_attribute.message_attributes("k", text_attribute("String", "")).build().unwrap();
    let entries = vec![
        entry("good", "a"),
        entry("long", &"x".repeat(1_025)),
        entry("bad", "\u{1}"),
        bad_attribute,
        entry("empty", ""),
        Send::builder().id("late").message_body("a").delay_seconds(901).build().unwrap(),
    ];
    let outcome = send(&world, &url, entries).send().await.unwrap();
    let good = &outcome.successful()[0];
    assert_eq!((outcome.successful().len(), good.id()), (1, "good"));
    assert_eq!(good.md5_of_message_body(), "0cc175b9c0f1b6a831c399e269772661");
    let failed: Vec<_> = outcome.failed().iter().map(|failed| (failed.id(), failed.code())).collect();
    let expected = [
        ("long", INVALID),
        ("bad", "InvalidMessageContents"),
        ("attribute", INVALID),
        ("empty", "MissingParameter"),
        ("late", INVALID),
    ];
    assert_eq!(failed, expected);
    assert!(outcome.failed().iter().all(aws_sdk_sqs::types::BatchResultErrorEntry::sender_fault));
    let told = "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.";
    assert_eq!(outcome.failed()[0].message(), Some(told));
    assert_eq!(world.counts(&url).await, ["1", "0", "0"]);
}

// Q46
#[tokio::test(start_paused = true)]
async fn entries_keep_their_order_and_their_digests() {
    let (world, url) = world_and_queue("orders").await;
    let with =
        Send::builder().id("b").message_body("2").message_attributes("k", text_attribute("String", "x"));
    let entries = vec![entry("a", "1"), with.build().unwrap(), entry("c", "3")];
    let outcome = send(&world, &url, entries).send().await.unwrap();
    let digests: Vec<_> =
        outcome.successful().iter().map(|sent| (sent.id(), sent.md5_of_message_attributes())).collect();
    assert_eq!(digests, [("a", None), ("b", Some("a45daa70926828a2f0a1db3418e6feb4")), ("c", None)]);
    assert!(outcome.failed().is_empty());
    let bodies: Vec<_> =
        world.receive(&url, 10).await.into_iter().map(|message| message.body.unwrap()).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
}

// Q40, Q41, Q46, Q78
#[tokio::test(start_paused = true)]
async fn deletes_fail_entry_by_entry() {
    let (world, url) = world_and_queue("orders").await;
    world.send(&url, "a").await;
    let receipt = world.receipt(&url).await;
    let entry = |id: &str, receipt: &str| Delete::builder().id(id).receipt_handle(receipt).build().unwrap();
    let delete = |entries| world.sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries));
    let outcome = delete(vec![entry("bad", "garbage"), entry("good", &receipt)]).send().await.unwrap();
    assert_eq!((outcome.successful().len(), outcome.successful()[0].id()), (1, "good"));
    let failed = &outcome.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("bad", "ReceiptHandleIsInvalid", true));
    assert_eq!(failed.message(), Some("The input receipt handle \"garbage\" is not a valid receipt handle."));
    assert_eq!(world.counts(&url).await, ["0", "0", "0"]);
    let empty = delete(Vec::new()).send().await.unwrap_err();
    assert!(empty.into_service_error().is_empty_batch_request());
    let many = delete((0..11).map(|n| entry(&n.to_string(), &receipt)).collect()).send().await.unwrap_err();
    assert!(many.into_service_error().is_too_many_entries_in_batch_request());
    let twice = delete(vec![entry("a", "garbage"), entry("a", &receipt)]).send().await.unwrap_err();
    assert!(twice.into_service_error().is_batch_entry_ids_not_distinct());
}

// Q78
#[tokio::test(start_paused = true)]
async fn changes_of_visibility_fail_entry_by_entry() {
    let (world, url) = world_and_queue("orders").await;
    world.send(&url, "a").await;
    let receipt = world.receipt(&url).await;
    let entry = |id: &str, receipt: &str, seconds| {
        let entry = Change::builder().id(id).receipt_handle(receipt);
        entry.set_visibility_timeout(seconds).build().unwrap()
    };
    let entries = vec![
        entry("bad", "garbage", Some(0)),
        entry("far", &receipt, Some(43_201)),
        entry("none", &receipt, None),
        entry("good", &receipt, Some(0)),
    ];
    let change = world.sqs.change_message_visibility_batch().queue_url(&url).set_entries(Some(entries));
    let outcome = change.send().await.unwrap();
    assert_eq!((outcome.successful().len(), outcome.successful()[0].id()), (1, "good"));
    let failed: Vec<_> = outcome.failed().iter().map(|failed| (failed.id(), failed.code())).collect();
    assert_eq!(failed, [("bad", "ReceiptHandleIsInvalid"), ("far", INVALID), ("none", "MissingParameter")]);
    assert_eq!(world.counts(&url).await, ["1", "0", "0"]);
    let empty = world.sqs.change_message_visibility_batch().queue_url(&url).set_entries(Some(Vec::new()));
    assert!(empty.send().await.unwrap_err().into_service_error().is_empty_batch_request());
}
