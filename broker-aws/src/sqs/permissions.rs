//! Permissions: statements of the access policy by their labels (rule Q11). Kept and shown; nobody is refused for them.

use serde_json::{Map, Value, json};

use super::{
    errors, extras,
    shapes::{AddPermissionRequest, RemovePermissionRequest, Texts},
    target,
};
use crate::{
    call::Context,
    wire::error::{WireError, WireResult},
};

/// The largest policy, in bytes.
const POLICY_BYTES_MAX: usize = 8_192;
/// The most statements of a policy.
const STATEMENTS_MAX: usize = 20;
/// The most actions of a statement.
const ACTIONS_MAX: usize = 7;
/// The longest label, in characters.
const LABEL_CHARS_MAX: usize = 80;
/// What can be allowed to others.
const ACTIONS: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

/// Refuses a text that is no policy; an empty one takes the policy away.
pub(super) fn check(text: &str) -> WireResult<()> {
    let refuse = |reason: &str| Err(errors::invalid_attribute(extras::POLICY, reason));
    if text.is_empty() {
        return Ok(());
    }
    if text.len() > POLICY_BYTES_MAX {
        return refuse(&format!("At most {POLICY_BYTES_MAX} bytes are allowed."));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(policy)) if statements(&policy).len() <= STATEMENTS_MAX => Ok(()),
        Ok(Value::Object(_)) => refuse(&format!("At most {STATEMENTS_MAX} statements are allowed.")),
        _ => refuse("Must be a JSON object."),
    }
}

/// The statements of a policy: a list, or one that stands alone.
fn statements(policy: &Map<String, Value>) -> Vec<Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
        None => Vec::new(),
    }
}

pub(super) async fn add_permission(context: &Context, input: AddPermissionRequest) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let label = checked_label(input.label)?;
    let accounts = input.account_ids.unwrap_or_default();
    let actions = input.actions.unwrap_or_default();
    check_grants(&accounts, &actions)?;
    let arn = target::queue_arn(context, queue.name());
    change(context, &queue, &arn, |statements| {
        if statements.iter().any(|statement| statement["Sid"] == label.as_str()) {
            return Err(errors::invalid_value("Label", &label, "Already exists."));
        }
        let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
        statements.push(json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": { "AWS": one_or_many(principals) },
            "Action": one_or_many(actions.iter().map(|action| format!("SQS:{action}")).collect()),
            "Resource": arn,
        }));
        if statements.len() > STATEMENTS_MAX {
            let count = statements.len();
            return Err(over(&format!(
                "{count} statements were found, maximum allowed is {STATEMENTS_MAX}."
            )));
        }
        Ok(())
    })
    .await
}

pub(super) async fn remove_permission(context: &Context, input: RemovePermissionRequest) -> WireResult<()> {
    let queue = target::queue(context, input.queue_url.as_deref()).await?;
    let label = checked_label(input.label)?;
    let arn = target::queue_arn(context, queue.name());
    change(context, &queue, &arn, |statements| {
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != label.as_str());
        if statements.len() == before {
            return Err(errors::invalid_value("Label", &label, "can't find label."));
        }
        Ok(())
    })
    .await
}

/// Changes the statements of a queue's policy; the last one takes the policy with it.
async fn change(
    context: &Context,
    queue: &broker_core::LocalQueue,
    arn: &str,
    change: impl FnOnce(&mut Vec<Value>) -> WireResult<()>,
) -> WireResult<()> {
    let _kept = context.options.notes.lock().await;
    let mut kept = extras::of(context, queue).await?;
    let policy = kept.get(extras::POLICY).and_then(|text| serde_json::from_str(text).ok());
    let mut policy: Map<String, Value> = policy.unwrap_or_else(|| {
        Map::from_iter([
            ("Version".into(), json!("2008-10-17")),
            ("Id".into(), json!(format!("{arn}/SQSDefaultPolicy"))),
        ])
    });
    let mut statements = statements(&policy);
    change(&mut statements)?;
    let text = if statements.is_empty() {
        String::new()
    } else {
        policy.insert("Statement".into(), statements.into());
        Value::Object(policy).to_string()
    };
    check(&text)?;
    kept.apply(&Texts::from([(extras::POLICY.to_owned(), text)]));
    extras::keep(context, queue, &kept).await
}

fn checked_label(label: Option<String>) -> WireResult<String> {
    let label = label.ok_or_else(|| errors::missing("Label"))?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if label.is_empty() || label.len() > LABEL_CHARS_MAX || !label.bytes().all(allowed) {
        let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
        return Err(errors::invalid_value("Label", label, reason));
    }
    Ok(label)
}

fn check_grants(accounts: &[String], actions: &[String]) -> WireResult<()> {
    if accounts.is_empty() {
        return Err(errors::missing("AWSAccountIds"));
    }
    if actions.is_empty() {
        return Err(errors::missing("Actions"));
    }
    if let Some(account) = accounts.iter().find(|account| !crate::realm::is_account(account)) {
        let reason = "Must be the 12 digits of an account.";
        return Err(errors::invalid_value("AWSAccountId", account, reason));
    }
    if actions.len() > ACTIONS_MAX {
        let message = format!("{} Actions were found, maximum allowed is {ACTIONS_MAX}.", actions.len());
        return Err(over(&message));
    }
    match actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) {
        Some(action) => {
            let reason = "Only the queue owner is allowed to invoke this action.";
            Err(errors::invalid_value("ActionName", format!("SQS:{action}"), reason))
        }
        None => Ok(()),
    }
}

fn over(message: &str) -> WireError {
    WireError::sender("OverLimit", message).with_status(403)
}

/// A list, or its only item.
fn one_or_many(mut items: Vec<String>) -> Value {
    if items.len() == 1 { items.remove(0).into() } else { items.into() }
}
