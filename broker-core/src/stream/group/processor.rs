//! Processors: a task per shard, told of the five moments in the life of a lease (rules K80 to K84).

use std::{collections::BTreeMap, future::Future, pin::pin};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    cell::LeaseKey,
    consume::consume,
    consumer::ConsumerBuilder,
    lease::{Change, Leases, LocalLease},
    member::Member,
};
use crate::{
    clock::millis,
    error::Result,
    stream::{
        number::RecordNumber,
        record::{Record, StartingPosition},
        shard::ShardId,
    },
    sync::{AtomicU64, JoinSet, Ordering},
};

/// What consumes a shard. Each lease has one of its own, in a task of its own.
#[async_trait]
pub trait Processor: Send + 'static {
    /// The lease was got; the first record will be this one or later.
    async fn initialize(&mut self, shard: ShardId, next: RecordNumber) {
        let _ = (shard, next);
    }

    /// The next records, in order. Whatever is checkpointed of them the group does not get again. There is no retry: what a
    /// processor makes of a record that it cannot use is its own affair. If it panics, the lease is given back, and somebody
    /// gets everything behind the checkpoint again.
    async fn process(&mut self, records: Vec<Record>, checkpointer: &Checkpointer);

    /// The lease is somebody else's now: no checkpoint can be moved any more.
    async fn lease_lost(&mut self) {}

    /// The shard was closed, and all its records were processed. Must [checkpoint everything](Checkpointer::checkpoint_all),
    /// which the default does: before that, the shards that came from this one are not consumed, and this is called again.
    async fn shard_ended(&mut self, checkpointer: &Checkpointer) {
        let _ = checkpointer.checkpoint_all().await;
    }

    /// Another worker is to have the lease, or this one is to stop: the last occasion for a checkpoint.
    async fn shutdown_requested(&mut self, checkpointer: &Checkpointer) {
        let _ = checkpointer;
    }
}

/// Makes the processor of a shard. Any function from a [`ShardId`] to a processor is one.
pub trait ProcessorFactory: Send + 'static {
    /// What it makes.
    type Processor: Processor;

    /// Makes one.
    fn processor(&self, shard: ShardId) -> Self::Processor;
}

impl<P: Processor, F: Fn(ShardId) -> P + Send + 'static> ProcessorFactory for F {
    type Processor = P;

    fn processor(&self, shard: ShardId) -> P {
        self(shard)
    }
}

/// Moves the checkpoint of a shard, for its processor.
pub struct Checkpointer {
    pub(super) key: LeaseKey,
    /// The sequence behind the last record that was delivered.
    pub(super) delivered: AtomicU64,
    pub(super) missed: AtomicU64,
}

impl Checkpointer {
    /// This record and all before it are consumed. Fails with [`Error::LeaseLost`](crate::Error::LeaseLost) if the lease is
    /// somebody else's now, and refuses to go back, or beyond what was delivered (rule K82). Cancel safe in this sense: a
    /// dropped call has moved the checkpoint or not.
    pub async fn checkpoint(&self, record: &Record) -> Result<()> {
        self.to(record.number.seq + 1).await
    }

    /// All records that were delivered are consumed. As [`checkpoint`](Self::checkpoint) otherwise.
    pub async fn checkpoint_all(&self) -> Result<()> {
        self.to(self.delivered.load(Ordering::Acquire)).await
    }

    /// How many records were trimmed before this processor came to them, since it began.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    async fn to(&self, next: u64) -> Result<()> {
        self.check_delivered(next)?;
        self.key.checkpoint(next).await
    }

    pub(super) fn check_delivered(&self, next: u64) -> Result<()> {
        if next > self.delivered.load(Ordering::Acquire) {
            let reason = "is beyond what was delivered";
            return Err(crate::Error::invalid("checkpoint", next, reason));
        }
        Ok(())
    }
}

/// What a shard's task is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    GoOn,
    /// Give the lease back.
    HandOver,
    /// The lease is gone.
    Lost,
}

impl ConsumerBuilder {
    /// Joins the group as [`start`](Self::start) does, and gives the records of each shard that is this worker's to a processor
    /// of its own, until `stop` is done. Then the processors are asked to shut down, and the leases are given back.
    ///
    /// While this is polled nothing is lost to others for lack of a sign of life. Dropping it ends everything at once: what was
    /// not checkpointed is processed again by others.
    pub async fn run(
        self,
        from: StartingPosition,
        factory: impl ProcessorFactory,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let group = self.stream.group(&self.group, from).await?;
        let runtime = self.stream.cell.engine.pipeline.runtime().clone();
        let mut leases = Leases::new(Member::join(self.stream, group, millis(self.lease), true));
        let mut running: BTreeMap<ShardId, watch::Sender<Command>> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let change = tokio::select! {
                biased;
                () = &mut stop => break,
                // Its lease was given back when it ended, also if it has panicked.
                Some(_) = tasks.join_next() => continue,
                change = leases.change() => change?,
            };
            match change {
                Change::Got(lease) => {
                    let (command, commands) = watch::channel(Command::GoOn);
                    running.insert(lease.key.shard, command);
                    tasks.spawn_on(attend(factory.processor(lease.key.shard), lease, commands), &runtime);
                }
                Change::Wanted(shard) => tell(&running, shard, Command::HandOver),
                Change::Lost(shard) => {
                    tell(&running, shard, Command::Lost);
                    running.remove(&shard);
                }
            }
        }
        for command in running.values() {
            command.send_replace(Command::HandOver);
        }
        while tasks.join_next().await.is_some() {}
        Ok(())
    }
}

fn tell(running: &BTreeMap<ShardId, watch::Sender<Command>>, shard: ShardId, what: Command) {
    if let Some(command) = running.get(&shard) {
        command.send_replace(what);
    }
}

/// The task of a shard. When it ends, its lease is free.
async fn attend(processor: impl Processor, lease: LocalLease, commands: watch::Receiver<Command>) {
    let delivered = AtomicU64::new(lease.position);
    let checkpointer = Checkpointer { key: lease.key.clone(), delivered, missed: AtomicU64::new(0) };
    // A failed read is found again by whoever gets the lease.
    let _ = consume(processor, checkpointer, commands, lease.position).await;
}
