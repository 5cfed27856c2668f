//! Resource policies of streams, consumers and queues (rule K90): kept and shown. Nobody is refused for them, as there are no
//! accounts to refuse.

use super::{
    check::Checks,
    consumers, errors, extras,
    extras::{ConsumerNote, POLICY_BYTES_MAX, StreamExtras},
    queues::{self, QueueNote},
    shapes::{GetPolicyOutput, PutPolicyInput, ResourceInput},
    target::{ConsumerName, Target, name_in_arn},
};
use crate::{call::Context, wire::error::WireResult};

/// What has tags and policies.
pub(super) enum Resource {
    Stream(Box<Target>),
    Consumer(ConsumerName, ConsumerNote),
    Queue(String, QueueNote),
}

/// What an ARN names.
pub(super) async fn resource(context: &Context, arn: &str) -> WireResult<Resource> {
    if arn.contains("/consumer/") {
        let name = ConsumerName::of_arn(context, arn)?;
        let (_, consumer) = consumers::found(context, &name).await?;
        return Ok(Resource::Consumer(name, consumer));
    }
    if arn.contains(":queue/") {
        let (name, queue) = queues::found(context, arn).await?;
        return Ok(Resource::Queue(name, queue));
    }
    let target = Target::named(context, name_in_arn(context, arn)?).await?;
    Ok(Resource::Stream(Box::new(target)))
}

pub(super) async fn put_resource_policy(context: &Context, input: PutPolicyInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let arn = checks.required("resourceARN", input.arn);
    let policy = checks.required("policy", input.policy);
    checks.done()?;
    if policy.len() > POLICY_BYTES_MAX {
        let message =
            format!("The policy has {} bytes, at most {POLICY_BYTES_MAX} are allowed.", policy.len());
        return Err(errors::invalid(message));
    }
    if !serde_json::from_str::<serde_json::Value>(&policy).is_ok_and(|policy| policy.is_object()) {
        return Err(errors::invalid("The policy is not a JSON object."));
    }
    set(context, &arn, Some(policy)).await.map(drop)
}

pub(super) async fn get_resource_policy(
    context: &Context,
    input: ResourceInput,
) -> WireResult<GetPolicyOutput> {
    let mut checks = Checks::default();
    let arn = checks.required("resourceARN", input.arn);
    checks.done()?;
    let policy = match resource(context, &arn).await? {
        Resource::Stream(target) => target.extras.policy,
        Resource::Consumer(_, consumer) => consumer.policy,
        Resource::Queue(_, queue) => queue.policy,
    };
    Ok(GetPolicyOutput { policy: policy.unwrap_or_else(|| "{}".into()) })
}

pub(super) async fn delete_resource_policy(context: &Context, input: ResourceInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let arn = checks.required("resourceARN", input.arn);
    checks.done()?;
    match set(context, &arn, None).await? {
        Some(_) => Ok(()),
        None => Err(errors::not_found(format!("No resource policy found for resource ARN {arn}"))),
    }
}

/// Sets a policy, and returns the one before.
async fn set(context: &Context, arn: &str, policy: Option<String>) -> WireResult<Option<String>> {
    let _held = context.options.notes.lock().await;
    match resource(context, arn).await? {
        Resource::Stream(target) => {
            let mut before = None;
            let set = |extras: &mut StreamExtras| before = std::mem::replace(&mut extras.policy, policy);
            StreamExtras::change_held(context, &target.attributes, set).await?;
            Ok(before)
        }
        Resource::Consumer(name, mut consumer) => {
            let before = std::mem::replace(&mut consumer.policy, policy);
            extras::keep_consumer(context, &name.stream, &name.name, &consumer).await?;
            Ok(before)
        }
        Resource::Queue(name, mut queue) => {
            let before = std::mem::replace(&mut queue.policy, policy);
            queue.keep(context, &name).await?;
            Ok(before)
        }
    }
}
