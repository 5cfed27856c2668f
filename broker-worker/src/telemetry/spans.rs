//! The spans of sending, receiving, processing and settling, with the fields of OpenTelemetry's messaging conventions.
//!
//! `otel.name`, `otel.kind` and `otel.status_code` are what `tracing-opentelemetry` reads a span's name, kind and status from. A
//! span cannot be linked to another program's through `tracing` alone: each link is in the field `messaging.links` as text,
//! and whoever has an exporter gives a mapping a [`Link`] that makes it a real one.

use std::panic::AssertUnwindSafe;

use tracing::{Span, field::Empty};

use super::{metrics::SYSTEM, trace::TraceContext};
use crate::handler::Failure;

/// Links the span of an invocation to the span that sent one of its messages.
pub type Link = dyn Fn(&Span, &TraceContext) + Send + Sync;

/// As many links of a batch are written down: more help nobody, and a batch may have thousands.
const LINKS_MAX: usize = 32;

/// The span of a send to a queue or a stream, for whoever sends: put the context of it into the message with
/// [`TraceContext::inject`].
pub fn send_span(destination: &str) -> Span {
    tracing::info_span!(
        "send",
        otel.name = format_args!("send {destination}"),
        otel.kind = "producer",
        messaging.system = SYSTEM,
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        messaging.destination.name = destination,
    )
}

pub(super) fn receive_span(source: &str, group: Option<&str>) -> Span {
    tracing::debug_span!(
        "receive",
        otel.name = format_args!("receive {source}"),
        otel.kind = "client",
        messaging.system = SYSTEM,
        messaging.operation.name = "receive",
        messaging.operation.type = "receive",
        messaging.destination.name = source,
        messaging.consumer.group.name = group,
        messaging.batch.message_count = Empty,
    )
}

/// The span of an invocation. Who has more to say of it records the empty fields.
pub(super) fn process_span(source: &str, group: Option<&str>, messages: usize) -> Span {
    tracing::info_span!(
        "process",
        otel.name = format_args!("process {source}"),
        otel.kind = "consumer",
        otel.status_code = Empty,
        error.type = Empty,
        messaging.system = SYSTEM,
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = source,
        messaging.destination.partition.id = Empty,
        messaging.consumer.group.name = group,
        messaging.batch.message_count = messages,
        messaging.message.id = Empty,
        messaging.message.body.size = Empty,
        messaging.links = Empty,
        faas.name = Empty,
        faas.invocation_id = Empty,
        attempt = Empty,
    )
}

pub(super) fn settle_span(source: &str, group: Option<&str>, messages: usize) -> Span {
    tracing::debug_span!(
        "settle",
        otel.name = format_args!("settle {source}"),
        otel.kind = "client",
        messaging.system = SYSTEM,
        messaging.operation.name = "settle",
        messaging.operation.type = "settle",
        messaging.destination.name = source,
        messaging.consumer.group.name = group,
        messaging.batch.message_count = messages,
    )
}

/// Says of the only message of an invocation which it is.
pub(crate) fn describe_only(span: &Span, id: impl std::fmt::Display, body_bytes: usize) {
    span.record("messaging.message.id", tracing::field::display(id));
    span.record("messaging.message.body.size", body_bytes);
}

/// Says that an invocation has failed.
pub(crate) fn describe_failure(span: &Span, failure: &Failure) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", failure.kind.as_str());
}

/// Links the span of an invocation to who sent its messages. What panics in the search for a sender, or in a link, links nothing.
pub(super) fn link_to(span: &Span, senders: impl Iterator<Item = TraceContext>, link: Option<&Link>) {
    if span.is_disabled() {
        return;
    }
    let linking = AssertUnwindSafe(|| link_each(span, senders, link));
    if std::panic::catch_unwind(linking).is_err() {
        tracing::warn!("a span could not be linked to the senders of its messages: that panicked");
    }
}

fn link_each(span: &Span, senders: impl Iterator<Item = TraceContext>, link: Option<&Link>) {
    let senders: Vec<TraceContext> = senders.take(LINKS_MAX).collect();
    if senders.is_empty() {
        return;
    }
    let text: Vec<String> = senders.iter().map(ToString::to_string).collect();
    span.record("messaging.links", text.join(","));
    if let Some(link) = link {
        for sender in &senders {
            link(span, sender);
        }
    }
}
