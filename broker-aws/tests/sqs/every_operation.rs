//! Every operation of the service model with the SDK: it succeeds, and it is refused with an error of its own type.

use aws_sdk_sqs::{
    Client,
    operation::{
        add_permission::AddPermissionError, cancel_message_move_task::CancelMessageMoveTaskError,
        change_message_visibility::ChangeMessageVisibilityError,
        change_message_visibility_batch::ChangeMessageVisibilityBatchError, create_queue::CreateQueueError,
        delete_message::DeleteMessageError, delete_message_batch::DeleteMessageBatchError,
        delete_queue::DeleteQueueError, get_queue_attributes::GetQueueAttributesError,
        get_queue_url::GetQueueUrlError, list_dead_letter_source_queues::ListDeadLetterSourceQueuesError,
        list_message_move_tasks::ListMessageMoveTasksError, list_queue_tags::ListQueueTagsError,
        purge_queue::PurgeQueueError, receive_message::ReceiveMessageError,
        remove_permission::RemovePermissionError, send_message::SendMessageError,
        send_message_batch::SendMessageBatchError, set_queue_attributes::SetQueueAttributesError,
        start_message_move_task::StartMessageMoveTaskError, tag_queue::TagQueueError,
        untag_queue::UntagQueueError,
    },
    types::{
        ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, QueueAttributeName,
        SendMessageBatchRequestEntry,
    },
};

use crate::{
    operations::Called,
    support::{INVALID, world},
};

const MODEL: &str = include_str!("../models/sqs.json");
const GONE: &str = "http://localhost/000000000000/gone";
const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:";

fn entry(id: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body("b").build().unwrap()
}

fn deleted(id: &str, receipt: &str) -> DeleteMessageBatchRequestEntry {
    DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(receipt).build().unwrap()
}

fn changed(id: &str, receipt: &str) -> ChangeMessageVisibilityBatchRequestEntry {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(receipt);
    entry.visibility_timeout(9).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_operation_succeeds() {
    let sqs = world().await.sqs;
    let mut called = Called::default();
    queues_succeed(&sqs, &mut called).await;
    messages_succeed(&sqs, &mut called).await;
    called.assert_all(MODEL, &[]);
}

/// Makes the queue `orders` with the dead-letter queue `dead`, and a queue that it deletes.
async fn queues_succeed(sqs: &Client, called: &mut Called) {
    let dead = called.ok(sqs.create_queue().queue_name("dead").send().await).queue_url.unwrap();
    let policy = format!(r#"{{"deadLetterTargetArn": "{ARN}dead", "maxReceiveCount": 1}}"#);
    let orders =
        sqs.create_queue().queue_name("orders").attributes(QueueAttributeName::RedrivePolicy, policy);
    let url = called.ok(orders.send().await).queue_url.unwrap();
    let got = called.ok(sqs.get_queue_url().queue_name("orders").send().await);
    assert_eq!(got.queue_url.as_ref(), Some(&url));
    assert_eq!(called.ok(sqs.list_queues().send().await).queue_urls(), [dead.clone(), url.clone()]);
    let timeout = QueueAttributeName::VisibilityTimeout;
    called.ok(sqs.set_queue_attributes().queue_url(&url).attributes(timeout.clone(), "7").send().await);
    let got = sqs.get_queue_attributes().queue_url(&url).attribute_names(timeout.clone());
    assert_eq!(called.ok(got.send().await).attributes.unwrap()[&timeout], "7");
    let sources = called.ok(sqs.list_dead_letter_source_queues().queue_url(&dead).send().await);
    assert_eq!(sources.queue_urls().first(), Some(&url));

    called.ok(sqs.tag_queue().queue_url(&url).tags("team", "web").tags("a", "b").send().await);
    called.ok(sqs.untag_queue().queue_url(&url).tag_keys("a").send().await);
    let tags = called.ok(sqs.list_queue_tags().queue_url(&url).send().await).tags.unwrap();
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "web".to_owned())]);
    let permit = sqs.add_permission().queue_url(&url).label("all").aws_account_ids("111111111111");
    called.ok(permit.actions("SendMessage").send().await);
    called.ok(sqs.remove_permission().queue_url(&url).label("all").send().await);

    let short = sqs.create_queue().queue_name("short-lived").send().await.unwrap().queue_url.unwrap();
    called.ok(sqs.delete_queue().queue_url(&short).send().await);
}

/// Sends, receives, hides, deletes, and moves a dead letter back.
async fn messages_succeed(sqs: &Client, called: &mut Called) {
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    called.ok(sqs.send_message().queue_url(&url).message_body("a").send().await);
    let batch = sqs.send_message_batch().queue_url(&url).entries(entry("1")).entries(entry("2"));
    assert_eq!(called.ok(batch.send().await).successful().len(), 2);
    let receive = || sqs.receive_message().queue_url(&url).max_number_of_messages(10);
    let received = called.ok(receive().send().await).messages.unwrap();
    let receipts: Vec<_> = received.iter().map(|one| one.receipt_handle().unwrap()).collect();
    let change = sqs.change_message_visibility().queue_url(&url).receipt_handle(receipts[0]);
    called.ok(change.visibility_timeout(9).send().await);
    let change = sqs.change_message_visibility_batch().queue_url(&url).entries(changed("1", receipts[1]));
    assert_eq!(called.ok(change.send().await).successful().len(), 1);
    called.ok(sqs.delete_message().queue_url(&url).receipt_handle(receipts[0]).send().await);
    let delete = sqs.delete_message_batch().queue_url(&url).entries(deleted("1", receipts[1]));
    assert_eq!(called.ok(delete.send().await).successful().len(), 1);

    tokio::time::sleep(std::time::Duration::from_secs(9)).await;
    assert_eq!(receive().send().await.unwrap().messages(), [], "the third one is a dead letter now");
    let start = sqs.start_message_move_task().source_arn(format!("{ARN}dead"));
    let task = called.ok(start.max_number_of_messages_per_second(1).send().await).task_handle.unwrap();
    let tasks = called.ok(sqs.list_message_move_tasks().source_arn(format!("{ARN}dead")).send().await);
    assert_eq!(tasks.results()[0].task_handle(), Some(task.as_str()));
    called.ok(sqs.cancel_message_move_task().task_handle(task).send().await);
    called.ok(sqs.purge_queue().queue_url(&url).send().await);
}

