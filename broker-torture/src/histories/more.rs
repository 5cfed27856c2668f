//! What the less frequent operations do: batches, settings, tags, shards, dead letters of streams.

use std::time::Duration;

use broker_core::{
    ChangeVisibility, Checkpoint, Entries, LocalStream, PublishMessage, ReceiptHandle, ReceiveOptions,
    Result, ShardFilter, StartingPosition, StreamQueueSettings, StreamSettings, SubscriptionSettings,
    TopicSettings,
};

use super::{
    op::Op,
    seen::Seen,
    world::{CLICKS, GROUP, LOGS, NEWS, ORDERS, TOTALS, WORK, World},
};

/// Longer than any history.
const HOUR: Duration = Duration::from_secs(3_600);

impl Op {
    pub(super) async fn more(self, world: &mut World) -> Result<()> {
        let broker = &world.broker;
        match self {
            Self::DeleteBatch | Self::ReleaseBatch | Self::TagQueue | Self::UntagQueue => {
                self.more_of_queues(world).await
            }
            Self::PublishBatch
            | Self::TopicSettings
            | Self::TagTopic
            | Self::UntagTopic
            | Self::SetSubscription => self.more_of_topics(world).await,
            Self::NewTopic => broker.topic("new").await.map(drop),
            Self::NewStream => broker.stream("new").shards(1).await.map(drop),
            Self::NewSpace => broker.space("new").await.map(drop),
            Self::SetNote => broker.set_note("note", world.known.next.to_string()).await,
            Self::RemoveNote => broker.remove_note("note").await,
            Self::Look => Seen::of(broker).await.map(drop),
            Self::TransactAgain => {
                let totals = broker.open_space(TOTALS).await?;
                let more = broker.transact(async |mut tx| {
                    let before = tx.get(&totals, "sum").await?.map_or(0, |value| value.len());
                    let all = tx.scan(&totals, "", None, 10).await?.entries.len();
                    tx.put(&totals, "sum", format!("{before} and {all}"))?;
                    tx.commit().await
                });
                more.await.map(drop)
            }
            Self::WorkRelease
            | Self::WorkDead
            | Self::WorkRestore
            | Self::WorkSettings
            | Self::WorkDoneBatch
            | Self::WorkReleaseBatch
            | Self::DeadDone
            | Self::DeadExtend => {
                let clicks = broker.open_stream(CLICKS).await?;
                self.work(world, &clicks).await
            }
            _ => {
                let (clicks, logs) = (broker.open_stream(CLICKS).await?, broker.open_stream(LOGS).await?);
                self.more_of_streams(world, &clicks, &logs).await
            }
        }
    }

    async fn more_of_queues(self, world: &mut World) -> Result<()> {
        let (queue, receipts) = (world.queue(ORDERS).await?, &world.known.orders);
        let last: Vec<ReceiptHandle> = receipts.iter().rev().take(2).copied().collect();
        match self {
            Self::DeleteBatch => {
                drop(queue.delete_batch(last.into_iter().collect()).await?);
            }
            Self::ReleaseBatch => {
                let release = |receipt| ChangeVisibility { receipt, timeout: Duration::ZERO };
                let changes: Entries<_> = last.into_iter().map(release).collect();
                drop(queue.change_visibility_batch(changes).await?);
            }
            Self::TagQueue => queue.tag([("owner", world.known.next.to_string())]).await?,
            _ => queue.untag(["owner"]).await?,
        }
        Ok(())
    }

    async fn more_of_topics(self, world: &mut World) -> Result<()> {
        let (body, news) = (world.body(), world.broker.open_topic(NEWS).await?);
        match self {
            Self::PublishBatch => {
                let message = |at| PublishMessage::new(format!("{body}.{at}"));
                drop(news.publish_batch((0..2).map(message).collect()).await?);
            }
            Self::TopicSettings => {
                let change = TopicSettings { display_name: Some(body), ..TopicSettings::default() };
                news.set_attributes(change).await?;
            }
            Self::UntagTopic => news.untag(["owner"]).await?,
            Self::TagTopic => news.tag([("owner", body)]).await?,
            _ => {
                if let Some(first) = news.subscriptions().await?.first() {
                    news.set_subscription(first.id, &SubscriptionSettings::new().raw_delivery(false)).await?;
                }
            }
        }
        Ok(())
    }

