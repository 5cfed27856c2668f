//! The operations of a run.

use std::{fmt::Debug, time::Duration};

use broker_core::{
    Broker, LocalQueue, LocalStream, LocalTopic, ManualClock, Message, PeekOptions, PublishMessage,
    PutRecord, ReceiptHandle, ReceiveOptions, SendMessage, ShardFilter, StartingPosition,
    storage::Durability,
};

use crate::schedules::Dice;

const GROUPS: u64 = 3;
/// More than one row of a store that has a limit for rows.
const LARGE_BYTES: u64 = 40_000;
/// The longest step of the clock, in milliseconds.
const STEP_MAX_MS: u64 = 40_000;

/// A run between two openings of its store.
pub(super) struct Run<'a> {
    pub(super) dice: &'a mut Dice,
    clock: &'a ManualClock,
    receipts: &'a mut Vec<(bool, ReceiptHandle)>,
    queue: LocalQueue,
    fifo: LocalQueue,
    topic: LocalTopic,
    stream: LocalStream,
}

impl<'a> Run<'a> {
    /// Opens what the run of that number works on, or creates it.
    pub(super) async fn new(
        broker: &Broker,
        clock: &'a ManualClock,
        number: u64,
        dice: &'a mut Dice,
        receipts: &'a mut Vec<(bool, ReceiptHandle)>,
    ) -> broker_core::Result<Self> {
        let (buffered, dead) = (Durability::Buffered, format!("dead-{number}"));
        broker.queue(&dead).durability(buffered).await?;
        let queue =
            broker.queue(format!("queue-{number}")).durability(buffered).dead_letter(&dead, 3).await?;
        let fifo = broker.queue(format!("fifo-{number}.fifo")).fifo().durability(buffered).await?;
        let topic = broker.topic(format!("topic-{number}")).durability(buffered).await?;
        topic.subscribe(&queue).filter_attributes(r#"{"kind": ["a", {"prefix": "b"}]}"#).await?;
        let stream = broker.stream(format!("stream-{number}")).shards(2).durability(buffered).await?;
        Ok(Self { dice, clock, receipts, queue, fifo, topic, stream })
    }

    /// One operation, and what it answers.
    pub(super) async fn step(&mut self) -> String {
        match self.dice.roll(14) {
            0..3 => self.send().await,
            3..6 => self.receive().await,
            6..8 => self.delete().await,
            8 => self.change_visibility().await,
            9 => self.publish().await,
            10 => self.put().await,
            11 => self.look().await,
            12 => self.read().await,
            _ => {
                let by = Duration::from_millis(self.dice.roll(STEP_MAX_MS));
                self.clock.advance(by);
                format!("{by:?} later")
            }
        }
    }

    fn body(&mut self) -> String {
        let length = if self.dice.roll(200) == 0 { LARGE_BYTES } else { 1 + self.dice.roll(60) };
        let letter = char::from(b'a' + u8::try_from(self.dice.roll(26)).unwrap_or(0));
        letter.to_string().repeat(usize::try_from(length).unwrap_or(1))
    }

    fn either(&mut self) -> (bool, LocalQueue) {
        let is_fifo = self.dice.roll(2) == 0;
        (is_fifo, if is_fifo { self.fifo.clone() } else { self.queue.clone() })
    }

    async fn send(&mut self) -> String {
        let ((is_fifo, queue), message) = (self.either(), SendMessage::new(self.body()));
        let message = if is_fifo {
            let (group, id) = (self.dice.roll(GROUPS), self.dice.roll(30));
            message.group_id(format!("g{group}")).deduplication_id(format!("d{id}"))
        } else {
            message.delay(Duration::from_secs(self.dice.roll(3) * 7))
        };
        told(&queue.send(message).await)
    }

    async fn receive(&mut self) -> String {
        let (is_fifo, queue) = self.either();
        let timeout = Duration::from_secs([0, 5, 60][self.dice.index(3)]);
        let options = ReceiveOptions::up_to(1 + self.dice.index(5)).wait_time(Duration::ZERO);
        let received = queue.receive(options.visibility_timeout(timeout)).await;
        let messages: &[Message] = received.as_deref().unwrap_or_default();
        self.receipts.extend(messages.iter().map(|message| (is_fifo, message.receipt)));
        told(&received)
    }

    /// Any receipt so far, stale ones too.
    fn receipt(&mut self) -> Option<(LocalQueue, ReceiptHandle)> {
        let at = self.dice.index(self.receipts.len());
        let (is_fifo, receipt) = *self.receipts.get(at)?;
        Some((if is_fifo { self.fifo.clone() } else { self.queue.clone() }, receipt))
    }

    async fn delete(&mut self) -> String {
        let Some((queue, receipt)) = self.receipt() else { return "nothing to delete".into() };
        told(&queue.delete(receipt).await)
    }

    async fn change_visibility(&mut self) -> String {
        let Some((queue, receipt)) = self.receipt() else { return "nothing to change".into() };
        let timeout = Duration::from_secs(self.dice.roll(3) * 20);
        told(&queue.change_visibility(receipt, timeout).await)
    }

    async fn publish(&mut self) -> String {
        let kind = ["a", "bb", "c"][self.dice.index(3)];
        let message = PublishMessage::new(self.body());
        told(&self.topic.publish(message.attribute("kind", broker_core::AttributeValue::string(kind))).await)
    }

    async fn put(&mut self) -> String {
        let (key, body) = (format!("k{}", self.dice.roll(GROUPS)), self.body());
        told(&self.stream.put(PutRecord::new(key, body)).await)
    }

    /// Everything in the queues, and their counters.
    async fn look(&mut self) -> String {
        let (_, queue) = self.either();
        let page = PeekOptions::up_to(1_000);
        format!("{} {}", told(&queue.counters().await), told(&queue.peek(page).await))
    }

    async fn read(&mut self) -> String {
        let shards = self.stream.shards(ShardFilter::default()).await.unwrap_or_default();
        let mut told_all = String::new();
        for shard in shards {
            match self.stream.iterator(shard.id, StartingPosition::TrimHorizon).await {
                Ok(iterator) => told_all += &told(&self.stream.read(&iterator, 1_000).await),
                Err(error) => told_all += &told(&Err::<(), _>(error)),
            }
        }
        told_all
    }
}

fn told<T: Debug>(result: &broker_core::Result<T>) -> String {
    format!("{result:?}")
}
