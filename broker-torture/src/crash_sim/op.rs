//! The operations of which histories are made: one of every kind, with small arguments.

use std::time::Duration;

use broker_core::{
    AttributeValue, Entries, MoveTask, PublishMessage, PutRecord, QueueSettings, ReceiptHandle,
    ReceiveOptions, Result, SendMessage, ShardFilter, StartingPosition, storage::Durability,
};

use super::world::{
    CLICKS, DEAD, GROUP, LEASE, LINE, LOGS, NEWS, ORDERS, RETENTION, SCRATCH, TOTALS, WORK, World,
};

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Send,
    SendDelayed,
    SendThree,
    SendBuffered,
    SendToGroupA,
    SendToGroupB,
    SendAgain,
    ReceiveOne,
    ReceiveThree,
    ReceiveInOrder,
    Delete,
    DeleteInOrder,
    Release,
    ReleaseInOrder,
    Extend,
    GiveUp,
    Redrive,
    Purge,
    Settings,
    Publish,
    PublishElse,
    Subscribe,
    Unsubscribe,
    Put,
    PutTwo,
    Split,
    Consume,
    Work,
    WorkDone,
    SetKey,
    RemoveKey,
    Transact,
    Doomed,
    NewQueue,
    DropQueue,
    DropTopic,
    DropStream,
    DropSpace,
    LeaseEnds,
    Expire,
}

impl Op {
    pub(super) const ALL: [Self; 40] = [
        Self::Send,
        Self::SendDelayed,
        Self::SendThree,
        Self::SendBuffered,
        Self::SendToGroupA,
        Self::SendToGroupB,
        Self::SendAgain,
        Self::ReceiveOne,
        Self::ReceiveThree,
        Self::ReceiveInOrder,
        Self::Delete,
        Self::DeleteInOrder,
        Self::Release,
        Self::ReleaseInOrder,
        Self::Extend,
        Self::GiveUp,
        Self::Redrive,
        Self::Purge,
        Self::Settings,
        Self::Publish,
        Self::PublishElse,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Put,
        Self::PutTwo,
        Self::Split,
        Self::Consume,
        Self::Work,
        Self::WorkDone,
        Self::SetKey,
        Self::RemoveKey,
        Self::Transact,
        Self::Doomed,
        Self::NewQueue,
        Self::DropQueue,
        Self::DropTopic,
        Self::DropStream,
        Self::DropSpace,
        Self::LeaseEnds,
        Self::Expire,
    ];

    /// What its effect has survived when it returns: hand-outs are counted before a process can die of them, not synced. Time has
    /// passed, whatever becomes of the store.
    pub(super) fn promise(self) -> Option<Durability> {
        match self {
            Self::LeaseEnds | Self::Expire => None,
            Self::SendBuffered
            | Self::ReceiveOne
            | Self::ReceiveThree
            | Self::ReceiveInOrder
            | Self::Release
            | Self::ReleaseInOrder
            | Self::Extend
            | Self::Work => Some(Durability::Buffered),
            _ => Some(Durability::Synced),
        }
    }

    /// Does it. What cannot be done here, since something is gone, changes nothing.
    pub(super) async fn run(self, world: &mut World) -> Result<()> {
        let done = match self {
            Self::Send
            | Self::SendDelayed
            | Self::SendThree
            | Self::SendBuffered
            | Self::SendToGroupA
            | Self::SendToGroupB
            | Self::SendAgain => self.send(world).await,
            Self::ReceiveOne | Self::ReceiveThree | Self::ReceiveInOrder | Self::Work => {
                self.receive(world).await
            }
            Self::Delete
            | Self::DeleteInOrder
            | Self::Release
            | Self::ReleaseInOrder
            | Self::Extend
            | Self::GiveUp
            | Self::WorkDone => self.settle(world).await,
            Self::Publish | Self::PublishElse | Self::Subscribe | Self::Unsubscribe => {
                self.topic(world).await
            }
            Self::Put | Self::PutTwo | Self::Split | Self::Consume => self.stream(world).await,
            Self::Transact | Self::Doomed => self.transact(world).await,
            _ => self.manage(world).await,
        };
        match done {
            Err(error) if error.certainty() == broker_core::Certainty::Rejected => Ok(()),
            done => done,
        }
    }

    async fn send(self, world: &mut World) -> Result<()> {
        let body = world.body();
        match self {
            Self::Send => drop(world.queue(ORDERS).await?.send(body).await?),
            Self::SendDelayed => {
                let message = SendMessage::new(body).delay(Duration::from_secs(20));
                world.queue(ORDERS).await?.send(message).await?;
            }
            Self::SendThree => {
                let batch: Entries<_> = (0..3).map(|at| SendMessage::from(format!("{body}.{at}"))).collect();
                world.queue(ORDERS).await?.send_batch(batch).await?.all()?;
            }
            Self::SendBuffered => drop(world.queue(SCRATCH).await?.send(body).await?),
            _ => {
                let id = if self == Self::SendAgain { "again".to_owned() } else { body.clone() };
                let group = if self == Self::SendToGroupB { "b" } else { "a" };
                let message = SendMessage::new(body).group_id(group).deduplication_id(id);
                world.queue(LINE).await?.send(message).await?;
            }
        }
        Ok(())
    }