    async fn more_of_streams(
        self,
        world: &mut World,
        clicks: &LocalStream,
        logs: &LocalStream,
    ) -> Result<()> {
        match self {
            Self::StreamSettings => {
                let retention = Some(48 * HOUR);
                clicks.set_attributes(StreamSettings { retention, ..StreamSettings::default() }).await?;
            }
            Self::TagStream => clicks.tag([("owner", world.body())]).await?,
            Self::MoreShards => logs.update_shard_count(2).await?,
            Self::Merge => {
                if let [first, second, ..] = &clicks.shards(ShardFilter::AtLatest).await?[..] {
                    clicks.merge_shards(first.id, second.id).await?;
                }
            }
            Self::UntagStream => clicks.untag(["owner"]).await?,
            Self::WatchShards => drop(clicks.traffic().await?),
            Self::NewGroup => drop(clicks.consumer("new").start(StartingPosition::TrimHorizon).await?),
            Self::NewWork => {
                let settings = StreamQueueSettings::default();
                clicks.queue("new", StartingPosition::Latest, &settings).await?;
            }
            Self::DropWork => clicks.delete_queue(WORK).await?,
            Self::DropGroup => clicks.delete_consumer_group(GROUP).await?,
            // What was consumed, and a key that says so, in one commit.
            _ => {
                let totals = world.broker.open_space(TOTALS).await?;
                if has_more(clicks).await? {
                    let mut worker = clicks.consumer(GROUP).start(StartingPosition::TrimHorizon).await?;
                    let record = worker.next().await?;
                    let mut tx = world.broker.transaction();
                    tx.checkpoint(Checkpoint::from(&record))?;
                    tx.put(&totals, "consumed", record.data.clone())?;
                    tx.commit().await?;
                }
            }
        }
        Ok(())
    }

    async fn work(self, world: &mut World, clicks: &LocalStream) -> Result<()> {
        let Some(queue) = clicks.open_queue(WORK) else { return Ok(()) };
        let last = world.known.work.last().copied();
        match self {
            Self::WorkRelease => {
                if let Some(receipt) = last {
                    queue.update_visibility(receipt, Duration::ZERO).await?;
                }
            }
            Self::WorkDead => {
                let options = ReceiveOptions::up_to(1).wait_time(Duration::ZERO).visibility_timeout(HOUR);
                let got = queue.receive_dead_letters(options).await?;
                world.known.dead.extend(got.iter().map(|message| message.receipt));
            }
            Self::WorkRestore | Self::DeadDone | Self::DeadExtend => {
                let Some(&receipt) = world.known.dead.last() else { return Ok(()) };
                match self {
                    Self::WorkRestore => drop(queue.restore_dead_letter(receipt).await?),
                    Self::DeadDone => drop(queue.acknowledge_dead_letter(receipt).await?),
                    _ => drop(queue.update_dead_letter_visibility(receipt, HOUR * 2).await?),
                }
            }
            Self::WorkDoneBatch => drop(queue.acknowledge_batch(last.into_iter().collect()).await?),
            Self::WorkReleaseBatch => {
                let release = |receipt| ChangeVisibility { receipt, timeout: Duration::ZERO };
                drop(queue.update_visibility_batch(last.into_iter().map(release).collect()).await?);
            }
            _ => {
                let settings =
                    StreamQueueSettings { visibility_timeout: HOUR, ..StreamQueueSettings::default() };
                queue.set_settings(&settings).await?;
            }
        }
        Ok(())
    }
}

/// Whether there is something left for the group, if there is the group: a worker would wait for it.
pub(super) async fn has_more(clicks: &LocalStream) -> Result<bool> {
    let groups = clicks.consumer_groups().await?;
    let billing = groups.iter().find(|group| group.name == GROUP);
    Ok(billing.is_some_and(|group| group.leases.iter().any(|lease| lease.behind > 0)))
}
