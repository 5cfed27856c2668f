//! A queue that tells of what is sent to it: a span, metrics, and the trace context in each message.

use std::sync::Arc;

use async_trait::async_trait;
use broker_core::{
    ChangeVisibility, Clock, DeadLettered, Deleted, Entries, Message, Outcomes, Queue, QueueAttributes,
    QueueSettings, ReceiptHandle, ReceiveOptions, Result, SendMessage, Sent, VisibilityChanged,
};
use metrics::{Counter, Histogram, counter, histogram};
use tracing::Instrument as _;

use super::{
    metrics::{OPERATION, SENT, labels},
    spans::send_span,
    trace::{TRACE_PARENT, TraceContext},
};

/// Says which trace the caller is in, if it is in one.
type Current = dyn Fn() -> Option<TraceContext> + Send + Sync;

/// A queue whose sends are seen: each has a span and counts in the metrics, and its messages carry the trace context of
/// whoever sends, so that the span of the invocation that handles them can be linked to it. Everything else is that of the
/// queue inside.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use broker_core::QueueExt as _;
/// use broker_worker::telemetry::{TraceContext, Traced};
///
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// // With an exporter this asks for the context of the current span.
/// let current = || "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
/// let orders = Traced::new(broker.queue("orders").await?, current);
/// orders.send_one("socks".into()).await?;
/// let socks = orders.recv().await?;
/// assert_eq!(TraceContext::extract(&socks), current());
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Traced<Q> {
    queue: Q,
    current: Arc<Current>,
    clock: Arc<dyn Clock>,
    sent: Counter,
    took: Histogram,
}

impl<Q: Queue> Traced<Q> {
    /// Tells of the sends to a queue, by its clock. `current` is asked inside the span of each send. A message that carries a context
    /// already keeps it. A context is W3C's attributes; where there is no room for them, because of the size of the message or of
    /// the batch, or because it has ten attributes, it is `AWSTraceHeader`, which takes none.
    pub fn new(queue: Q, current: impl Fn() -> Option<TraceContext> + Send + Sync + 'static) -> Self {
        let labels = labels(queue.name(), "send", None);
        let (sent, took) = (counter!(SENT, labels.clone()), histogram!(OPERATION, labels));
        Self { clock: queue.clock(), queue, current: Arc::new(current), sent, took }
    }

    /// Puts the context into messages.
    async fn mark(&self, entries: &mut Entries<SendMessage>, context: TraceContext) {
        let bytes = |entries: &mut Entries<SendMessage>| {
            entries.requests_mut().map(|message| message.size_bytes()).fold(0, usize::saturating_add)
        };
        let context_bytes = context.inject(SendMessage::default()).size_bytes();
        let mut total = bytes(entries);
        let is_small = total <= SMALL_BYTES.saturating_sub(context_bytes);
        let message_max = if is_small {
            SMALL_BYTES
        } else {
            // A queue that does not answer takes nothing either.
            self.queue.attributes().await.map_or(0, |attributes| attributes.max_message_size)
        };
        for message in entries.requests_mut() {
            if message.attributes.get(TRACE_PARENT).is_some() || message.trace_header.is_some() {
                continue;
            }
            let count = message.attributes.len() + 1 + usize::from(context.state.is_some());
            let size = message.size_bytes().saturating_add(context_bytes);
            let all = total.saturating_add(context_bytes);
            *message = if count <= ATTRIBUTES_MAX && size <= message_max && all <= BATCH_BYTES_MAX {
                total = all;
                context.inject(std::mem::take(message))
            } else {
                context.inject_aws(std::mem::take(message))
            };
        }
    }
}

/// As many attributes as a message of SQS may have.
const ATTRIBUTES_MAX: usize = 10;
/// As large as a batch of SQS may be.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Every queue takes messages of this size.
const SMALL_BYTES: usize = 1_024;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<Q: Queue> Queue for Traced<Q> {
    fn name(&self) -> &str {
        self.queue.name()
    }

    fn largest_receive(&self) -> ReceiveOptions {
        self.queue.largest_receive()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    async fn send_batch(&self, mut entries: Entries<SendMessage>) -> Result<Outcomes<Sent>> {
        let span = send_span(self.name());
        if let Some(context) = span.in_scope(|| (self.current)()) {
            self.mark(&mut entries, context).await;
        }
        let began = self.clock.now();
        let sent = self.queue.send_batch(entries).instrument(span).await;
        self.took.record(self.clock.now().since(began));
        if let Ok(outcomes) = &sent {
            self.sent.increment(outcomes.successful().count() as u64);
        }
        sent
    }

    async fn receive(&self, options: ReceiveOptions) -> Result<Vec<Message>> {
        self.queue.receive(options).await
    }

    async fn delete_batch(&self, entries: Entries<ReceiptHandle>) -> Result<Outcomes<Deleted>> {
        self.queue.delete_batch(entries).await
    }

    async fn change_visibility_batch(
        &self,
        entries: Entries<ChangeVisibility>,
    ) -> Result<Outcomes<VisibilityChanged>> {
        self.queue.change_visibility_batch(entries).await
    }

    async fn dead_letter(&self, receipt: ReceiptHandle, reason: String) -> Result<DeadLettered> {
        self.queue.dead_letter(receipt, reason).await
    }

    async fn purge(&self) -> Result<()> {
        self.queue.purge().await
    }

    async fn attributes(&self) -> Result<QueueAttributes> {
        self.queue.attributes().await
    }

    async fn set_attributes(&self, change: QueueSettings) -> Result<()> {
        self.queue.set_attributes(change).await
    }
}
