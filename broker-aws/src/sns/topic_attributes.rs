//! The attributes of topics: from texts to the broker's settings, and back (rule N5).

use broker_core::{DeliveryPolicy, FifoThroughputScope, TopicAttributes, TopicSettings};
use serde_json::{Value, json};

use super::{
    errors::{self, Via},
    policy,
    shapes::Texts,
};
use crate::wire::error::WireResult;

/// Which scheme signs the topic's messages.
pub(super) const SIGNATURE_VERSION: &str = "SignatureVersion";
/// Who may do what. It is kept and shown; nobody is refused by it.
pub(super) const POLICY: &str = "Policy";
/// What must not be in messages. It is kept and shown; nothing is refused by it.
pub(super) const DATA_PROTECTION: &str = "DataProtectionPolicy";
/// Of protocols that can tell of deliveries: kept and shown, as there is no log service to tell.
const FEEDBACK_PROTOCOLS: [&str; 5] = ["HTTP", "Firehose", "Lambda", "Application", "SQS"];
const SUCCESS_ROLE: &str = "SuccessFeedbackRoleArn";
const FAILURE_ROLE: &str = "FailureFeedbackRoleArn";
const SAMPLE_RATE: &str = "SuccessFeedbackSampleRate";

/// What the attributes of a topic say.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// To the broker.
    pub(super) settings: TopicSettings,
    /// What the broker has no use for; an empty text: what it is by default.
    pub(super) extras: Texts,
}

/// Reads the attributes that a topic is made with.
pub(super) fn read_all(attributes: Texts) -> WireResult<Given> {
    let mut given = Given::default();
    for (name, value) in attributes {
        given.add(&name, value, Via::Creation)?;
    }
    Ok(given)
}

/// Reads an attribute that is to be changed.
pub(super) fn read_one(name: &str, value: String) -> WireResult<Given> {
    // The type of a topic is settled.
    if name == "FifoTopic" {
        return Err(unknown(name, Via::Change));
    }
    let mut given = Given::default();
    given.add(name, value, Via::Change)?;
    Ok(given)
}

fn unknown(name: &str, via: Via) -> crate::wire::error::WireError {
    match via {
        Via::Creation => via.invalid(format!("Unknown attribute {name}")),
        Via::Change => errors::invalid("AttributeName"),
    }
}

/// A flag as text.
pub(super) fn flag(name: &str, value: &str, via: Via) -> WireResult<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(via.invalid(format!("{name}: Invalid value [{value}]. Must be true or false."))),
    }
}

/// A value that is one of these, or empty.
fn one_of(name: &str, value: &str, allowed: &[&str], via: Via) -> WireResult<()> {
    if value.is_empty() || allowed.contains(&value) {
        return Ok(());
    }
    let allowed = allowed.join(" or ");
    Err(via.invalid(format!("{name}: Invalid value [{value}]. Must be {allowed}.")))
}

/// A JSON object, or nothing.
fn object(name: &str, value: &str, via: Via) -> WireResult<()> {
    if value.is_empty() || policy::read::<Value>(name, value, via)?.is_object() {
        return Ok(());
    }
    Err(via.invalid(format!("{name}: must be a JSON object")))
}

/// Whether an attribute is about telling of deliveries, and the part behind its protocol.
fn feedback(name: &str) -> Option<&str> {
    let part = FEEDBACK_PROTOCOLS.iter().find_map(|protocol| name.strip_prefix(protocol))?;
    [SUCCESS_ROLE, FAILURE_ROLE, SAMPLE_RATE].contains(&part).then_some(part)
}

