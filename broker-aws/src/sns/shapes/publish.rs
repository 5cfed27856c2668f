//! Operations on messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::blob::Blob;

/// A message attribute.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct MessageAttributeValue {
    pub(crate) data_type: Option<String>,
    pub(crate) string_value: Option<String>,
    pub(crate) binary_value: Option<Blob>,
}

pub(crate) type MessageAttributeMap = BTreeMap<String, MessageAttributeValue>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PublishInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) target_arn: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) message_structure: Option<String>,
    pub(crate) message_attributes: Option<MessageAttributeMap>,
    pub(crate) message_deduplication_id: Option<String>,
    pub(crate) message_group_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishResponse {
    pub(crate) message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence_number: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PublishBatchInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) publish_batch_request_entries: Option<Vec<PublishBatchRequestEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PublishBatchRequestEntry {
    pub(crate) id: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) message_structure: Option<String>,
    pub(crate) message_attributes: Option<MessageAttributeMap>,
    pub(crate) message_deduplication_id: Option<String>,
    pub(crate) message_group_id: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishBatchResponse {
    pub(crate) successful: Vec<PublishBatchResultEntry>,
    pub(crate) failed: Vec<BatchResultErrorEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishBatchResultEntry {
    pub(crate) id: String,
    pub(crate) message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence_number: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchResultErrorEntry {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) sender_fault: bool,
}
