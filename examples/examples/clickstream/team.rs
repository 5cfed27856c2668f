//! Consumer groups: workers with the simple loop, and processors.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use async_trait::async_trait;
use broker_core::{Checkpointer, Consumed, Consumer, Error, Processor, Record, RecordNumber, ShardId};
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::Shared;

/// Records after which a worker checkpoints, if it does not come to wait before.
const CHECKPOINT_EVERY: usize = 100;

/// What the workers of a group share.
pub(crate) struct Team {
    /// So many records it is to get.
    wanted: usize,
    done: watch::Sender<usize>,
    /// The newest record of each shard that was worked on. A group gets a record *at least* once; one that comes again is
    /// known by its number, which only grows.
    newest: Mutex<BTreeMap<ShardId, RecordNumber>>,
    again: AtomicUsize,
}

impl Team {
    pub(crate) fn new(wanted: usize) -> Arc<Self> {
        let (done, newest, again) = (watch::Sender::new(0), Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { wanted, done, newest, again })
    }

    /// Works on a record, unless that was done before.
    fn once(
        &self,
        shard: ShardId,
        record: &Record,
        work: &impl Fn(ShardId, &str) -> Result<()>,
    ) -> Result<()> {
        let mut newest = self.newest.lock();
        if newest.get(&shard).is_some_and(|newest| *newest >= record.number) {
            self.again.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        work(shard, std::str::from_utf8(&record.data)?)?;
        newest.insert(shard, record.number);
        self.done.send_modify(|done| *done += 1);
        Ok(())
    }

    /// How many records came again.
    pub(crate) fn again(&self) -> usize {
        self.again.load(Ordering::Relaxed)
    }

    pub(crate) async fn finished(&self) {
        reached(&self.done, self.wanted).await;
    }

    /// A worker with the simple loop: checkpoints now and then, and before it waits.
    pub(crate) async fn work(
        self: Arc<Self>,
        mut consumer: Consumer,
        dies_at: Option<usize>,
        work: impl Fn(ShardId, &str) -> Result<()>,
    ) -> Result<()> {
        let mut unsaved = BTreeMap::new();
        for count in 1.. {
            let record = if let Some(record) = consumer.next().now_or_never() {
                record?
            } else {
                // Also because what comes behind a closed shard comes when that is checkpointed to its end.
                checkpoint(&mut unsaved).await?;
                tokio::select! {
                    record = consumer.next() => record?,
                    () = self.finished() => break,
                }
            };
            self.once(record.shard(), &record, &work)?;
            if dies_at == Some(count) {
                // Its shards are free. What was not checkpointed of them, this record at least, comes to others again.
                return Ok(());
            }
            unsaved.insert(record.shard(), record);
            if count % CHECKPOINT_EVERY == 0 {
                checkpoint(&mut unsaved).await?;
            }
        }
        Ok(())
    }
}

/// Checkpoints the newest record of each shard.
async fn checkpoint(unsaved: &mut BTreeMap<ShardId, Consumed>) -> Result<()> {
    while let Some((_, record)) = unsaved.pop_first() {
        match record.checkpoint().await {
            // Another worker has the shard now, and gets the records again.
            Ok(()) | Err(Error::LeaseLost { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub(crate) async fn reached(count: &watch::Sender<usize>, wanted: usize) {
    // The sender lives in what this borrows: the wait cannot fail.
    let _ = count.subscribe().wait_for(|count| *count >= wanted).await;
}

/// Counts the records of one shard.
pub(crate) struct Counting {
    all: Arc<Shared>,
    team: Arc<Team>,
}

impl Counting {
    pub(crate) fn new(all: Arc<Shared>, team: Arc<Team>) -> Self {
        Self { all, team }
    }
}

#[async_trait]
impl Processor for Counting {
    async fn process(&mut self, records: Vec<Record>, checkpointer: &Checkpointer) {
        // Somebody else may have the shard now: then he gets these records again and counts them.
        if checkpointer.checkpoint_all().await.is_err() {
            self.team.again.fetch_add(records.len(), Ordering::Relaxed);
            return;
        }
        let mut carriers = self.all.carriers.lock();
        for line in records.iter().filter_map(|record| std::str::from_utf8(&record.data).ok()) {
            // A row that is cut short would be missing in the count, and the program would say so.
            let _ = self.all.count(&mut carriers, line);
        }
        self.team.done.send_modify(|done| *done += records.len());
    }
}
