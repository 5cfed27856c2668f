//! Operations on queues.

use serde::{Deserialize, Serialize};

use super::Texts;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateQueueRequest {
    pub(crate) queue_name: Option<String>,
    #[serde(alias = "Attribute")]
    pub(crate) attributes: Option<Texts>,
    /// The model spells this one small, and the query protocol `Tag`.
    #[serde(rename = "tags", alias = "Tag", alias = "Tags")]
    pub(crate) tags: Option<Texts>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateQueueResult {
    pub(crate) queue_url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct GetQueueUrlRequest {
    pub(crate) queue_name: Option<String>,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    pub(crate) queue_owner: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueUrlResult {
    pub(crate) queue_url: String,
}

/// Of `DeleteQueue`, `PurgeQueue` and `ListQueueTags`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct QueueRequest {
    pub(crate) queue_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListQueuesRequest {
    pub(crate) queue_name_prefix: Option<String>,
    pub(crate) next_token: Option<String>,
    pub(crate) max_results: Option<i32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListQueuesResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListDeadLetterSourceQueuesRequest {
    pub(crate) queue_url: Option<String>,
    pub(crate) next_token: Option<String>,
    pub(crate) max_results: Option<i32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ListDeadLetterSourceQueuesResult {
    /// The model spells this one small.
    #[serde(rename = "queueUrls")]
    pub(crate) queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct GetQueueAttributesRequest {
    pub(crate) queue_url: Option<String>,
    #[serde(alias = "AttributeName")]
    pub(crate) attribute_names: Option<Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueAttributesResult {
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(crate) attributes: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SetQueueAttributesRequest {
    pub(crate) queue_url: Option<String>,
    #[serde(alias = "Attribute")]
    pub(crate) attributes: Option<Texts>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TagQueueRequest {
    pub(crate) queue_url: Option<String>,
    #[serde(alias = "Tag")]
    pub(crate) tags: Option<Texts>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UntagQueueRequest {
    pub(crate) queue_url: Option<String>,
    #[serde(alias = "TagKey")]
    pub(crate) tag_keys: Option<Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListQueueTagsResult {
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(crate) tags: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AddPermissionRequest {
    pub(crate) queue_url: Option<String>,
    pub(crate) label: Option<String>,
    #[serde(rename = "AWSAccountIds", alias = "AWSAccountId")]
    pub(crate) account_ids: Option<Vec<String>>,
    #[serde(alias = "ActionName")]
    pub(crate) actions: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RemovePermissionRequest {
    pub(crate) queue_url: Option<String>,
    pub(crate) label: Option<String>,
}
