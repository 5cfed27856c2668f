//! What operations do that goes on beside them: replays, moves that are cut short, handlers, processors, and waiting.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use broker_core::{
    Checkpointer, Endpoint, LocalTopic, MoveTask, Notification, PeekOptions, Processor, PublishMessage,
    PutRecord, ReceiveOptions, Record, Replay, Result, ShardFilter, StartingPosition, SubscriptionInfo,
    Timestamp,
};
use tokio::sync::Notify;

use super::{
    op::Op,
    world::{AUDIT, BEGIN_MS, CLICKS, FEED, GROUP, LOGS, LOST, NEWS, ORDERS, SCRATCH, TOTALS, World},
};

/// How long an operation waits for something that comes at once, if not for a lost wake-up.
const LONG: Duration = Duration::from_secs(20);
/// How long one waits for something that does not come.
const SHORT: Duration = Duration::from_secs(5);

impl Op {
    pub(super) async fn background(self, world: &mut World) -> Result<()> {
        let broker = &world.broker;
        match self {
            Self::Confirm => {
                let token = world.known.token.clone();
                broker.open_topic(NEWS).await?.confirm_subscription(&token).await?;
            }
            Self::PublishInOrder => {
                let body = world.body();
                let message = PublishMessage::new(&body).group_id("c").deduplication_id(body);
                world.broker.open_topic(FEED).await?.publish(message).await?;
            }
            Self::Replay | Self::StopReplay => self.replay(world).await?,
            Self::CancelMove => {
                let tasks = broker.list_move_tasks(LOST, 1).await?;
                if let Some(handle) = tasks.first().and_then(|task| task.handle.as_ref()) {
                    broker.cancel_move_task(handle).await?;
                }
            }
            Self::Deliver => deliver_one(&broker.open_topic(NEWS).await?).await?,
            Self::Process => process_one(world).await?,
            Self::ReceiveAndSend => {
                let (body, queue) = (world.body(), world.queue(SCRATCH).await?);
                // With something there already it would not wait.
                if queue.counters().await?.total() == 0 {
                    let receive = queue.receive(ReceiveOptions::up_to(1).wait_time(LONG));
                    let (received, sent) = tokio::join!(receive, queue.send(body));
                    sent?;
                    received?;
                }
            }
            Self::ReceiveInVain => {
                let (queue, clock) = (world.queue(SCRATCH).await?, &world.clock);
                if queue.counters().await?.total() == 0 {
                    let receive = queue.receive(ReceiveOptions::up_to(1).wait_time(SHORT));
                    tokio::join!(receive, async { clock.advance(SHORT) }).0?;
                }
            }
            Self::ReadAndPut => {
                let (body, logs) = (world.body(), world.broker.open_stream(LOGS).await?);
                let shards = logs.shards(ShardFilter::AtLatest).await?;
                // Of several nobody knows which will have the record.
                if let [shard] = &shards[..] {
                    let latest = logs.iterator(shard.id, StartingPosition::Latest).await?;
                    let put = logs.put(PutRecord::new("k", body));
                    let (read, put) = tokio::join!(logs.read_within(&latest, 1, LONG), put);
                    put?;
                    read?;
                }
            }
            Self::Reopen => {
                broker.flush().await?;
                broker.close().await?;
                *world = World::open(world.store.clone(), world.known_now()).await?;
            }
            _ => look_closer(world).await?,
        }
        Ok(())
    }

    async fn replay(self, world: &World) -> Result<()> {
        let feed = world.broker.open_topic(FEED).await?;
        let Some(first) = feed.subscriptions().await?.first().map(|there| there.id) else { return Ok(()) };
        if self == Self::StopReplay {
            return feed.stop_replay(first).await;
        }
        feed.start_replay(first, Replay::from(Timestamp::from_millis(BEGIN_MS))).await
    }
}

/// Attaches a handler that takes one message, if there is one, and stops.
async fn deliver_one(news: &LocalTopic) -> Result<()> {
    let is_audit = |there: &SubscriptionInfo| there.endpoint == Endpoint::handler(AUDIT);
    let Some(audit) = news.subscriptions().await?.into_iter().find(is_audit) else { return Ok(()) };
    let (begun, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let own = (begun.clone(), may_end.clone());
    let attached = news.attach(audit.id, move |_: Notification| {
        let (begun, may_end) = own.clone();
        async move {
            begun.notify_one();
            may_end.notified().await;
        }
    });
    let attached = attached.await?;
    if audit.counters.waiting > 0 {
        begun.notified().await;
    }
    // It is told to stop before the message is done, so there is no second one.
    tokio::join!(attached.stop(), async { may_end.notify_one() });
    Ok(())
}

/// Consumes one record with a processor, if the oldest shard that has not ended has one.
async fn process_one(world: &World) -> Result<()> {
    let clicks = world.broker.open_stream(CLICKS).await?;
    let groups = clicks.consumer_groups().await?;
    let Some(group) = groups.iter().find(|group| group.name == GROUP) else { return Ok(()) };
    let lease = group.leases.iter().find(|lease| !lease.ended);
    let Some(chosen) = lease.filter(|lease| lease.behind > 0).map(|lease| lease.shard) else { return Ok(()) };
    let (done, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let own = (done.clone(), may_end.clone());
    let stop = async {
        done.notified().await;
        // Told before it goes on, so it takes no second batch.
        may_end.notify_one();
    };
    let worker = clicks.consumer(GROUP);
    let factory =
        move |shard| One { is_chosen: shard == chosen, done: own.0.clone(), may_end: own.1.clone() };
    worker.run(StartingPosition::TrimHorizon, factory, stop).await
}

/// Checkpoints the first record of its shard if that was chosen, and nothing otherwise.
struct One {
    is_chosen: bool,
    done: Arc<Notify>,
    may_end: Arc<Notify>,
}

#[async_trait]
impl Processor for One {
    async fn process(&mut self, records: Vec<Record>, checkpointer: &Checkpointer) {
        if let Some(first) = records.first().filter(|_| self.is_chosen) {
            // It fails if the broker goes away, and then so does everything.
            drop(checkpointer.checkpoint(first).await);
            self.done.notify_one();
            self.may_end.notified().await;
        }
    }

    async fn shard_ended(&mut self, _: &Checkpointer) {}
}

/// Everything that only looks, and is not part of what is seen after each operation.
async fn look_closer(world: &World) -> Result<()> {
    let (broker, orders) = (&world.broker, world.queue(ORDERS).await?);
    orders.stats().await?;
    orders.why_empty().await?;
    let first = orders.peek(PeekOptions::up_to(1)).await?;
    for message in first {
        orders.explain(message.id).await?;
    }
    drop(orders.watch().await?);
    broker.dead_letter_source_queues(LOST).await?;
    broker.plan_move(&MoveTask::from(LOST)).await?;
    broker.note("note").await?;
    let totals = broker.open_space(TOTALS).await?;
    totals.get("sum").await?;
    totals.stats().await?;
    let news = broker.open_topic(NEWS).await?;
    if let Some(first) = news.subscriptions().await?.first() {
        news.subscription(first.id).await?;
    }
    let logs = broker.open_stream(LOGS).await?;
    if let Some(first) = logs.shards(ShardFilter::FromTrimHorizon).await?.first() {
        // The first record is always there.
        logs.reader(first.id, StartingPosition::TrimHorizon).await?.next().await?;
    }
    Ok(())
}
