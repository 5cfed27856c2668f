//! Processors: a task per shard, told of the five moments in the life of a lease (rules K80 to K84).

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use tokio::{sync::watch, task::JoinSet};

use super::{cell::LeaseKey, consume::consume, consumer::ConsumerBuilder, member::Member};
use crate::{
    clock::millis,
    error::Result,
    stream::{
        number::RecordNumber,
        record::{Record, StartingPosition},
        shard::ShardId,
    },
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

/// How long a processor may take to give a lease back that another worker is to have (rule K81).
const HAND_OVER_MS: u64 = 30_000;

/// A shard's task.
struct Running {
    token: u64,
    command: watch::Sender<Command>,
    /// When the lease is taken from it, if it was asked to give it back.
    gives_back_by: Option<u64>,
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
        let member = Member::join(self.stream, group, millis(self.lease), true);
        let mut worker = Worker { member, factory, running: BTreeMap::new(), tasks: JoinSet::new() };
        let mut stop = pin!(stop);
        let cell = worker.member.stream.cell.clone();
        let group = worker.member.group.clone();
        loop {
            // Enabled before the look: what happens after it is not missed.
            let mut leases = pin!(group.news.notified());
            leases.as_mut().enable();
            let mut news = pin!(cell.news().notified());
            news.as_mut().enable();
            let mut stopped = pin!(cell.engine.pipeline.stopped());
            stopped.as_mut().enable();
            let next = worker.follow()?;
            let alarm = cell.engine.timeline.sleep_until_any(next);
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = worker.tasks.join_next() => worker.ended(ended.ok()),
                () = leases => {}
                () = news => {}
                () = stopped => {}
                () = alarm => {}
            }
        }
        for running in worker.running.values() {
            running.command.send_replace(Command::HandOver);
        }
        while let Some(ended) = worker.tasks.join_next().await {
            worker.ended(ended.ok());
        }
        Ok(())
    }
}

struct Worker<F> {
    member: Member,
    factory: F,
    running: BTreeMap<ShardId, Running>,
    /// Each ends with its shard and token.
    tasks: JoinSet<(ShardId, u64)>,
}

impl<F: ProcessorFactory> Worker<F> {
    /// Starts what is new, ends what is lost, asks for what others are to have. Returns when to look again.
    fn follow(&mut self) -> Result<Option<u64>> {
        // A task that has panicked cannot say so.
        let ended: Vec<ShardId> =
            self.running.iter().filter(|(_, one)| one.command.is_closed()).map(|(shard, _)| *shard).collect();
        for shard in ended {
            if let Some(one) = self.running.remove(&shard) {
                self.member.give_back(shard, one.token);
            }
        }
        let now = self.member.stream.cell.engine.timeline.now();
        let (held, _) = self.member.sync()?;
        self.running.retain(|shard, one| {
            let held = held.iter().any(|held| held.shard == *shard && held.token == one.token);
            if !held {
                one.command.send_replace(Command::Lost);
            }
            held
        });
        let mut next = None;
        for one in held {
            let Some(running) = self.running.get_mut(&one.shard) else {
                self.start(one.shard, one.token, one.next);
                continue;
            };
            if !one.asked_back {
                continue;
            }
            let by = *running.gives_back_by.get_or_insert_with(|| {
                running.command.send_replace(Command::HandOver);
                now.saturating_add(HAND_OVER_MS)
            });
            if by <= now {
                running.command.send_replace(Command::Lost);
                self.member.give_back(one.shard, one.token);
            } else {
                next = Some(next.map_or(by, |next: u64| next.min(by)));
            }
        }
        // Its tasks are alive as long as this is polled.
        let expiry = self.member.stay();
        Ok([next, expiry].into_iter().flatten().min())
    }

    fn start(&mut self, shard: ShardId, token: u64, next: u64) {
        let (command, commands) = watch::channel(Command::GoOn);
        self.running.insert(shard, Running { token, command, gives_back_by: None });
        let (stream, group) = (self.member.stream.clone(), self.member.group.clone());
        let key = LeaseKey { stream, group, shard, token };
        let checkpointer = Checkpointer { key, delivered: AtomicU64::new(next), missed: AtomicU64::new(0) };
        let processor = self.factory.processor(shard);
        let runtime = self.member.stream.cell.engine.pipeline.runtime().clone();
        let task = async move {
            // A failed read is found again by whoever gets the lease.
            let _ = consume(processor, checkpointer, commands, next).await;
            (shard, token)
        };
        self.tasks.spawn_on(task, &runtime);
    }

    /// A task has ended: its lease is free, if it was not ended or lost.
    fn ended(&mut self, ended: Option<(ShardId, u64)>) {
        let Some((shard, token)) = ended else { return };
        if self.running.get(&shard).is_some_and(|one| one.token == token) {
            self.running.remove(&shard);
        }
        self.member.give_back(shard, token);
    }
}
