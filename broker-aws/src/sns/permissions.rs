//! What a topic allows to whom, and what must not be in its messages. Both are kept and shown; nobody is refused by them.

use serde_json::{Value, json};

use super::{
    desk::Desk,
    errors::{self, Via},
    extras::Owner,
    policy,
    shapes::{
        AddPermissionInput, GetDataProtectionPolicyResponse, PutDataProtectionPolicyInput,
        RemovePermissionInput, ResourceInput, Texts,
    },
    topic_attributes::{DATA_PROTECTION, POLICY, default_policy},
    topics::TOPIC_ARN,
};
use crate::wire::error::WireResult;

/// What can be allowed to others.
const ACTIONS: [&str; 8] = [
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
];

/// One value as it is, several as a list.
fn one_or_many(values: Vec<String>) -> Value {
    match <[String; 1]>::try_from(values) {
        Ok([value]) => value.into(),
        Err(values) => values.into(),
    }
}

/// The statements of a policy.
fn statements(policy: &mut Value) -> WireResult<&mut Vec<Value>> {
    let not_ours = || errors::invalid("Policy Reason: it has no list of statements");
    policy.get_mut("Statement").and_then(Value::as_array_mut).ok_or_else(not_ours)
}

fn is_labelled(statement: &Value, label: &str) -> bool {
    statement.get("Sid").and_then(Value::as_str) == Some(label)
}

/// Changes the policy of a topic.
async fn change_policy(
    desk: &Desk,
    arn: Option<&str>,
    change: impl FnOnce(&mut Vec<Value>, &str) -> WireResult<()>,
) -> WireResult<()> {
    let topic = desk.topic(arn, TOPIC_ARN).await?;
    let (owner, arn) = (Owner::Topic(topic.name().to_owned()), desk.topic_arn(topic.name()));
    let _change = desk.changes.lock().await;
    let mut policy = match desk.names.extras.get(&owner, POLICY) {
        Some(text) => policy::read(POLICY, &text, Via::Change)?,
        None => default_policy(&arn, desk.names.realm.account()),
    };
    change(statements(&mut policy)?, &arn)?;
    let changed = Texts::from([(POLICY.to_owned(), policy.to_string())]);
    let changed = desk.names.extras.change(&desk.broker, owner, changed).await;
    changed.map_err(|error| errors::from_broker(&error))
}

pub(super) async fn add(desk: &Desk, input: AddPermissionInput) -> WireResult<()> {
    let label = input.label.ok_or_else(|| errors::missing("label"))?;
    let accounts = input.account_ids.ok_or_else(|| errors::missing("aWSAccountId"))?;
    let actions = input.actions.ok_or_else(|| errors::missing("actionName"))?;
    if !actions.iter().all(|action| ACTIONS.contains(&action.as_str())) {
        return Err(errors::invalid("Policy statement action out of service scope!"));
    }
    let add = |statements: &mut Vec<Value>, arn: &str| {
        if statements.iter().any(|statement| is_labelled(statement, &label)) {
            return Err(errors::invalid("Statement already exists"));
        }
        let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
        let actions = actions.iter().map(|action| format!("SNS:{action}")).collect();
        statements.push(json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": { "AWS": one_or_many(principals) },
            "Action": one_or_many(actions),
            "Resource": arn,
        }));
        Ok(())
    };
    change_policy(desk, input.topic_arn.as_deref(), add).await
}

pub(super) async fn remove(desk: &Desk, input: RemovePermissionInput) -> WireResult<()> {
    let label = input.label.ok_or_else(|| errors::missing("label"))?;
    let remove = |statements: &mut Vec<Value>, _: &str| {
        statements.retain(|statement| !is_labelled(statement, &label));
        Ok(())
    };
    change_policy(desk, input.topic_arn.as_deref(), remove).await
}

/// The parameter that names the topic of a data protection policy.
const RESOURCE_ARN: &str = "ResourceArn";

pub(super) async fn put_data_protection(desk: &Desk, input: PutDataProtectionPolicyInput) -> WireResult<()> {
    let text = input.data_protection_policy.ok_or_else(|| errors::missing("dataProtectionPolicy"))?;
    let topic = desk.topic(input.resource_arn.as_deref(), RESOURCE_ARN).await?;
    if !text.is_empty() {
        policy::read::<Value>(DATA_PROTECTION, &text, Via::Change)?;
    }
    let _change = desk.changes.lock().await;
    let (owner, change) = (Owner::Topic(topic.name().to_owned()), [(DATA_PROTECTION.to_owned(), text)]);
    let changed = desk.names.extras.change(&desk.broker, owner, Texts::from(change)).await;
    changed.map_err(|error| errors::from_broker(&error))
}

pub(super) async fn get_data_protection(
    desk: &Desk,
    input: ResourceInput,
) -> WireResult<GetDataProtectionPolicyResponse> {
    let topic = desk.topic(input.resource_arn.as_deref(), RESOURCE_ARN).await?;
    let owner = Owner::Topic(topic.name().to_owned());
    let data_protection_policy = desk.names.extras.get(&owner, DATA_PROTECTION);
    Ok(GetDataProtectionPolicyResponse { data_protection_policy })
}