#[tokio::test(start_paused = true)]
async fn every_operation_is_refused_with_an_error_of_its_own_type() {
    let sqs = world().await.sqs;
    let mut called = Called::default();
    queues_refuse(&sqs, &mut called).await;
    messages_refuse(&sqs, &mut called).await;
    called.assert_all(MODEL, &[]);
}

async fn queues_refuse(sqs: &Client, called: &mut Called) {
    let timeout = QueueAttributeName::VisibilityTimeout;
    sqs.create_queue().queue_name("orders").send().await.unwrap();
    let other = sqs.create_queue().queue_name("orders").attributes(timeout.clone(), "1");
    called.refused(other.send().await, CreateQueueError::is_queue_name_exists);
    called.refused(
        sqs.get_queue_url().queue_name("gone").send().await,
        GetQueueUrlError::is_queue_does_not_exist,
    );
    called.refused_as(sqs.list_queues().max_results(0).send().await, INVALID);
    let set = sqs.set_queue_attributes().queue_url(GONE).attributes(timeout.clone(), "1");
    called.refused(set.send().await, SetQueueAttributesError::is_queue_does_not_exist);
    let get = sqs.get_queue_attributes().queue_url(GONE).attribute_names(timeout);
    called.refused(get.send().await, GetQueueAttributesError::is_queue_does_not_exist);
    let sources = sqs.list_dead_letter_source_queues().queue_url(GONE).send().await;
    called.refused(sources, ListDeadLetterSourceQueuesError::is_queue_does_not_exist);
    let tag = sqs.tag_queue().queue_url(GONE).tags("a", "b").send().await;
    called.refused(tag, TagQueueError::is_queue_does_not_exist);
    let untag = sqs.untag_queue().queue_url(GONE).tag_keys("a").send().await;
    called.refused(untag, UntagQueueError::is_queue_does_not_exist);
    let tags = sqs.list_queue_tags().queue_url(GONE).send().await;
    called.refused(tags, ListQueueTagsError::is_queue_does_not_exist);
    let permit = sqs.add_permission().queue_url(GONE).label("all").aws_account_ids("111111111111");
    called.refused(permit.actions("SendMessage").send().await, AddPermissionError::is_queue_does_not_exist);
    let remove = sqs.remove_permission().queue_url(GONE).label("all").send().await;
    called.refused(remove, RemovePermissionError::is_queue_does_not_exist);
    called
        .refused(sqs.delete_queue().queue_url(GONE).send().await, DeleteQueueError::is_queue_does_not_exist);
    called.refused(sqs.purge_queue().queue_url(GONE).send().await, PurgeQueueError::is_queue_does_not_exist);
}

async fn messages_refuse(sqs: &Client, called: &mut Called) {
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    let send = sqs.send_message().queue_url(&url).message_body("\u{0}").send().await;
    called.refused(send, SendMessageError::is_invalid_message_contents);
    let send = sqs.send_message_batch().queue_url(&url).entries(entry("1")).entries(entry("1"));
    called.refused(send.send().await, SendMessageBatchError::is_batch_entry_ids_not_distinct);
    let receive = sqs.receive_message().queue_url(GONE).send().await;
    called.refused(receive, ReceiveMessageError::is_queue_does_not_exist);
    let change = sqs.change_message_visibility().queue_url(&url).receipt_handle("x").visibility_timeout(1);
    called.refused(change.send().await, ChangeMessageVisibilityError::is_receipt_handle_is_invalid);
    let change = sqs.change_message_visibility_batch().queue_url(&url).entries(changed("not an id", "x"));
    called.refused(change.send().await, ChangeMessageVisibilityBatchError::is_invalid_batch_entry_id);
    let delete = sqs.delete_message().queue_url(&url).receipt_handle("x").send().await;
    called.refused(delete, DeleteMessageError::is_receipt_handle_is_invalid);
    let eleven = (0..11).map(|n| deleted(&n.to_string(), "x")).collect();
    let delete = sqs.delete_message_batch().queue_url(&url).set_entries(Some(eleven)).send().await;
    called.refused(delete, DeleteMessageBatchError::is_too_many_entries_in_batch_request);
    let start = sqs.start_message_move_task().source_arn(format!("{ARN}gone")).send().await;
    called.refused(start, StartMessageMoveTaskError::is_resource_not_found_exception);
    let list = sqs.list_message_move_tasks().source_arn(format!("{ARN}gone")).send().await;
    called.refused(list, ListMessageMoveTasksError::is_resource_not_found_exception);
    let task = format!(r#"{{"taskId": "{}", "sourceArn": "{ARN}orders"}}"#, "0".repeat(40));
    let handle = aws_smithy_types::base64::encode(task);
    let cancel = sqs.cancel_message_move_task().task_handle(handle).send().await;
    called.refused(cancel, CancelMessageMoveTaskError::is_resource_not_found_exception);
}
