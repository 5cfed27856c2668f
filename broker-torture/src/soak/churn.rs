//! What happens in a minute: work, and things that come and go.

use std::{future::Future, pin::pin, time::Duration};

use broker_core::{
    Broker, Endpoint, LocalQueue, LocalStream, LocalTopic, ManualClock, PublishMessage, PutRecord,
    ReceiveOptions, SendMessage, StartingPosition, storage::Durability,
};

use crate::schedules::Dice;

/// A short-lived queue, subscription or consumer group comes every so many minutes, and the one before goes.
const COMINGS_MINUTES: u64 = 10;
/// Messages sent in a minute; all that can be had are taken.
const MESSAGES: u64 = 12;

/// What the broker's own tasks get to do what they can at one time.
const PATIENCE: Duration = Duration::from_millis(1);

/// See the module.
pub(super) struct Churn {
    broker: Broker,
    clock: ManualClock,
    dice: Dice,
    queue: LocalQueue,
    fifo: LocalQueue,
    topic: LocalTopic,
    stream: LocalStream,
    pub(super) operations: u64,
}

impl Churn {
    pub(super) async fn new(broker: Broker, clock: ManualClock, dice: Dice) -> broker_core::Result<Self> {
        // Nobody ends this process: what the kernel has is enough, and the days are shorter.
        let buffered = Durability::Buffered;
        broker.queue("dead").durability(buffered).retention(Duration::from_secs(3_600)).await?;
        let queue = broker.queue("work").durability(buffered).dead_letter("dead", 2).await?;
        let fifo = broker.queue("work.fifo").fifo().durability(buffered).await?;
        let topic = broker.topic("news").durability(buffered).await?;
        topic.subscribe(&queue).filter_attributes(r#"{"kind": ["wanted"]}"#).await?;
        let stream = broker.stream("clicks").shards(2).durability(buffered).await?;
        Ok(Self { broker, clock, dice, queue, fifo, topic, stream, operations: 0 })
    }

    /// The work of a minute.
    pub(super) async fn minute(&mut self, minute: u64) -> broker_core::Result<()> {
        if minute.is_multiple_of(COMINGS_MINUTES) {
            self.come_and_go(minute / COMINGS_MINUTES).await?;
        }
        for number in 0..MESSAGES {
            let length = usize::try_from(1 + self.dice.roll(2_000)).unwrap_or(1);
            let body = "x".repeat(length);
            // Groups and ids never come again.
            let message = SendMessage::new(body.clone()).group_id(format!("g{minute}"));
            self.fifo.send(message.deduplication_id(format!("d{minute}.{number}"))).await?;
            let delay = Duration::from_secs(self.dice.roll(2) * 300);
            self.queue.send(SendMessage::new(body.clone()).delay(delay)).await?;
            self.stream.put(PutRecord::new(format!("k{}", number % 5), body)).await?;
            self.operations += 3;
        }
        let kind = broker_core::AttributeValue::string("wanted");
        self.topic.publish(PublishMessage::new("news").attribute("kind", kind)).await?;
        for queue in [self.queue.clone(), self.fifo.clone()] {
            self.take(&queue).await?;
        }
        Ok(())
    }

    /// Takes what can be had; one in twenty is left to come back and end as a dead letter.
    async fn take(&mut self, queue: &LocalQueue) -> broker_core::Result<()> {
        for _ in 0..2 * MESSAGES {
            let options = ReceiveOptions::up_to(10).wait_time(Duration::ZERO);
            let received = queue.receive(options.visibility_timeout(Duration::from_secs(90))).await?;
            if received.is_empty() {
                break;
            }
            for message in received {
                if queue.name() == "work.fifo" || self.dice.roll(20) > 0 {
                    queue.delete(message.receipt).await?;
                }
                self.operations += 2;
            }
        }
        Ok(())
    }

    async fn come_and_go(&mut self, number: u64) -> broker_core::Result<()> {
        let name = |number: u64| format!("short-{number}");
        let short = self.broker.queue(name(number)).durability(Durability::Buffered).await?;
        for _ in 0..MESSAGES {
            short.send("left behind").await?;
        }
        let subscription = self.topic.subscribe(&short).await?;
        let handler = self.topic.subscribe(Endpoint::handler(name(number))).await?;
        self.topic.publish("for a while").await?;
        self.stream.put(PutRecord::new("k0", "there is one to read")).await?;
        let mut consumer = self.stream.consumer(name(number)).start(StartingPosition::TrimHorizon).await?;
        self.while_time_passes(consumer.next()).await?.checkpoint().await?;
        drop(consumer);
        if let Some(before) = number.checked_sub(1) {
            self.broker.delete_queue(&name(before)).await?;
            self.stream.delete_consumer_group(&name(before)).await?;
        }
        self.topic.unsubscribe(subscription.id).await?;
        self.topic.unsubscribe(handler.id).await?;
        self.operations += 10 + MESSAGES;
        Ok(())
    }

    /// A consumer takes shards at beats of the clock, which must not stand still for it.
    async fn while_time_passes<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                done = &mut future => return done,
                () = tokio::time::sleep(PATIENCE) => self.clock.advance(Duration::from_secs(1)),
            }
        }
    }

    pub(super) async fn close(self) -> broker_core::Result<()> {
        self.broker.close().await.map(drop)
    }
}
