//! Registered consumers (rule K70). They are there as soon as they are registered, and gone as soon as they are not.

use broker_core::{StreamAttributes, Timestamp};

use super::{
    check::{Checks, required_name},
    errors, extras,
    extras::{ConsumerNote, StreamExtras},
    shapes::{
        Consumer, ConsumerDescription, ConsumerInput, DescribeConsumerOutput, ListConsumersInput,
        ListConsumersOutput, RegisterConsumerInput, RegisterConsumerOutput,
    },
    tags,
    target::{ConsumerName, Target, name_in_arn, open, stream_arn},
    time::Time,
    token,
};
use crate::{call::Context, wire::error::WireResult};

/// The most consumers and queues of a stream (rule K70).
pub(super) const CONSUMERS_MAX: usize = 20;
/// How many are listed at once if the request does not say.
const LISTED: i32 = 100;

pub(super) async fn register(
    context: &Context,
    input: RegisterConsumerInput,
) -> WireResult<RegisterConsumerOutput> {
    let mut checks = Checks::default();
    let arn = checks.required("streamARN", input.stream_arn);
    let name = required_name(&mut checks, "consumerName", input.name.as_deref());
    checks.done()?;
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags)?;
    let target = Target::named(context, name_in_arn(context, &arn)?).await?;
    let stream = &target.attributes;
    let _held = context.options.notes.lock().await;
    let registered = extras::consumers(context, stream).await?;
    if registered.iter().any(|(other, _)| *other == name) {
        let account = context.origin.realm.account();
        return Err(errors::in_use(format!(
            "Consumer {name} under stream {} already exists for account {account}.",
            stream.name
        )));
    }
    check_room(&target, registered.len())?;
    let now = context.broker.now().as_millis() / 1_000;
    let count =
        |extras: &mut StreamExtras| extras.last_consumer = now.max(extras.last_consumer.saturating_add(1));
    let second = StreamExtras::change_held(context, stream, count).await?.last_consumer;
    let stream_created_at_ms = stream.created_at.as_millis();
    let note = ConsumerNote { stream_created_at_ms, second, tags, policy: None };
    extras::keep_consumer(context, &stream.name, &name, &note).await?;
    // What AWS says at this moment; the next look finds it active.
    let status = "CREATING".into();
    Ok(RegisterConsumerOutput { consumer: Consumer { status, ..shown(context, &stream.name, &name, &note) } })
}

/// Refuses one more consumer or queue than a stream may have: they share their limit.
pub(super) fn check_room(target: &Target, consumers: usize) -> WireResult<()> {
    if consumers + target.stream.queues().len() >= CONSUMERS_MAX {
        let message = format!("Stream {} has {CONSUMERS_MAX} consumers and queues already.", target.name());
        return Err(errors::limit_exceeded(message));
    }
    Ok(())
}

fn shown(context: &Context, stream: &str, name: &str, note: &ConsumerNote) -> Consumer {
    let arn =
        ConsumerName { stream: stream.to_owned(), name: name.to_owned(), second: note.second }.arn(context);
    let created = Time(Timestamp::from_millis(note.second.saturating_mul(1_000)));
    Consumer { name: name.to_owned(), arn, status: "ACTIVE".into(), created }
}

/// The consumer that an ARN names, with its stream. An older one of this name is not found.
pub(super) async fn found(
    context: &Context,
    name: &ConsumerName,
) -> WireResult<(StreamAttributes, ConsumerNote)> {
    let stream = open(context, &name.stream).await?;
    let stream = stream.attributes().await.map_err(|error| errors::from_broker(context, &error))?;
    let consumer = extras::consumer(context, &stream, &name.name).await?;
    match consumer.filter(|consumer| consumer.second == name.second) {
        Some(consumer) => Ok((stream, consumer)),
        None => Err(missing(context, &name.arn(context))),
    }
}

fn missing(context: &Context, consumer: &str) -> crate::wire::error::WireError {
    let account = context.origin.realm.account();
    errors::not_found(format!("Consumer {consumer} under account {account} not found."))
}

/// The consumer that an input names, by its ARN or by the ARN of its stream and its name.
async fn named(context: &Context, input: &ConsumerInput) -> WireResult<(ConsumerName, ConsumerNote)> {
    if let Some(arn) = &input.arn {
        let name = ConsumerName::of_arn(context, arn)?;
        let (_, consumer) = found(context, &name).await?;
        return Ok((name, consumer));
    }
    let (Some(arn), Some(name)) = (&input.stream_arn, &input.name) else {
        return Err(errors::invalid("Either ConsumerARN, or StreamARN and ConsumerName must be given."));
    };
    let mut checks = Checks::default();
    checks.name("consumerName", Some(name));
    checks.done()?;
    let target = Target::named(context, name_in_arn(context, arn)?).await?;
    let consumer = extras::consumer(context, &target.attributes, name).await?;
    let consumer = consumer.ok_or_else(|| missing(context, name))?;
    let (stream, second) = (target.name().to_owned(), consumer.second);
    Ok((ConsumerName { stream, name: name.clone(), second }, consumer))
}

pub(super) async fn describe(context: &Context, input: ConsumerInput) -> WireResult<DescribeConsumerOutput> {
    let (name, note) = named(context, &input).await?;
    let Consumer { name: consumer, arn, status, created } = shown(context, &name.stream, &name.name, &note);
    let stream_arn = stream_arn(context, &name.stream);
    let description = ConsumerDescription { name: consumer, arn, status, created, stream_arn };
    Ok(DescribeConsumerOutput { description })
}

pub(super) async fn deregister(context: &Context, input: ConsumerInput) -> WireResult<()> {
    let (name, _) = named(context, &input).await?;
    extras::forget_consumer(context, &name.stream, &name.name).await?;
    // Its subscriptions look up, and find it gone.
    context.options.subscriptions.end_of(&name.arn(context));
    Ok(())
}

pub(super) async fn list(context: &Context, input: ListConsumersInput) -> WireResult<ListConsumersOutput> {
    let mut checks = Checks::default();
    checks.within("maxResults", input.max, (1, super::streams::LISTED_MAX));
    checks.done()?;
    let now = context.broker.now();
    let target = Target::of(context, &input).await?;
    if input.created.is_some_and(|created| created.seconds() != Time(target.attributes.created_at).seconds())
    {
        return Err(errors::no_stream(context, target.name()));
    }
    let after = input.next_token.as_deref().map(|token| token::decode::<String>(token, now)).transpose()?;
    let limit = usize::try_from(input.max.unwrap_or(LISTED)).unwrap_or(0);
    let registered = extras::consumers(context, &target.attributes).await?;
    let mut rest = registered.into_iter().filter(|(name, _)| Some(name) > after.as_ref());
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let last = rest.next().and(page.last());
    let next_token = last.map(|(name, _)| token::encode(name, now)).transpose()?;
    let consumers = page.iter().map(|(name, note)| shown(context, target.name(), name, note)).collect();
    Ok(ListConsumersOutput { consumers, next_token })
}