impl Given {
    fn add(&mut self, name: &str, value: String, via: Via) -> WireResult<()> {
        let settings = &mut self.settings;
        match name {
            "DisplayName" => settings.display_name = Some(value),
            "FifoTopic" => settings.fifo = Some(flag(name, &value, via)?),
            "ContentBasedDeduplication" => {
                settings.content_based_deduplication = Some(flag(name, &value, via)?);
            }
            "FifoThroughputScope" => {
                settings.fifo_throughput_scope = Some(match value.as_str() {
                    "Topic" => FifoThroughputScope::Topic,
                    "MessageGroup" => FifoThroughputScope::MessageGroup,
                    _ => {
                        let allowed = "Must be Topic or MessageGroup.";
                        return Err(via.invalid(format!("{name}: Invalid value [{value}]. {allowed}")));
                    }
                });
            }
            "MaximumMessageSize" => {
                let refused = |_| via.invalid(format!("{name}: Invalid value [{value}]. Must be a number."));
                settings.max_message_size = Some(value.parse().map_err(refused)?);
            }
            "ArchivePolicy" => settings.archive_policy = Some(policy::archive(&value, via)?),
            "DeliveryPolicy" => {
                let (policy, disable_overrides) = policy::delivery_of_topic(&value, via)?;
                settings.delivery_policy = Some(policy);
                settings.disable_subscription_overrides = Some(disable_overrides);
            }
            _ => {
                check_extra(name, &value, via)?;
                self.extras.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }
}

/// Refuses an attribute that SNS does not have, or not with this value.
fn check_extra(name: &str, value: &str, via: Via) -> WireResult<()> {
    match name {
        POLICY => object(name, value, via),
        SIGNATURE_VERSION => one_of(name, value, &["1", "2"], via),
        "TracingConfig" => one_of(name, value, &["PassThrough", "Active"], via),
        "KmsMasterKeyId" => Ok(()),
        _ => match feedback(name) {
            Some(SAMPLE_RATE) if !value.is_empty() && !value.parse().is_ok_and(|share: u8| share <= 100) => {
                Err(via.invalid(format!("{name}: Invalid value [{value}]. Must be between 0 and 100.")))
            }
            Some(_) => Ok(()),
            None => Err(unknown(name, via)),
        },
    }
}

/// A topic's attributes as SNS shows them.
pub(super) fn show(topic: &TopicAttributes, arn: &str, account: &str, mut extras: Texts) -> Texts {
    extras.remove(DATA_PROTECTION);
    let mut shown = extras;
    let mut put = |name: &str, value: String| {
        shown.entry(name.to_owned()).or_insert(value);
    };
    put("TopicArn", arn.to_owned());
    put("Owner", account.to_owned());
    put("DisplayName", topic.display_name.clone());
    put(POLICY, default_policy(arn, account).to_string());
    put("SubscriptionsConfirmed", topic.subscriptions_confirmed.to_string());
    put("SubscriptionsPending", topic.subscriptions_pending.to_string());
    put("SubscriptionsDeleted", "0".into());
    put("MaximumMessageSize", topic.max_message_size.to_string());
    let disabled = topic.disable_subscription_overrides;
    put("EffectiveDeliveryPolicy", policy::show_of_topic(&topic.effective_delivery_policy, disabled));
    let own = topic.delivery_policy.as_ref();
    if let Some(own) = own.filter(|own| disabled || **own != DeliveryPolicy::http()) {
        put("DeliveryPolicy", policy::show_of_topic(own, disabled));
    }
    if topic.fifo {
        put("FifoTopic", "true".into());
        put("ContentBasedDeduplication", topic.content_based_deduplication.to_string());
        let scope = match topic.fifo_throughput_scope {
            FifoThroughputScope::Topic => "Topic",
            FifoThroughputScope::MessageGroup => "MessageGroup",
        };
        put("FifoThroughputScope", scope.into());
        if let Some(archive) = policy::show_archive(topic.archive_policy) {
            put("ArchivePolicy", archive);
        }
    }
    shown
}

/// What a topic allows that was told nothing: everything to its own account.
pub(super) fn default_policy(arn: &str, account: &str) -> Value {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": [
                "SNS:GetTopicAttributes",
                "SNS:SetTopicAttributes",
                "SNS:AddPermission",
                "SNS:RemovePermission",
                "SNS:DeleteTopic",
                "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic",
                "SNS:Publish",
            ],
            "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": account } },
        }],
    })
}
