//! What operations do with topics, streams and transactions, and with what there is.

use std::time::Duration;

use broker_core::{
    AttributeValue, MoveTask, PublishMessage, PutRecord, QueueSettings, Result, SendMessage, ShardFilter,
    StartingPosition,
};

use super::{
    more::has_more,
    op::Op,
    world::{CLICKS, DEAD, GROUP, LEASE, LINE, LOGS, NEWS, ORDERS, RETENTION, SCRATCH, TOTALS, World},
};

impl Op {
    pub(super) async fn topic(self, world: &mut World) -> Result<()> {
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

    pub(super) async fn stream(self, world: &mut World) -> Result<()> {
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
                if has_more(&clicks).await? {
                    let mut worker = clicks.consumer(GROUP).start(StartingPosition::TrimHorizon).await?;
                    worker.next().await?.checkpoint().await?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn transact(self, world: &mut World) -> Result<()> {
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

    pub(super) async fn manage(self, world: &mut World) -> Result<()> {
        let broker = &world.broker;
        match self {
            Self::Redrive => {
                broker.start_move_task(MoveTask::from(DEAD).to(SCRATCH)).await?;
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
            _ => world.clock.advance(if self == Self::LeaseEnds { LEASE } else { RETENTION }),
        }
        Ok(())
    }
}
