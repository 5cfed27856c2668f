//! Operations on topics, their tags and permissions.

use serde::{Deserialize, Serialize};

use super::Texts;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateTopicInput {
    pub(crate) name: Option<String>,
    pub(crate) attributes: Option<Texts>,
    pub(crate) tags: Option<Vec<Tag>>,
    pub(crate) data_protection_policy: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateTopicResponse {
    pub(crate) topic_arn: String,
}

/// Of `DeleteTopic` and `GetTopicAttributes`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TopicInput {
    pub(crate) topic_arn: Option<String>,
}

/// Of `GetTopicAttributes` and `GetSubscriptionAttributes`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributesResponse {
    pub(crate) attributes: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SetTopicAttributesInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) attribute_name: Option<String>,
    pub(crate) attribute_value: Option<String>,
}

/// Of `ListTopics` and `ListSubscriptions`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListInput {
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTopicsResponse {
    pub(crate) topics: Vec<Topic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Topic {
    pub(crate) topic_arn: String,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TagResourceRequest {
    pub(crate) resource_arn: Option<String>,
    pub(crate) tags: Option<Vec<Tag>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UntagResourceRequest {
    pub(crate) resource_arn: Option<String>,
    pub(crate) tag_keys: Option<Vec<String>>,
}

/// Of `ListTagsForResource` and `GetDataProtectionPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ResourceInput {
    pub(crate) resource_arn: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListTagsForResourceResponse {
    pub(crate) tags: Vec<Tag>,
}

/// Of `TagResource` and `UntagResource`: a shape without members.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct TagResourceResponse {}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AddPermissionInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) label: Option<String>,
    #[serde(rename = "AWSAccountId")]
    pub(crate) account_ids: Option<Vec<String>>,
    #[serde(rename = "ActionName")]
    pub(crate) actions: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RemovePermissionInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) label: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PutDataProtectionPolicyInput {
    pub(crate) resource_arn: Option<String>,
    pub(crate) data_protection_policy: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetDataProtectionPolicyResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_protection_policy: Option<String>,
}
