//! Reads a shard from its checkpoint on.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Clock, Error, GroupStream, Record, RecordNumber, Result, ShardId, ShardIterator, StartingPosition,
};

use tracing::Instrument as _;

use super::lease::after;
use crate::telemetry::{Telemetry, WorkerEvent};

/// How long one read waits inside: an iterator is good for five minutes, and another read takes the next.
const WAIT: Duration = Duration::from_secs(240);
/// The most records of a read, as in Kinesis.
const READ_MAX: usize = 10_000;
/// A throttled stream is asked again after this time: once a second is what Lambda polls a shard with (rule L80).
const THROTTLED: Duration = Duration::from_secs(1);

/// Reads a shard.
pub(super) struct Reader {
    stream: Arc<dyn GroupStream>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    shard: ShardId,
    position: StartingPosition,
    iterator: Option<ShardIterator>,
    /// The shard was closed, and all of it was read.
    pub(super) ended: bool,
}

/// What a read has found.
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    /// Records that were trimmed before they could be read.
    pub(super) missed: u64,
}

impl Reader {
    pub(super) fn new(
        stream: Arc<dyn GroupStream>,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
        shard: ShardId,
        next: RecordNumber,
    ) -> Self {
        let position = StartingPosition::At(next);
        Self { stream, clock, telemetry, shard, position, iterator: None, ended: false }
    }

    /// Waits for up to so many records, until there are some or the shard's end is reached. Cancel safe.
    pub(super) async fn wait(&mut self, max: usize) -> Result<Found> {
        loop {
            let found = self.read(max, WAIT).await?;
            if !found.records.is_empty() || found.missed > 0 || self.ended {
                return Ok(found);
            }
        }
    }

    /// What there is at once. Cancel safe.
    pub(super) async fn now(&mut self, max: usize) -> Result<Found> {
        self.read(max, Duration::ZERO).await
    }

    async fn read(&mut self, max: usize, wait: Duration) -> Result<Found> {
        loop {
            let iterator = match self.iterator {
                Some(iterator) => iterator,
                None => *self.iterator.insert(self.stream.iterator(self.shard, self.position).await?),
            };
            let (began, span) = (self.clock.now(), self.telemetry.receive_span());
            let read = self.stream.read_within(&iterator, max.clamp(1, READ_MAX), wait);
            match read.instrument(span.clone()).await {
                Ok(found) => {
                    if let Some(last) = found.records.last() {
                        span.record("messaging.batch.message_count", found.records.len());
                        self.telemetry.received(found.records.len(), self.clock.now().since(began));
                        self.position = StartingPosition::After(last.number);
                    }
                    (self.iterator, self.ended) = (found.next, found.next.is_none());
                    return Ok(Found { records: found.records, missed: found.missed });
                }
                // The batch before has taken that long.
                Err(Error::ExpiredIterator { .. }) => self.iterator = None,
                Err(error @ Error::ProvisionedThroughputExceeded { .. }) => {
                    self.telemetry.tell(|| WorkerEvent::ReceiveFailed { error: error.to_string() });
                    self.clock.sleep_until(after(self.clock.now(), THROTTLED)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
