//! That no structure and no member of the service model is forgotten.

use super::*;
use crate::model::{Model, fields_of};

fn model() -> Model {
    Model::read(include_str!("../../../tests/models/sqs.json"))
}

#[test]
fn every_structure_of_the_model_is_here_with_its_members() {
    let ours = [
        ("AddPermissionRequest", fields_of::<AddPermissionRequest>()),
        ("BatchResultErrorEntry", fields_of::<BatchResultErrorEntry>()),
        ("CancelMessageMoveTaskRequest", fields_of::<CancelMessageMoveTaskRequest>()),
        ("CancelMessageMoveTaskResult", fields_of::<CancelMessageMoveTaskResult>()),
        ("ChangeMessageVisibilityBatchRequest", fields_of::<ChangeMessageVisibilityBatchRequest>()),
        ("ChangeMessageVisibilityBatchRequestEntry", fields_of::<ChangeMessageVisibilityBatchRequestEntry>()),
        ("ChangeMessageVisibilityBatchResult", fields_of::<BatchResult<BatchResultEntry>>()),
        ("ChangeMessageVisibilityBatchResultEntry", fields_of::<BatchResultEntry>()),
        ("ChangeMessageVisibilityRequest", fields_of::<ChangeMessageVisibilityRequest>()),
        ("CreateQueueRequest", fields_of::<CreateQueueRequest>()),
        ("CreateQueueResult", fields_of::<CreateQueueResult>()),
        ("DeleteMessageBatchRequest", fields_of::<DeleteMessageBatchRequest>()),
        ("DeleteMessageBatchRequestEntry", fields_of::<DeleteMessageBatchRequestEntry>()),
        ("DeleteMessageBatchResult", fields_of::<BatchResult<BatchResultEntry>>()),
        ("DeleteMessageBatchResultEntry", fields_of::<BatchResultEntry>()),
        ("DeleteMessageRequest", fields_of::<DeleteMessageRequest>()),
        ("DeleteQueueRequest", fields_of::<QueueRequest>()),
        ("GetQueueAttributesRequest", fields_of::<GetQueueAttributesRequest>()),
        ("GetQueueAttributesResult", fields_of::<GetQueueAttributesResult>()),
        ("GetQueueUrlRequest", fields_of::<GetQueueUrlRequest>()),
        ("GetQueueUrlResult", fields_of::<GetQueueUrlResult>()),
        ("ListDeadLetterSourceQueuesRequest", fields_of::<ListDeadLetterSourceQueuesRequest>()),
        ("ListDeadLetterSourceQueuesResult", fields_of::<ListDeadLetterSourceQueuesResult>()),
        ("ListMessageMoveTasksRequest", fields_of::<ListMessageMoveTasksRequest>()),
        ("ListMessageMoveTasksResult", fields_of::<ListMessageMoveTasksResult>()),
        ("ListQueueTagsRequest", fields_of::<QueueRequest>()),
        ("ListQueueTagsResult", fields_of::<ListQueueTagsResult>()),
        ("ListQueuesRequest", fields_of::<ListQueuesRequest>()),
        ("ListQueuesResult", fields_of::<ListQueuesResult>()),
        ("ListMessageMoveTasksResultEntry", fields_of::<ListMessageMoveTasksResultEntry>()),
        ("Message", fields_of::<Message>()),
        ("MessageAttributeValue", fields_of::<MessageAttributeValue>()),
        ("MessageSystemAttributeValue", fields_of::<MessageAttributeValue>()),
        ("PurgeQueueRequest", fields_of::<QueueRequest>()),
        ("ReceiveMessageRequest", fields_of::<ReceiveMessageRequest>()),
        ("ReceiveMessageResult", fields_of::<ReceiveMessageResult>()),
        ("RemovePermissionRequest", fields_of::<RemovePermissionRequest>()),
        ("SendMessageBatchRequest", fields_of::<SendMessageBatchRequest>()),
        ("SendMessageBatchRequestEntry", fields_of::<SendMessageBatchRequestEntry>()),
        ("SendMessageBatchResultEntry", fields_of::<SendMessageBatchResultEntry>()),
        ("SendMessageBatchResult", fields_of::<BatchResult<SendMessageBatchResultEntry>>()),
        ("SendMessageRequest", fields_of::<SendMessageRequest>()),
        ("SendMessageResult", fields_of::<SendMessageResult>()),
        ("SetQueueAttributesRequest", fields_of::<SetQueueAttributesRequest>()),
        ("StartMessageMoveTaskRequest", fields_of::<StartMessageMoveTaskRequest>()),
        ("StartMessageMoveTaskResult", fields_of::<StartMessageMoveTaskResult>()),
        ("TagQueueRequest", fields_of::<TagQueueRequest>()),
        ("UntagQueueRequest", fields_of::<UntagQueueRequest>()),
    ];
    assert_eq!(model().complaints(&ours, &[]), [""; 0]);
}
