//! The world of a stream: as that of a queue, with checkpoints for acknowledgements.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use broker_core::{
    Broker, Checkpoint, Clock, GroupMember, GroupStream, LeaseChange, LocalStream, PutOutcome, PutRecord,
    RecordNumber, Records, Result, ShardFilter, ShardId, ShardInfo, ShardIterator, ShardLease,
    StartingPosition, Stream, StreamAttributes,
};
use broker_mem::MemStorage;
use broker_worker::{
    BoxError, Context,
    stream::{RecordBatch, StreamMapping, batch},
};
use tokio::time::sleep;

use crate::{
    ms, secs,
    world::{Did, Log, pause},
};

/// Longer than the lease of a shard lasts after its holder is gone.
const LEASES_END: Duration = Duration::from_secs(60);

/// The records of a stream, and what they are called.
type Numbers = Arc<Vec<(RecordNumber, String)>>;

/// A stream whose calls take a moment, so that there is something to drop, and that notes what it was told is done.
#[derive(Clone)]
pub(crate) struct SlowStream {
    stream: LocalStream,
    log: Log,
    numbers: Numbers,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Stream for SlowStream {
    fn name(&self) -> &str {
        self.stream.name()
    }

    async fn put_batch(&self, records: Vec<PutRecord>) -> Result<Vec<Result<PutOutcome>>> {
        pause().await;
        let put = self.stream.put_batch(records).await;
        pause().await;
        put
    }

    async fn shards(&self, filter: ShardFilter) -> Result<Vec<ShardInfo>> {
        pause().await;
        self.stream.shards(filter).await
    }

    async fn iterator(&self, shard: ShardId, from: StartingPosition) -> Result<ShardIterator> {
        pause().await;
        self.stream.iterator(shard, from).await
    }

    async fn read_within(&self, iterator: &ShardIterator, max: usize, wait: Duration) -> Result<Records> {
        pause().await;
        self.stream.read_within(iterator, max, wait).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl GroupStream for SlowStream {
    async fn join(&self, group: &str, from: StartingPosition) -> Result<Box<dyn GroupMember>> {
        pause().await;
        let member = self.stream.join(group, from).await?;
        pause().await;
        Ok(Box::new(SlowMember { member, stream: self.clone() }))
    }

    async fn attributes(&self) -> Result<StreamAttributes> {
        pause().await;
        GroupStream::attributes(&self.stream).await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.stream.clock()
    }
}

struct SlowMember {
    member: Box<dyn GroupMember>,
    stream: SlowStream,
}

#[async_trait]
impl GroupMember for SlowMember {
    async fn next(&mut self) -> Result<LeaseChange> {
        Ok(match self.member.next().await? {
            LeaseChange::Got(lease) => {
                LeaseChange::Got(Box::new(SlowLease { lease, stream: self.stream.clone() }))
            }
            other => other,
        })
    }
}

struct SlowLease {
    lease: Box<dyn ShardLease>,
    stream: SlowStream,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ShardLease for SlowLease {
    fn shard(&self) -> ShardId {
        self.lease.shard()
    }

    fn next(&self) -> RecordNumber {
        self.lease.next()
    }

    async fn checkpoint(&self, last: RecordNumber) -> Result<()> {
        pause().await;
        self.lease.checkpoint(last).await?;
        for (_, body) in self.stream.numbers.iter().filter(|(number, _)| *number <= last) {
            self.stream.log.note(Did::Acknowledged(body.clone()));
        }
        pause().await;
        Ok(())
    }

    fn at(&self, last: RecordNumber) -> Result<Checkpoint> {
        self.lease.at(last)
    }

    async fn end(&self) -> Result<bool> {
        self.lease.end().await
    }
}

/// A broker with a stream of records in one shard.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) slow: SlowStream,
    pub(crate) log: Log,
    numbers: Numbers,
}

impl World {
    /// A world with so many records.
    pub(crate) async fn new(records: usize) -> Self {
        let broker = Broker::open(MemStorage::new()).await.unwrap();
        let stream = broker.stream("clicks").shards(1).await.unwrap();
        let mut numbers = Vec::new();
        for number in 0..records {
            let body = format!("record {number}");
            let put = stream.put(PutRecord::new("key", body.clone())).await.unwrap();
            numbers.push((put.number, body));
        }
        let (log, numbers) = (Log::default(), Arc::new(numbers));
        let slow = SlowStream { stream, log: log.clone(), numbers: numbers.clone() };
        Self { broker, slow, log, numbers }
    }

    /// Two records at a time, which take so long.
    pub(crate) fn mapping(&self, takes: Duration) -> StreamMapping {
        let log = self.log.clone();
        let handler = batch(move |batch: RecordBatch, _: Context| {
            let log = log.clone();
            async move {
                let records = batch.records().iter();
                let bodies: Vec<_> =
                    records.map(|record| String::from_utf8(record.data.to_vec()).unwrap()).collect();
                for body in &bodies {
                    log.note(Did::Begun(body.clone()));
                }
                sleep(takes).await;
                for body in bodies {
                    log.note(Did::Handled(body));
                }
                Ok::<_, BoxError>(())
            }
        });
        StreamMapping::new("bill", self.slow.clone(), handler).batch_size(2)
    }

    pub(crate) async fn nothing_happens(&self) {
        let before = self.log.len();
        sleep(LEASES_END).await;
        assert_eq!(self.log.len(), before, "something has happened");
    }

    /// Nothing runs: no handler is held by anybody, and nothing happens.
    pub(crate) async fn nothing_runs(&self) {
        sleep(ms(1)).await;
        assert!(self.log.is_idle(1), "somebody still has the handler");
        self.nothing_happens().await;
    }

    /// The same mapping goes on where it was, so that everything was handled, and nothing after it was acknowledged.
    pub(crate) async fn all_is_handled(&self) {
        let running = self.mapping(ms(10)).start().await.unwrap();
        sleep(LEASES_END).await;
        assert!(running.stop(secs(5)).await);
        self.is_done();
        // The broker itself waits for records to expire.
        self.broker.close().await.unwrap();
    }

    /// Everything was handled, and the same mapping gets nothing more. Whoever acknowledges in transactions is not noted.
    pub(crate) async fn nothing_is_left(&self) {
        self.each_is_handled();
        let running = self.mapping(ms(10)).start().await.unwrap();
        self.nothing_happens().await;
        assert!(running.stop(secs(5)).await);
        self.broker.close().await.unwrap();
    }

    fn each_is_handled(&self) {
        self.log.check(self.numbers.iter().map(|(_, body)| body.as_str()));
    }

    /// Everything was handled and acknowledged.
    pub(crate) fn is_done(&self) {
        self.each_is_handled();
        for (_, body) in &*self.numbers {
            assert!(self.log.times(&Did::Acknowledged(body.clone())) > 0, "{body} was not acknowledged");
        }
    }
}
