//! The simple way to consume: one record after the other, from all shards that are this worker's.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Deref,
    pin::pin,
    time::Duration,
};

use super::{
    cell::LeaseKey,
    joint::Checkpoint,
    member::{InSync, Member},
};
use crate::{
    clock::millis,
    error::Result,
    pipeline::Ticket,
    stream::{
        LocalStream,
        record::{Record, StartingPosition},
        shard::ShardId,
    },
};

/// How long a worker may work on a record before others may take its shards, by default.
const LEASE: Duration = Duration::from_secs(30);
/// Records fetched at once from a shard.
const FETCHED: usize = 100;

/// A worker about to join a consumer group: see [`LocalStream::consumer`].
#[must_use = "a builder does nothing until it is started"]
pub struct ConsumerBuilder {
    pub(super) stream: LocalStream,
    pub(super) group: String,
    pub(super) lease: Duration,
}

impl LocalStream {
    /// A worker of the consumer group of this name. Workers of a group share the shards; groups know nothing of each other.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::{PutRecord, StartingPosition};
    ///
    /// let clicks = broker.stream("clicks").await?;
    /// clicks.put(PutRecord::new("user-7", "buy")).await?;
    /// let mut billing = clicks.consumer("billing").start(StartingPosition::TrimHorizon).await?;
    /// let click = billing.next().await?;
    /// assert_eq!(click.partition_key, "user-7");
    /// click.checkpoint().await?; // a restart goes on behind it
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub fn consumer(&self, group: impl Into<String>) -> ConsumerBuilder {
        ConsumerBuilder { stream: self.clone(), group: group.into(), lease: LEASE }
    }
}

impl ConsumerBuilder {
    /// How long the worker may work before it asks for more or moves a checkpoint: then others may take its shards. By
    /// default 30 seconds. While it waits for records it loses nothing.
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Joins the group. If there is none of this name it is made, and begins here; otherwise it goes on where it was.
    ///
    /// Cancel safe in this sense: a dropped call has made the group or not.
    pub async fn start(self, from: StartingPosition) -> Result<Consumer> {
        let group = self.stream.group(&self.group, from).await?;
        let member = Member::join(self.stream, group, millis(self.lease), false);
        let (shards, in_sync) = (BTreeMap::new(), InSync::default());
        Ok(Consumer { member, shards, turn: 0, lost: Vec::new(), missed: 0, in_sync })
    }
}

/// A worker of a consumer group. Dropping it leaves the group: others take its shards.
pub struct Consumer {
    member: Member,
    shards: BTreeMap<ShardId, Reading>,
    /// The shard whose turn it was.
    turn: u32,
    lost: Vec<ShardId>,
    missed: u64,
    in_sync: InSync,
}

/// A shard that is read.
struct Reading {
    token: u64,
    /// The next sequence to be fetched.
    position: u64,
    fetched: VecDeque<Record>,
}

/// A record of a consumer group, to be checkpointed when it is consumed.
pub struct Consumed {
    record: Record,
    key: LeaseKey,
}

impl Deref for Consumed {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl std::fmt::Debug for Consumed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.record.fmt(f)
    }
}

impl Consumed {
    /// Says that this record and all before it in its shard are consumed: the group does not get them again.
    ///
    /// Fails with [`Error::LeaseLost`](crate::Error::LeaseLost) if somebody else has the shard now, who gets them again: then
    /// stop working on it. Returns when it has the stream's durability. Cancel safe in this sense: a dropped call has moved the
    /// checkpoint or not.
    pub async fn checkpoint(&self) -> Result<()> {
        self.key.checkpoint(self.record.number.seq + 1).await
    }

    pub(super) fn place(&self) -> Checkpoint {
        Checkpoint::new(self.key.clone(), self.record.number.seq + 1)
    }

    /// The shard that it is from.
    pub fn shard(&self) -> ShardId {
        self.key.shard
    }

    /// The record alone.
    pub fn into_record(self) -> Record {
        self.record
    }
}

