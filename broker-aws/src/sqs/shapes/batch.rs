//! Operations on several messages.

use serde::{Deserialize, Serialize};

use super::MessageAttributeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SendMessageBatchRequest {
    pub(crate) queue_url: Option<String>,
    #[serde(alias = "SendMessageBatchRequestEntry")]
    pub(crate) entries: Option<Vec<SendMessageBatchRequestEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SendMessageBatchRequestEntry {
    pub(crate) id: Option<String>,
    pub(crate) message_body: Option<String>,
    pub(crate) delay_seconds: Option<i32>,
    #[serde(alias = "MessageAttribute")]
    pub(crate) message_attributes: Option<MessageAttributeMap>,
    #[serde(alias = "MessageSystemAttribute")]
    pub(crate) message_system_attributes: Option<MessageAttributeMap>,
    pub(crate) message_deduplication_id: Option<String>,
    pub(crate) message_group_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchResult<T> {
    pub(crate) successful: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failed: Vec<BatchResultErrorEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendMessageBatchResultEntry {
    pub(crate) id: String,
    pub(crate) message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    pub(crate) md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    pub(crate) md5_of_message_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    pub(crate) md5_of_message_system_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence_number: Option<String>,
}

/// An entry that needs no more than its id: of `DeleteMessageBatch` and `ChangeMessageVisibilityBatch`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchResultEntry {
    pub(crate) id: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchResultErrorEntry {
    pub(crate) id: String,
    pub(crate) sender_fault: bool,
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeleteMessageBatchRequest {
    pub(crate) queue_url: Option<String>,
    #[serde(alias = "DeleteMessageBatchRequestEntry")]
    pub(crate) entries: Option<Vec<DeleteMessageBatchRequestEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeleteMessageBatchRequestEntry {
    pub(crate) id: Option<String>,
    pub(crate) receipt_handle: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ChangeMessageVisibilityBatchRequest {
    pub(crate) queue_url: Option<String>,
    #[serde(alias = "ChangeMessageVisibilityBatchRequestEntry")]
    pub(crate) entries: Option<Vec<ChangeMessageVisibilityBatchRequestEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ChangeMessageVisibilityBatchRequestEntry {
    pub(crate) id: Option<String>,
    pub(crate) receipt_handle: Option<String>,
    pub(crate) visibility_timeout: Option<i32>,
}
