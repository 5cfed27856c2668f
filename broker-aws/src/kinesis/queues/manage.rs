//! Creating, describing, changing, listing and deleting queues.

use std::time::Duration;

use broker_core::{
    DeadLetterTarget, Error, StartingPosition, StreamMode, StreamQueue, StreamQueueSettings, Timestamp,
};

use super::note::{self, PREFIX, QueueNote, queue_arn};
use crate::{
    call::Context,
    kinesis::{
        check::{Checks, required_name},
        consumers, errors, extras,
        shapes::{
            CreateQueueInput, DeadLetterConfiguration, ListQueuesInput, ListQueuesOutput, QueueAttributes,
            QueueDescription, QueueInput, QueueOutput, QueueStart, QueueStream, QueueStreamFilter,
            QueueSummary, UpdateQueueInput,
        },
        tags,
        target::{Target, name_in_arn},
        time::Time,
        token,
    },
    wire::error::WireResult,
};

/// Seconds of a visibility timeout: up to 12 hours.
pub(super) const VISIBILITY: (i32, i32) = (0, 43_200);
/// How often a record is received before it is a dead letter.
const RECEIVES: (i32, i32) = (1, 1_000);
/// How many queues are listed at once, at most and if the request does not say.
const LISTED: i32 = 100;

pub(super) async fn create(context: &Context, input: CreateQueueInput) -> WireResult<QueueOutput> {
    let mut checks = Checks::default();
    let name = required_name(&mut checks, "queueName", input.name.as_deref());
    let streams = checks.required("streamConfigurationList", input.streams);
    checks.length("streamConfigurationList", format!("[{} streams]", streams.len()), streams.len(), (1, 1));
    let stream = streams.into_iter().next().unwrap_or_default();
    let arn = checks.required("streamConfigurationList.1.member.streamARN", stream.stream_arn);
    let start = stream.position.unwrap_or(QueueStart { kind: Some("LATEST".into()), timestamp: None });
    let kinds = ["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"];
    checks.one_of("startingPosition.type", start.kind.as_deref(), &kinds);
    let settings = changed(&mut checks, StreamQueueSettings::default(), input.attributes);
    checks.done()?;
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags)?;
    let position = match (start.kind.as_deref(), start.timestamp) {
        (Some("TRIM_HORIZON"), _) => StartingPosition::TrimHorizon,
        (Some("AT_TIMESTAMP"), Some(Time(time))) => StartingPosition::AtTimestamp(time),
        (Some("AT_TIMESTAMP"), None) => return Err(errors::invalid("AT_TIMESTAMP needs a Timestamp.")),
        _ => StartingPosition::Latest,
    };
    let target = Target::named(context, name_in_arn(context, &arn)?).await?;
    if target.attributes.mode == StreamMode::Provisioned {
        let message = format!("Stream {} is in PROVISIONED mode; queues need ON_DEMAND.", target.name());
        return Err(errors::not_valid(message));
    }
    let _held = context.options.notes.lock().await;
    let other: Option<QueueNote> = extras::read(context, &format!("{PREFIX}{name}")).await?;
    if let Some(other) = other
        && other.queue(context, &name).await.is_some()
    {
        let account = context.origin.realm.account();
        return Err(errors::in_use(format!("Queue {name} under account {account} already exists.")));
    }
    consumers::check_room(&target, extras::consumers(context, &target.attributes).await?.len())?;
    let refused = |error: Error| errors::from_broker(context, &error);
    let queue = target.stream.queue(&name, position, &settings).await.map_err(refused)?;
    let stream_created_at_ms = target.attributes.created_at.as_millis();
    let note =
        QueueNote { stream: target.name().to_owned(), stream_created_at_ms, start, tags, policy: None };
    note.keep(context, &name).await?;
    // What AWS says at this moment; the next look finds it active.
    let description = description(context, &name, &note, &queue).await?;
    Ok(QueueOutput { description: QueueDescription { status: "CREATING".into(), ..description } })
}

/// Settings with what is given changed.
fn changed(
    checks: &mut Checks,
    settings: StreamQueueSettings,
    given: Option<QueueAttributes>,
) -> StreamQueueSettings {
    let mut settings = settings;
    let given = given.unwrap_or_default();
    checks.within("visibilityTimeoutSeconds", given.visibility_timeout, VISIBILITY);
    if let Some(seconds) = given.visibility_timeout.and_then(|seconds| u64::try_from(seconds).ok()) {
        settings.visibility_timeout = Duration::from_secs(seconds);
    }
    if let Some(dead_letter) = given.dead_letter {
        const TARGET: &str = "deadLetterConfiguration.targetType";
        const COUNT: &str = "deadLetterConfiguration.maxReceiveCount";
        checks.one_of(TARGET, dead_letter.target.as_deref(), &["BUILT_IN", "NONE"]);
        checks.within(COUNT, dead_letter.max_receive_count, RECEIVES);
        settings.dead_letter = if checks.required(TARGET, dead_letter.target).as_str() == "NONE" {
            DeadLetterTarget::None
        } else {
            let count = checks.required(COUNT, dead_letter.max_receive_count);
            DeadLetterTarget::BuiltIn { max_receive_count: u32::try_from(count).unwrap_or(1) }
        };
    }
    settings
}

