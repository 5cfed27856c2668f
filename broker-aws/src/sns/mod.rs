//! SNS: dispatch of its operations.
//!
//! | file | what it is for |
//! |---|---|
//! | `shapes` | inputs and outputs |
//! | `errors` | from the broker's errors to those of SNS |
//! | `desk` | what is kept of each realm |
//! | `target` | from ARNs to topics and subscriptions |
//! | `topics`, `tags`, `permissions` | operations on topics |
//! | `subscriptions` | operations on subscriptions |
//! | `publish`, `message_attributes` | messages |
//! | `topic_attributes`, `subscription_attributes`, `policy` | attributes: from texts to settings, and back |
//! | `extras` | attributes that the broker has no use for |
//! | `names`, `signature` | what the envelope of a message says of the world around the broker |
//! | `http` | deliveries to HTTP endpoints |

mod desk;
mod errors;
mod extras;
pub(crate) mod http;
mod message_attributes;
mod names;
mod permissions;
mod policy;
mod publish;
pub(crate) mod shapes;
mod signature;
mod subscription_attributes;
mod subscriptions;
mod tags;
mod target;
mod topic_attributes;
mod topics;

pub(crate) use desk::Sns;

use crate::{
    call::Call,
    protocol::answer::Answer,
    wire::error::{WireError, WireResult},
};

impl Sns {
    /// Answers a call.
    pub(crate) async fn dispatch(&self, call: &Call) -> WireResult<Answer> {
        let (context, operation) = (call.context(), call.operation());
        if !OPERATIONS.contains(&operation) {
            return Err(unknown(operation));
        }
        let origin = &context.origin;
        let desk = self.desk(&origin.realm, &context.broker, &origin.endpoint).await;
        let desk = &*desk.map_err(|error| errors::from_broker(&error))?;
        match operation {
            "CreateTopic" => call.answer(&topics::create(desk, call.input()?).await?),
            "DeleteTopic" => call.answer(&topics::delete(desk, call.input()?).await?),
            "GetTopicAttributes" => call.answer(&topics::get_attributes(desk, call.input()?).await?),
            "SetTopicAttributes" => call.answer(&topics::set_attributes(desk, call.input()?).await?),
            "ListTopics" => call.answer(&topics::list(desk, &call.input()?)?),
            "TagResource" => call.answer(&tags::tag(desk, call.input()?).await?),
            "UntagResource" => call.answer(&tags::untag(desk, call.input()?).await?),
            "ListTagsForResource" => call.answer(&tags::list(desk, call.input()?).await?),
            "AddPermission" => call.answer(&permissions::add(desk, call.input()?).await?),
            "RemovePermission" => call.answer(&permissions::remove(desk, call.input()?).await?),
            "PutDataProtectionPolicy" => {
                call.answer(&permissions::put_data_protection(desk, call.input()?).await?)
            }
            "GetDataProtectionPolicy" => {
                call.answer(&permissions::get_data_protection(desk, call.input()?).await?)
            }
            "Subscribe" => call.answer(&subscriptions::subscribe(desk, context, call.input()?).await?),
            "ConfirmSubscription" => {
                call.answer(&subscriptions::confirm(desk, context, call.input()?).await?)
            }
            "Unsubscribe" => call.answer(&subscriptions::unsubscribe(desk, context, call.input()?).await?),
            "ListSubscriptions" => call.answer(&subscriptions::list(desk, call.input()?).await?),
            "ListSubscriptionsByTopic" => {
                call.answer(&subscriptions::list_by_topic(desk, call.input()?).await?)
            }
            "GetSubscriptionAttributes" => {
                call.answer(&subscription_attributes::get(desk, call.input()?).await?)
            }
            "SetSubscriptionAttributes" => {
                call.answer(&subscription_attributes::set(desk, call.input()?).await?)
            }
            "Publish" => call.answer(&publish::publish(desk, call.input()?).await?),
            "PublishBatch" => call.answer(&publish::publish_batch(desk, call.input()?).await?),
            operation => Err(unknown(operation)),
        }
    }
}

/// The operations of SNS that this service has: topics, subscriptions, messages.
pub(crate) const OPERATIONS: [&str; 21] = [
    "AddPermission",
    "ConfirmSubscription",
    "CreateTopic",
    "DeleteTopic",
    "GetDataProtectionPolicy",
    "GetSubscriptionAttributes",
    "GetTopicAttributes",
    "ListSubscriptions",
    "ListSubscriptionsByTopic",
    "ListTagsForResource",
    "ListTopics",
    "Publish",
    "PublishBatch",
    "PutDataProtectionPolicy",
    "RemovePermission",
    "SetSubscriptionAttributes",
    "SetTopicAttributes",
    "Subscribe",
    "TagResource",
    "Unsubscribe",
    "UntagResource",
];

/// The operations of SNS on telephones and apps, which nothing here could reach.
pub(crate) const ON_PHONES: [&str; 21] = [
    "CheckIfPhoneNumberIsOptedOut",
    "CreatePlatformApplication",
    "CreatePlatformEndpoint",
    "CreateSMSSandboxPhoneNumber",
    "DeleteEndpoint",
    "DeletePlatformApplication",
    "DeleteSMSSandboxPhoneNumber",
    "GetEndpointAttributes",
    "GetPlatformApplicationAttributes",
    "GetSMSAttributes",
    "GetSMSSandboxAccountStatus",
    "ListEndpointsByPlatformApplication",
    "ListOriginationNumbers",
    "ListPhoneNumbersOptedOut",
    "ListPlatformApplications",
    "ListSMSSandboxPhoneNumbers",
    "OptInPhoneNumber",
    "SetEndpointAttributes",
    "SetPlatformApplicationAttributes",
    "SetSMSAttributes",
    "VerifySMSSandboxPhoneNumber",
];

fn unknown(operation: &str) -> WireError {
    if ON_PHONES.contains(&operation) {
        let reason = "this service reaches no telephones and no apps";
        return errors::invalid_action(format!("The action {operation} is not available: {reason}."));
    }
    errors::invalid_action(format!("The action {operation} is not valid for this endpoint."))
}

/// Whether a member of an output is a map, by its name: the XML writes those differently from structures.
pub(crate) fn is_map(member: &str) -> bool {
    member == "Attributes"
}

/// Whether an operation is one of SNS alone: links in messages name nothing else of the service that they lead to.
pub(crate) fn is_linked(operation: &str) -> bool {
    matches!(operation, "ConfirmSubscription" | "Unsubscribe")
}
