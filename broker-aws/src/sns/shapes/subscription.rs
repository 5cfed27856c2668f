//! Operations on subscriptions.

use serde::{Deserialize, Serialize};

use super::Texts;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SubscribeInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) attributes: Option<Texts>,
    pub(crate) return_subscription_arn: Option<bool>,
}

/// Of Subscribe and `ConfirmSubscription`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SubscribeResponse {
    pub(crate) subscription_arn: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ConfirmSubscriptionInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) authenticate_on_unsubscribe: Option<String>,
}

/// Of Unsubscribe and `GetSubscriptionAttributes`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SubscriptionInput {
    pub(crate) subscription_arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SetSubscriptionAttributesInput {
    pub(crate) subscription_arn: Option<String>,
    pub(crate) attribute_name: Option<String>,
    pub(crate) attribute_value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListSubscriptionsByTopicInput {
    pub(crate) topic_arn: Option<String>,
    pub(crate) next_token: Option<String>,
}

/// Of `ListSubscriptions` and `ListSubscriptionsByTopic`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListSubscriptionsResponse {
    pub(crate) subscriptions: Vec<Subscription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Subscription {
    #[serde(rename = "SubscriptionArn")]
    pub(crate) arn: String,
    pub(crate) owner: String,
    pub(crate) protocol: String,
    pub(crate) endpoint: String,
    pub(crate) topic_arn: String,
}
