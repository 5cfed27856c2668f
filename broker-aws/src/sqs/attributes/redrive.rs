//! The two policies about dead letters: JSON in a string, with ARNs where the broker has names (rules Q82, Q84).

use broker_core::{RedriveAllowPolicy, RedrivePolicy};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::Context,
    sqs::{errors, target},
    wire::error::{WireError, WireResult},
};

pub(super) const POLICY: &str = "RedrivePolicy";
const ALLOW: &str = "RedriveAllowPolicy";
/// The most deliveries before a message is a dead letter.
const RECEIVES_MAX: u32 = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    dead_letter_target_arn: Option<String>,
    /// A number, or one in a string.
    max_receive_count: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AllowWritten {
    redrive_permission: Option<String>,
    source_queue_arns: Option<Vec<String>>,
}

/// A value that is refused, with the reason.
fn refused(attribute: &str, text: &str, reason: &str) -> WireError {
    errors::invalid_value(attribute, text, reason)
}

/// The policy in a string; an empty one takes it away.
pub(super) fn read(context: &Context, text: &str) -> WireResult<RedrivePolicy> {
    if text.is_empty() {
        return Ok(RedrivePolicy::None);
    }
    let written: Written = serde_json::from_str(text)
        .map_err(|_| refused(POLICY, text, "Redrive policy is not a valid JSON map."))?;
    let incomplete = |name: &str| {
        refused(POLICY, text, &format!("Redrive policy does not contain mandatory attribute: {name}."))
    };
    let target = written.dead_letter_target_arn.ok_or_else(|| incomplete("deadLetterTargetArn"))?;
    let count = match written.max_receive_count {
        None => return Err(incomplete("maxReceiveCount")),
        Some(Value::String(count)) => count,
        Some(count) => count.to_string(),
    };
    let Some(receives) = count.parse().ok().filter(|count| (1..=RECEIVES_MAX).contains(count)) else {
        let reason = format!(
            "Invalid value for maxReceiveCount: {count}, valid values are from 1 to {RECEIVES_MAX} both inclusive."
        );
        return Err(refused(POLICY, text, &reason));
    };
    match target::queue_of_arn(context, &target) {
        Some(queue) => Ok(RedrivePolicy::to(queue, receives)),
        None => Err(no_such_target(text)),
    }
}

/// The dead-letter queue does not exist, or not in this realm.
pub(super) fn no_such_target(text: &str) -> WireError {
    refused(POLICY, text, "Dead letter target does not exist.")
}

/// The policy in a string; an empty one takes it away.
pub(super) fn read_allow(context: &Context, text: &str) -> WireResult<RedriveAllowPolicy> {
    if text.is_empty() {
        return Ok(RedriveAllowPolicy::AllowAll);
    }
    let written: AllowWritten = serde_json::from_str(text)
        .map_err(|_| refused(ALLOW, text, "Redrive allow policy is not a valid JSON map."))?;
    let sources = written.source_queue_arns;
    match written.redrive_permission.as_deref() {
        Some("allowAll" | "denyAll") if sources.is_some() => {
            Err(refused(ALLOW, text, "sourceQueueArns is for the redrivePermission byQueue only."))
        }
        Some("allowAll") => Ok(RedriveAllowPolicy::AllowAll),
        Some("denyAll") => Ok(RedriveAllowPolicy::DenyAll),
        Some("byQueue") => {
            let named = |arn: &String| target::queue_of_arn(context, arn).map(str::to_owned);
            let allowed = sources.unwrap_or_default().iter().map(named).collect::<Option<Vec<_>>>();
            let allowed = allowed.filter(|names| (1..=SOURCES_MAX).contains(&names.len()));
            let reason =
                format!("sourceQueueArns must name 1 to {SOURCES_MAX} queues of this account and region.");
            allowed.map(RedriveAllowPolicy::ByQueue).ok_or_else(|| refused(ALLOW, text, &reason))
        }
        _ => Err(refused(ALLOW, text, "redrivePermission must be allowAll, denyAll or byQueue.")),
    }
}

/// The most queues that a policy names.
const SOURCES_MAX: usize = 10;

/// The policy as a string, if there is one.
pub(super) fn shown(context: &Context, policy: &RedrivePolicy) -> Option<String> {
    let (queue, receives) = policy.target()?;
    let arn = target::queue_arn(context, queue);
    Some(json!({ "deadLetterTargetArn": arn, "maxReceiveCount": receives }).to_string())
}

/// The policy as a string, if it is not that of a queue that was told none.
pub(super) fn allow_shown(context: &Context, policy: &RedriveAllowPolicy) -> Option<String> {
    let shown = match policy {
        RedriveAllowPolicy::AllowAll => return None,
        RedriveAllowPolicy::DenyAll => json!({ "redrivePermission": "denyAll" }),
        RedriveAllowPolicy::ByQueue(names) => {
            let arns: Vec<_> = names.iter().map(|name| target::queue_arn(context, name)).collect();
            json!({ "redrivePermission": "byQueue", "sourceQueueArns": arns })
        }
    };
    Some(shown.to_string())
}