    async fn receive(self, world: &mut World) -> Result<()> {
        let options = |max| ReceiveOptions::up_to(max).wait_time(Duration::ZERO);
        match self {
            Self::ReceiveInOrder => {
                let got = world.queue(LINE).await?.receive(options(2)).await?;
                world.known.line.extend(got.iter().map(|message| message.receipt));
            }
            Self::Work => {
                let clicks = world.broker.open_stream(CLICKS).await?;
                let Some(queue) = clicks.open_queue(WORK) else { return Ok(()) };
                // Longer than any history, since what it does is looked at in numbers.
                let hour = Duration::from_secs(3_600);
                let got = queue.receive(options(1).visibility_timeout(hour)).await?;
                world.known.work.extend(got.iter().map(|message| message.receipt));
            }
            _ => {
                let max = if self == Self::ReceiveOne { 1 } else { 3 };
                let got = world.queue(ORDERS).await?.receive(options(max)).await?;
                world.known.orders.extend(got.iter().map(|message| message.receipt));
            }
        }
        Ok(())
    }

    async fn settle(self, world: &mut World) -> Result<()> {
        let last = |receipts: &[ReceiptHandle]| receipts.last().copied();
        if self == Self::WorkDone {
            let clicks = world.broker.open_stream(CLICKS).await?;
            let (Some(queue), Some(receipt)) = (clicks.open_queue(WORK), last(&world.known.work)) else {
                return Ok(());
            };
            return queue.acknowledge(receipt).await.map(drop);
        }
        let (name, receipts) = match self {
            Self::DeleteInOrder | Self::ReleaseInOrder => (LINE, &world.known.line),
            _ => (ORDERS, &world.known.orders),
        };
        let (Some(receipt), queue) = (last(receipts), world.queue(name).await?) else { return Ok(()) };
        match self {
            Self::Delete | Self::DeleteInOrder => drop(queue.delete(receipt).await?),
            Self::GiveUp => drop(queue.dead_letter(receipt, "a bad order").await?),
            Self::Extend => drop(queue.change_visibility(receipt, LEASE * 2).await?),
            _ => drop(queue.change_visibility(receipt, Duration::ZERO).await?),
        }
        Ok(())
    }

    async fn topic(self, world: &mut World) -> Result<()> {
        let (body, news) = (world.body(), world.broker.open_topic(NEWS).await?);
        match self {
            Self::Subscribe => {
                news.subscribe(&world.queue(SCRATCH).await?).await?;
            }
            Self::Unsubscribe => {
                let all = news.subscriptions().await?;
                if let Some(first) = all.first() {
                    news.unsubscribe(first.id).await?;
                }
            }
            _ => {
                let kind = if self == Self::Publish { "order" } else { "else" };
                let message = PublishMessage::new(body).attribute("kind", AttributeValue::string(kind));
                news.publish(message).await?;
            }
        }
        Ok(())
    }

    async fn stream(self, world: &mut World) -> Result<()> {
        let (body, clicks) = (world.body(), world.broker.open_stream(CLICKS).await?);
        match self {
            Self::Put => drop(clicks.put(PutRecord::new("k", body)).await?),
            Self::PutTwo => {
                let records = ["k", "l"].map(|key| PutRecord::new(key, body.clone()));
                clicks.put_batch(records.into()).await?.into_iter().collect::<Result<Vec<_>>>()?;
            }
            Self::Split => {
                let shards = clicks.shards(ShardFilter::AtLatest).await?;
                if let Some(shard) = shards.first() {
                    let hashes = shard.range;
                    clicks.split_shard(shard.id, hashes.start + (hashes.end - hashes.start) / 2).await?;
                }
            }
            _ => {
                let mut worker = clicks.consumer(GROUP).start(StartingPosition::TrimHorizon).await?;
                // It would wait for the first record.
                if clicks
                    .consumer_groups()
                    .await?
                    .iter()
                    .any(|group| group.leases.iter().any(|l| l.behind > 0))
                {
                    worker.next().await?.checkpoint().await?;
                }
            }
        }
        Ok(())
    }

    async fn transact(self, world: &mut World) -> Result<()> {
        let (body, broker) = (world.body(), &world.broker);
        let (orders, line) = (world.queue(ORDERS).await?, world.queue(LINE).await?);
        let mut tx = broker.transaction();
        tx.send(&line, SendMessage::new(body.clone()).group_id("a").deduplication_id(body.clone()))?;
        tx.publish(&broker.open_topic(NEWS).await?, PublishMessage::new(&body))?;
        let clicks = broker.open_stream(CLICKS).await?;
        tx.put_record(&clicks, PutRecord::new("k", body.clone()))?;
        tx.put(&broker.open_space(TOTALS).await?, "sum", body)?;
        // Doomed is what takes the first receipt, which holds nothing any more once the message has come again.
        let receipts = &world.known.orders;
        let receipt = if self == Self::Doomed { receipts.first() } else { receipts.last() };
        if let Some(receipt) = receipt {
            tx.ack(&orders, *receipt)?;
        }
        tx.commit().await.map(drop)
    }

    async fn manage(self, world: &mut World) -> Result<()> {
        let broker = &world.broker;
        match self {
            Self::Redrive => {
                broker.start_move_task(MoveTask::from(DEAD).to(SCRATCH)).await?;
                world.moved().await?;
            }
            Self::Purge => world.queue(ORDERS).await?.purge().await?,
            Self::Settings => {
                let change = QueueSettings::new().delay(Duration::from_secs(5));
                world.queue(ORDERS).await?.set_attributes(change).await?;
            }
            Self::SetKey => broker.open_space(TOTALS).await?.put("sum", world.known.next.to_string()).await?,
            Self::RemoveKey => broker.open_space(TOTALS).await?.delete("sum").await?,
            Self::NewQueue => drop(broker.queue("new").await?),
            Self::DropQueue => broker.delete_queue(SCRATCH).await?,
            Self::DropTopic => broker.delete_topic(NEWS).await?,
            Self::DropStream => broker.delete_stream(LOGS).await?,
            Self::DropSpace => broker.delete_space(TOTALS).await?,
            Self::LeaseEnds => world.clock.advance(LEASE),
            _ => world.clock.advance(RETENTION),
        }
        Ok(())
    }
}
