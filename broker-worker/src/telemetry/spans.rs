//! The spans of sending, receiving, processing and settling, with the fields of OpenTelemetry's messaging conventions.
//!
//! `otel.name`, `otel.kind` and `otel.status_code` are what `tracing-opentelemetry` reads a span's name, kind and status from. A
//! span cannot be linked to another program's through `tracing` alone: each link is in the field `messaging.links` as text,
//! and whoever has an exporter gives a mapping a [`Link`] that makes it a real one.

use broker_core::Message;
use tracing::{Span, field::Empty};

use super::{metrics::SYSTEM, trace::TraceContext};

/// Links the span of an invocation to the span that sent one of its messages.
pub type Link = dyn Fn(&Span, &TraceContext) + Send + Sync;

/// As many links of a batch are written down: more help nobody, and a batch may have thousands.
const LINKS_MAX: usize = 32;

/// The span of a send, for whoever sends: put the context of it into the message with [`TraceContext::inject`].
pub fn send_span(queue: &str) -> Span {
    tracing::info_span!(
        "send",
        otel.name = format_args!("send {queue}"),
        otel.kind = "producer",
        messaging.system = SYSTEM,
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        messaging.destination.name = queue,
    )
}

pub(crate) fn receive_span(queue: &str) -> Span {
    tracing::debug_span!(
        "receive",
        otel.name = format_args!("receive {queue}"),
        otel.kind = "client",
        messaging.system = SYSTEM,
        messaging.operation.name = "receive",
        messaging.operation.type = "receive",
        messaging.destination.name = queue,
        messaging.batch.message_count = Empty,
    )
}

/// The span of an invocation, linked to who sent its messages.
pub(crate) fn process_span<'m>(
    queue: &str,
    messages: impl ExactSizeIterator<Item = &'m Message> + Clone,
    link: Option<&Link>,
) -> Span {
    let span = tracing::info_span!(
        "process",
        otel.name = format_args!("process {queue}"),
        otel.kind = "consumer",
        otel.status_code = Empty,
        error.type = Empty,
        messaging.system = SYSTEM,
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = queue,
        messaging.batch.message_count = messages.len(),
        messaging.message.id = Empty,
        messaging.message.body.size = Empty,
        messaging.links = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    if let (1, Some(message)) = (messages.len(), messages.clone().next()) {
        span.record("messaging.message.id", tracing::field::display(message.id));
        span.record("messaging.message.body.size", message.body.len());
    }
    let links: Vec<TraceContext> = messages.filter_map(TraceContext::extract).take(LINKS_MAX).collect();
    if !links.is_empty() {
        let text: Vec<String> = links.iter().map(ToString::to_string).collect();
        span.record("messaging.links", text.join(","));
    }
    if let Some(link) = link {
        for context in &links {
            link(&span, context);
        }
    }
    span
}

pub(crate) fn settle_span(queue: &str, messages: usize) -> Span {
    tracing::debug_span!(
        "settle",
        otel.name = format_args!("settle {queue}"),
        otel.kind = "client",
        messaging.system = SYSTEM,
        messaging.operation.name = "settle",
        messaging.operation.type = "settle",
        messaging.destination.name = queue,
        messaging.batch.message_count = messages,
    )
}
