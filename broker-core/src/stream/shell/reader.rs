//! A shard as a stream of records, without iterators to be kept.

use std::{collections::VecDeque, time::Duration};

use futures_util::{Stream, stream::unfold};

use super::LocalStream;
use crate::{
    error::{Error, Result},
    stream::{
        number::ShardIterator,
        record::{Record, StartingPosition},
        shard::ShardId,
    },
};

/// How long one read waits inside, at most. Nothing wakes up in between but for the iterator, which must not expire.
const WAIT: Duration = Duration::from_secs(240);
/// Records fetched at once, at most.
const FETCHED: usize = 1_000;

/// Reads a shard from a position to its end, however long that takes. Made by [`LocalStream::reader`].
#[derive(Debug)]
pub struct ShardReader {
    stream: LocalStream,
    next: Option<ShardIterator>,
    fetched: VecDeque<Record>,
    children: Vec<ShardId>,
    missed: u64,
}

impl LocalStream {
    /// Reads a shard from a position on. Cancel safe.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::{PutRecord, StartingPosition};
    ///
    /// let clicks = broker.stream("clicks").await?;
    /// let put = clicks.put(PutRecord::new("user-7", "buy")).await?;
    /// let mut reader = clicks.reader(put.shard, StartingPosition::TrimHorizon).await?;
    /// let click = reader.next().await?.expect("the shard is open");
    /// assert_eq!(click.partition_key, "user-7");
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn reader(&self, shard: ShardId, from: StartingPosition) -> Result<ShardReader> {
        let next = Some(self.iterator(shard, from).await?);
        let stream = self.clone();
        Ok(ShardReader { stream, next, fetched: VecDeque::new(), children: Vec::new(), missed: 0 })
    }
}

impl ShardReader {
    /// The next record; waits for it as long as it takes. `None`: the shard was closed, and this is its end. Cancel safe: a
    /// record that was not returned comes with the next call.
    pub async fn next(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(record) = self.fetched.pop_front() {
                return Ok(Some(record));
            }
            let Some(iterator) = self.next else { return Ok(None) };
            let limits = &self.stream.cell.engine.limits.streams;
            let max = FETCHED.min(limits.read_records_max);
            let iterator = iterator.renewed(&self.stream);
            let found = self.stream.read_within(&iterator, max, WAIT.min(limits.iterator_valid)).await?;
            self.fetched = found.records.into();
            self.next = found.next;
            self.children = found.child_shards;
            self.missed = self.missed.saturating_add(found.missed);
        }
    }

    /// After the end: the shards that came from this one, to be read next.
    pub fn child_shards(&self) -> &[ShardId] {
        &self.children
    }

    /// How many records were trimmed before this reader came to them, since it began.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The records as a [`futures::Stream`](Stream), which ends with the shard or after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Record>> + Send {
        unfold(Some(self), |reader| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(record)) => Some((Ok(record), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err::<_, Error>(error), None)),
            }
        })
    }
}

impl ShardIterator {
    /// The same place, as good as new: whoever holds a reader does not care for the age of its iterator.
    fn renewed(self, stream: &LocalStream) -> Self {
        let cell = &*stream.cell;
        Self::new(cell.engine.seed, self.stream, self.shard, self.position, cell.engine.timeline.now())
    }
}
