//! Which stream a request means (rule K1), and which consumer.

use broker_core::{LocalStream, StreamAttributes};

use super::{check::Checks, errors, extras::StreamExtras, shapes::NamesStream};
use crate::{
    call::Context,
    wire::{
        arn::{Arn, arn},
        error::WireResult,
    },
};

/// A stream, and what it and its notes say.
pub(super) struct Target {
    pub(super) stream: LocalStream,
    pub(super) attributes: StreamAttributes,
    pub(super) extras: StreamExtras,
}

impl Target {
    /// The stream that an input names.
    pub(super) async fn of(context: &Context, input: &impl NamesStream) -> WireResult<Self> {
        Self::named(context, &stream_name(context, input)?).await
    }

    /// The stream of this name.
    pub(super) async fn named(context: &Context, name: &str) -> WireResult<Self> {
        let stream = open(context, name).await?;
        let attributes = stream.attributes().await.map_err(|error| errors::from_broker(context, &error))?;
        let extras = StreamExtras::read(context, &attributes).await?;
        Ok(Self { stream, attributes, extras })
    }

    pub(super) fn name(&self) -> &str {
        &self.attributes.name
    }

    pub(super) fn arn(&self, context: &Context) -> String {
        stream_arn(context, self.name())
    }
}

/// The stream that an input names, alone.
pub(super) async fn stream(context: &Context, input: &impl NamesStream) -> WireResult<LocalStream> {
    open(context, &stream_name(context, input)?).await
}

pub(super) async fn open(context: &Context, name: &str) -> WireResult<LocalStream> {
    context.broker.open_stream(name).await.map_err(|error| errors::from_broker(context, &error))
}

pub(super) fn stream_arn(context: &Context, name: &str) -> String {
    arn("kinesis", &context.origin.realm, &format!("stream/{name}"))
}

/// The name of the stream that an input names.
pub(super) fn stream_name(context: &Context, input: &impl NamesStream) -> WireResult<String> {
    let (name, arn) = input.stream();
    let mut checks = Checks::default();
    checks.name("streamName", name);
    checks.done()?;
    let of_arn = arn.map(|arn| name_in_arn(context, arn)).transpose()?;
    match (name, of_arn) {
        (Some(name), Some(of_arn)) if name != of_arn => {
            Err(errors::invalid(format!("StreamName {name} and StreamARN name two streams.")))
        }
        (Some(name), _) | (None, Some(name)) => Ok(name.to_owned()),
        (None, None) => Err(errors::invalid("Either StreamName or StreamARN must be given.")),
    }
}

/// The name in the ARN of a stream. That of another account or region is not found here.
pub(super) fn name_in_arn<'a>(context: &Context, text: &'a str) -> WireResult<&'a str> {
    let parsed = Arn::parse(text).filter(|arn| arn.service == "kinesis");
    let name = parsed.and_then(|arn| arn.resource.strip_prefix("stream/")).filter(|name| !name.contains('/'));
    let (Some(arn), Some(name)) = (parsed, name) else {
        return Err(errors::invalid(format!("{} is not the ARN of a stream.", shown(text))));
    };
    if !arn.is_in(&context.origin.realm) {
        return Err(errors::not_found(format!("Stream {name} under account {} not found.", arn.account)));
    }
    Ok(name)
}

/// The parts of a consumer's ARN: stream, consumer, and the second of its creation (rule K70).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConsumerName {
    pub(super) stream: String,
    pub(super) name: String,
    pub(super) second: u64,
}

impl ConsumerName {
    /// Reads an ARN as `arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM/consumer/NAME:SECOND`.
    pub(super) fn of_arn(context: &Context, text: &str) -> WireResult<Self> {
        let invalid = || errors::invalid(format!("{} is not the ARN of a consumer.", shown(text)));
        let arn = Arn::parse(text).filter(|arn| arn.service == "kinesis").ok_or_else(invalid)?;
        let (stream, rest) = arn
            .resource
            .strip_prefix("stream/")
            .and_then(|rest| rest.split_once("/consumer/"))
            .ok_or_else(invalid)?;
        let (name, second) = rest.split_once(':').ok_or_else(invalid)?;
        let second = second.parse().map_err(|_| invalid())?;
        let mut checks = Checks::default();
        checks.name("streamName", Some(stream));
        checks.name("consumerName", Some(name));
        checks.done()?;
        if !arn.is_in(&context.origin.realm) {
            return Err(errors::no_stream(context, stream));
        }
        Ok(Self { stream: stream.to_owned(), name: name.to_owned(), second })
    }

    pub(super) fn arn(&self, context: &Context) -> String {
        let Self { stream, name, second } = self;
        arn("kinesis", &context.origin.realm, &format!("stream/{stream}/consumer/{name}:{second}"))
    }
}

/// A refused text, cut to a readable length.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 256;
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