async fn description(
    context: &Context,
    name: &str,
    note: &QueueNote,
    queue: &StreamQueue,
) -> WireResult<QueueDescription> {
    let (settings, created) = settings(context, queue).await?;
    let dead_letter = match settings.dead_letter {
        DeadLetterTarget::None => {
            DeadLetterConfiguration { target: Some("NONE".into()), max_receive_count: None }
        }
        DeadLetterTarget::BuiltIn { max_receive_count } => DeadLetterConfiguration {
            target: Some("BUILT_IN".into()),
            max_receive_count: i32::try_from(max_receive_count).ok(),
        },
    };
    let attributes = QueueAttributes {
        visibility_timeout: i32::try_from(settings.visibility_timeout.as_secs()).ok(),
        dead_letter: Some(dead_letter),
    };
    let (stream_arn, position) = (Some(note::stream_arn(context, note)), Some(note.start.clone()));
    Ok(QueueDescription {
        name: name.to_owned(),
        arn: queue_arn(context, name),
        status: "ACTIVE".into(),
        created: created.into(),
        streams: vec![QueueStream { stream_arn, position }],
        attributes: Some(attributes),
    })
}

async fn settings(context: &Context, queue: &StreamQueue) -> WireResult<(StreamQueueSettings, Timestamp)> {
    queue.settings().await.map_err(|error| errors::from_broker(context, &error))
}

pub(super) async fn describe(context: &Context, input: QueueInput) -> WireResult<QueueOutput> {
    let mut checks = Checks::default();
    let arn = checks.required("queueARN", input.arn);
    checks.done()?;
    let (name, note, queue) = note::open(context, &arn).await?;
    Ok(QueueOutput { description: description(context, &name, &note, &queue).await? })
}

pub(super) async fn update(context: &Context, input: UpdateQueueInput) -> WireResult<QueueOutput> {
    let mut checks = Checks::default();
    let arn = checks.required("queueARN", input.arn);
    checks.required("queueAttributes", input.attributes.clone());
    checks.done()?;
    let (name, note, queue) = note::open(context, &arn).await?;
    let mut checks = Checks::default();
    let settings = changed(&mut checks, settings(context, &queue).await?.0, input.attributes);
    checks.done()?;
    queue.set_settings(&settings).await.map_err(|error| errors::from_broker(context, &error))?;
    Ok(QueueOutput { description: description(context, &name, &note, &queue).await? })
}

pub(super) async fn delete(context: &Context, input: QueueInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let arn = checks.required("queueARN", input.arn);
    checks.done()?;
    let (name, note, _) = note::open(context, &arn).await?;
    let stream = crate::kinesis::target::open(context, &note.stream).await?;
    stream.delete_queue(&name).await.map_err(|error| errors::from_broker(context, &error))?;
    extras::remove(context, &format!("{PREFIX}{name}")).await
}

pub(super) async fn list(context: &Context, input: ListQueuesInput) -> WireResult<ListQueuesOutput> {
    let mut checks = Checks::default();
    checks.within("maxResults", input.max, (1, 10_000));
    checks.done()?;
    let now = context.broker.now();
    let limit = usize::try_from(input.max.unwrap_or(LISTED).min(LISTED)).unwrap_or(0);
    let mut wanted = None;
    for filter in input.streams.iter().flatten() {
        let arn = filter.stream_arn.as_deref().unwrap_or_default();
        wanted.get_or_insert_with(Vec::new).push(name_in_arn(context, arn)?.to_owned());
    }
    let mut after =
        input.next_token.as_deref().map(|token| token::decode::<String>(token, now)).transpose()?;
    let mut summaries: Vec<QueueSummary> = Vec::new();
    let refused = |error: Error| errors::from_broker(context, &error);
    loop {
        // One more than are wanted, to know whether there are more.
        let notes = context.broker.notes(PREFIX, after.as_deref(), limit + 1).await.map_err(refused)?;
        let Some((last, _)) = notes.last() else { break };
        after = Some(last.clone());
        for (key, value) in &notes {
            let name = key.strip_prefix(PREFIX).unwrap_or_default();
            let note: QueueNote = extras::parse(key, value)?;
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&note.stream)) {
                continue;
            }
            let Some(queue) = note.queue(context, name).await else { continue };
            if summaries.len() == limit {
                let last = format!("{PREFIX}{}", summaries.last().map_or("", |last| &last.name));
                return Ok(ListQueuesOutput { summaries, next_token: Some(token::encode(&last, now)?) });
            }
            summaries.push(summary(context, name, &note, &queue).await?);
        }
    }
    Ok(ListQueuesOutput { summaries, next_token: None })
}

async fn summary(
    context: &Context,
    name: &str,
    note: &QueueNote,
    queue: &StreamQueue,
) -> WireResult<QueueSummary> {
    let created = Some(Time(Timestamp::from_millis(note.stream_created_at_ms)));
    let stream = QueueStreamFilter { stream_arn: Some(note::stream_arn(context, note)), created };
    Ok(QueueSummary {
        name: name.to_owned(),
        arn: queue_arn(context, name),
        status: "ACTIVE".into(),
        created: settings(context, queue).await?.1.into(),
        streams: vec![stream],
    })
}