impl Consumer {
    /// The next record of one of this worker's shards; waits for it as long as it takes. Records of one shard come in order,
    /// and those of a child shard when its parents are checkpointed to their end.
    ///
    /// Calling it says that the worker is there. If another worker is to have one of its shards, this call gives it away: what
    /// was not checkpointed by then the other one gets again. Cancel safe: a record that was not returned comes with the next
    /// call.
    pub async fn next(&mut self) -> Result<Consumed> {
        let mut waiting = None;
        loop {
            // While nothing changes hands, a record that is at hand is given out without a look at all the leases.
            if self.member.is_in_sync(&self.in_sync)
                && let Some(consumed) = self.fetched()
            {
                return Ok(consumed);
            }
            let cell = self.member.stream.cell.clone();
            let group = self.member.group.clone();
            // Enabled before the look: what happens after it is not missed.
            let mut news = pin!(cell.news().notified());
            news.as_mut().enable();
            let mut leases = pin!(group.news.notified());
            leases.as_mut().enable();
            let mut stopped = pin!(cell.engine.pipeline.stopped());
            stopped.as_mut().enable();
            self.follow()?;
            if let Some(consumed) = self.fetched() {
                return Ok(consumed);
            }
            // Before the fetch: what is committed after that is waited for.
            let coming = cell.coming();
            if self.fetch().await? {
                continue;
            }
            // As long as this call lasts: each time it ends, others look.
            waiting.get_or_insert_with(|| self.member.wait());
            let expiry = self.member.stay(&self.in_sync);
            let expired = cell.engine.timeline.sleep_until_any(expiry);
            let committed = Ticket::wait_if_any(coming.as_ref());
            tokio::select! {
                biased;
                committed = committed => committed?,
                () = news => {}
                () = leases => {}
                () = stopped => {}
                () = expired => {}
            }
        }
    }

    /// Shards that this worker has lost since it was last asked, because it was not heard of for too long. What it has of them
    /// it need not work on any more.
    pub fn take_lost(&mut self) -> Vec<ShardId> {
        std::mem::take(&mut self.lost)
    }

    /// How many records were trimmed before this worker came to them, since it began.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The shards that it has.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> {
        self.shards.keys().copied()
    }

    /// Brings what this worker reads up to date with what it holds.
    fn follow(&mut self) -> Result<()> {
        let mut held;
        (held, self.in_sync) = self.member.sync()?;
        for one in held.iter().filter(|one| one.asked_back) {
            self.shards.remove(&one.shard);
            self.member.give_back(one.shard, one.token);
        }
        held.retain(|one| !one.asked_back);
        let still = |shard: &ShardId, reading: &Reading| {
            held.iter().any(|one| one.shard == *shard && one.token == reading.token)
        };
        let gone: Vec<ShardId> = self
            .shards
            .iter()
            .filter(|(shard, reading)| !still(shard, reading))
            .map(|(shard, _)| *shard)
            .collect();
        for shard in gone {
            self.shards.remove(&shard);
            let ended =
                self.member.group.state.lock().leases.get(&shard.0).is_none_or(|one| one.progress.ended);
            if !ended {
                self.lost.push(shard);
            }
        }
        for one in held {
            let reading = || Reading { token: one.token, position: one.next, fetched: VecDeque::new() };
            self.shards.entry(one.shard).or_insert_with(reading);
        }
        Ok(())
    }

    /// A record that was fetched, of the shard whose turn it is.
    fn fetched(&mut self) -> Option<Consumed> {
        let full = |(shard, reading): (&ShardId, &Reading)| (!reading.fetched.is_empty()).then_some(*shard);
        let behind = self.shards.range(ShardId(self.turn.saturating_add(1))..).find_map(full);
        let shard = behind.or_else(|| self.shards.iter().find_map(full))?;
        self.turn = shard.0;
        let reading = self.shards.get_mut(&shard)?;
        let record = reading.fetched.pop_front()?;
        let (stream, group) = (self.member.stream.clone(), self.member.group.clone());
        Some(Consumed { record, key: LeaseKey { stream, group, shard, token: reading.token } })
    }

    /// Fetches from all shards. Returns whether there was something.
    async fn fetch(&mut self) -> Result<bool> {
        let mut found = false;
        for (shard, reading) in &mut self.shards {
            let (records, next) = self.member.stream.fetch(*shard, reading.position, FETCHED).await?;
            found |= next > reading.position;
            self.missed = self.missed.saturating_add(missed(reading.position, &records, next));
            reading.position = next;
            reading.fetched.extend(records);
        }
        Ok(found)
    }
}

/// How many records a fetch from a position has passed over: they had been trimmed.
pub(super) fn missed(position: u64, found: &[Record], next: u64) -> u64 {
    found.first().map_or(next, |first| first.number.seq).saturating_sub(position)
}
