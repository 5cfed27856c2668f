//! Operations on messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Texts;
use crate::wire::blob::Blob;

/// A message attribute, on its way in or out.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct MessageAttributeValue {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<Blob>,
    #[serde(alias = "StringListValue", skip_serializing_if = "Option::is_none")]
    pub(crate) string_list_values: Option<Vec<String>>,
    #[serde(alias = "BinaryListValue", skip_serializing_if = "Option::is_none")]
    pub(crate) binary_list_values: Option<Vec<Blob>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_type: Option<String>,
}

pub(crate) type MessageAttributeMap = BTreeMap<String, MessageAttributeValue>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SendMessageRequest {
    pub(crate) queue_url: Option<String>,
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
pub(crate) struct SendMessageResult {
    #[serde(rename = "MD5OfMessageBody")]
    pub(crate) md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    pub(crate) md5_of_message_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    pub(crate) md5_of_message_system_attributes: Option<String>,
    pub(crate) message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence_number: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ReceiveMessageRequest {
    pub(crate) queue_url: Option<String>,
    #[serde(alias = "AttributeName")]
    pub(crate) attribute_names: Option<Vec<String>>,
    #[serde(alias = "MessageSystemAttributeName")]
    pub(crate) message_system_attribute_names: Option<Vec<String>>,
    #[serde(alias = "MessageAttributeName")]
    pub(crate) message_attribute_names: Option<Vec<String>>,
    pub(crate) max_number_of_messages: Option<i32>,
    pub(crate) visibility_timeout: Option<i32>,
    pub(crate) wait_time_seconds: Option<i32>,
    pub(crate) receive_request_attempt_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReceiveMessageResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) messages: Vec<Message>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "named as the members of the model")]
pub(crate) struct Message {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    pub(crate) md5_of_body: String,
    pub(crate) body: String,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(crate) attributes: Texts,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    pub(crate) md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "MessageAttributeMap::is_empty")]
    pub(crate) message_attributes: MessageAttributeMap,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeleteMessageRequest {
    pub(crate) queue_url: Option<String>,
    pub(crate) receipt_handle: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ChangeMessageVisibilityRequest {
    pub(crate) queue_url: Option<String>,
    pub(crate) receipt_handle: Option<String>,
    pub(crate) visibility_timeout: Option<i32>,
}
