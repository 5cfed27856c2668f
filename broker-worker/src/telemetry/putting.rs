//! A stream that tells of what is put into it: a span, metrics, and the trace context in each record that can carry one.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use broker_core::{
    Clock, GroupMember, GroupStream, PutOutcome, PutRecord, Records, Result, ShardFilter, ShardId, ShardInfo,
    ShardIterator, StartingPosition, Stream, StreamAttributes,
};
use metrics::{Counter, Histogram, counter, histogram};
use tracing::Instrument as _;

use super::{
    metrics::{OPERATION, SENT, labels},
    spans::send_span,
    trace::TraceContext,
};

/// As large as a batch of Kinesis may be.
const BATCH_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Every stream takes a record of this size, and much more.
const SMALL_BYTES: usize = 64 * 1024;

/// Says which trace the caller is in, if it is in one.
type Current = dyn Fn() -> Option<TraceContext> + Send + Sync;

/// A stream whose puts are seen: each has a span and counts in the metrics. A record carries nothing beside its data: those that are
/// a JSON object get the trace context of whoever puts them as members, which
/// [`StreamMapping::trace_context`](crate::stream::StreamMapping::trace_context) can look for. Everything else is that of the stream
/// inside.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use broker_core::{PutRecord, Stream as _};
/// use broker_worker::telemetry::TracedStream;
///
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// // With an exporter this asks for the context of the current span.
/// let current = || "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
/// let clicks = TracedStream::new(broker.stream("clicks").await?, current);
/// clicks.put_batch(vec![PutRecord::new("user-7", r#"{"page": 7}"#)]).await?;
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct TracedStream<S> {
    stream: S,
    current: Arc<Current>,
    clock: Arc<dyn Clock>,
    sent: Counter,
    took: Histogram,
}

impl<S: GroupStream> TracedStream<S> {
    /// Tells of the puts into a stream, by its clock. `current` is asked inside the span of each put. A record that carries a context
    /// already keeps it, and one that would be too large with it, by itself or in its batch, gets none.
    pub fn new(stream: S, current: impl Fn() -> Option<TraceContext> + Send + Sync + 'static) -> Self {
        let labels = labels(stream.name(), "send", None);
        let (sent, took) = (counter!(SENT, labels.clone()), histogram!(OPERATION, labels));
        Self { clock: stream.clock(), stream, current: Arc::new(current), sent, took }
    }

    /// Puts the context into records.
    async fn mark(&self, records: &mut [PutRecord], context: &TraceContext) {
        let mut total = records.iter().map(PutRecord::size_bytes).fold(0, usize::saturating_add);
        let record_max = if total <= SMALL_BYTES {
            usize::MAX
        } else {
            // A stream that does not answer takes nothing either.
            self.stream.attributes().await.map_or(0, |attributes| attributes.max_record_size)
        };
        for record in records {
            let Some(data) = context.in_json(&record.data) else { continue };
            let more = data.len().saturating_sub(record.data.len());
            let fits = record.size_bytes().saturating_add(more) <= record_max;
            if fits && total.saturating_add(more) <= BATCH_BYTES_MAX {
                total = total.saturating_add(more);
                record.data = data.into();
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: GroupStream> Stream for TracedStream<S> {
    fn name(&self) -> &str {
        self.stream.name()
    }

    async fn put_batch(&self, mut records: Vec<PutRecord>) -> Result<Vec<Result<PutOutcome>>> {
        let span = send_span(self.name());
        if let Some(context) = span.in_scope(|| (self.current)()) {
            self.mark(&mut records, &context).await;
        }
        let began = self.clock.now();
        let put = self.stream.put_batch(records).instrument(span).await;
        self.took.record(self.clock.now().since(began));
        if let Ok(outcomes) = &put {
            self.sent.increment(outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64);
        }
        put
    }

    async fn shards(&self, filter: ShardFilter) -> Result<Vec<ShardInfo>> {
        self.stream.shards(filter).await
    }

    async fn iterator(&self, shard: ShardId, from: StartingPosition) -> Result<ShardIterator> {
        self.stream.iterator(shard, from).await
    }

    async fn read_within(&self, iterator: &ShardIterator, max: usize, wait: Duration) -> Result<Records> {
        self.stream.read_within(iterator, max, wait).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: GroupStream> GroupStream for TracedStream<S> {
    async fn join(&self, group: &str, from: StartingPosition) -> Result<Box<dyn GroupMember>> {
        self.stream.join(group, from).await
    }

    async fn attributes(&self) -> Result<StreamAttributes> {
        self.stream.attributes().await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
}
