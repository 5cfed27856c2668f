//! Tasks that want the same queues, topics, streams and keys, each in an order of its own, and others that use them one by one: all
//! come to their end, and what they have sent is there.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Error, LocalQueue, LocalStream, LocalTopic, PublishMessage, PutRecord, Reason, ReceiveOptions,
    SendMessage, ShardFilter, Space, Transaction,
};

use crate::{
    dice::Dice,
    disk::Disk,
    support::{Ground, Kind},
};

/// A run that has not ended by then never will. Wide, since the machine may be busy with other tests.
const STUCK: Duration = Duration::from_secs(300);
const TASKS: usize = 6;

/// Two of each.
struct World {
    broker: Broker,
    queues: Vec<LocalQueue>,
    fifos: Vec<LocalQueue>,
    topics: Vec<LocalTopic>,
    streams: Vec<LocalStream>,
    space: Space,
}

impl World {
    async fn open(ground: &Ground) -> Self {
        let broker = ground.open().await;
        let (mut queues, mut fifos, mut topics, mut streams) = (vec![], vec![], vec![], vec![]);
        for number in 0..2 {
            // Made in turns, so that the order of their ids is not the order of their kinds.
            streams.push(broker.stream(format!("s{number}")).shards(1).await.unwrap());
            queues.push(broker.queue(format!("q{number}")).await.unwrap());
            topics.push(broker.topic(format!("t{number}.fifo")).fifo().await.unwrap());
            fifos.push(broker.queue(format!("f{number}.fifo")).fifo().await.unwrap());
        }
        for topic in &topics {
            for fifo in &fifos {
                topic.subscribe(fifo).raw_delivery(true).await.unwrap();
            }
        }
        let space = broker.space("s").await.unwrap();
        Self { broker, queues, fifos, topics, streams, space }
    }

    /// Something on something. Ids are fresh, and yet have to be looked up: the queues were opened anew.
    async fn stage(&self, tx: &mut Transaction, dice: &mut Dice, id: &str) -> Result<usize, Error> {
        let which = dice.below(2);
        match dice.below(6) {
            0 => tx.send(&self.queues[which], id),
            1 => {
                let message = SendMessage::new(id.to_owned()).group_id("g").deduplication_id(id);
                tx.send(&self.fifos[which], message)
            }
            2 => {
                let message = PublishMessage::new(id).group_id("g").deduplication_id(id);
                tx.publish(&self.topics[which], message)
            }
            3 => tx.put_record(&self.streams[which], PutRecord::new("k", id.to_owned())),
            4 => {
                let fickle = self.fickle().await;
                tx.send(&fickle, SendMessage::new(id.to_owned()).group_id("g").deduplication_id(id))
            }
            _ => tx.put(&self.space, format!("k{which}"), id.to_owned()),
        }
    }

    async fn transactions(&self, task: usize, rounds: usize) {
        let mut dice = Dice::new(task as u64 + 1);
        for round in 0..rounds {
            let mut tx = self.broker.transaction();
            for step in 0..=dice.below(5) {
                self.stage(&mut tx, &mut dice, &format!("{task}.{round}.{step}")).await.unwrap();
            }
            tx.send(&self.queues[0], "counted").unwrap();
            match tx.commit().await {
                Err(Error::TransactionRejected(why)) if is_gone(&why.reason) => {
                    self.queues[0].send("rejected").await.unwrap();
                }
                committed => _ = committed.unwrap(),
            }
        }
    }

    /// A queue that is deleted again and again, and made again by whoever wants it.
    async fn fickle(&self) -> LocalQueue {
        self.broker.queue("fickle.fifo").fifo().await.unwrap()
    }

    /// Subscribes that queue to a topic, and deletes it.
    async fn come_and_go(&self, rounds: usize) {
        for round in 0..rounds {
            let fickle = self.fickle().await;
            let topic = &self.topics[round % 2];
            let subscribed = topic.subscribe(&fickle).raw_delivery(true).await.unwrap();
            tokio::task::yield_now().await;
            self.broker.delete_queue("fickle.fifo").await.unwrap();
            topic.unsubscribe(subscribed.id).await.unwrap();
        }
    }

    /// The same without transactions, and a change of the shards now and then.
    async fn one_by_one(&self, rounds: usize) {
        for round in 0..rounds {
            let id = format!("plain.{round}");
            let message = PublishMessage::new(&id).group_id("g").deduplication_id(&id);
            self.topics[round % 2].publish(message).await.unwrap();
            let message = SendMessage::new(id.clone()).group_id("g").deduplication_id(format!("own.{id}"));
            self.fifos[round % 2].send(message).await.unwrap();
            self.space.put("k0", id).await.unwrap();
            let stream = &self.streams[round % 2];
            let open = stream.shards(ShardFilter::AtLatest).await.unwrap();
            if open.len() < 4 {
                let range = open[0].range;
                stream
                    .split_shard(open[0].id, range.start + (range.end - range.start) / 2 + 1)
                    .await
                    .unwrap();
            }
            let poll = ReceiveOptions::up_to(1).wait_time(Duration::ZERO);
            self.queues[1].receive(poll).await.unwrap();
        }
    }
}

fn is_gone(reason: &Reason) -> bool {
    matches!(reason, Reason::Failed(Error::QueueDoesNotExist { .. }))
}

// T13
#[test]
fn whatever_the_order_of_the_calls_nobody_waits_for_ever() {
    for kind in [Kind::Inline, Kind::Blocking, Kind::Disk(Disk::Log)] {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build();
        let all = async {
            let rounds = if matches!(kind, Kind::Disk(_)) { 30 } else { 150 };
            let ground = Ground::new(kind);
            World::open(&ground).await.broker.close().await.unwrap();
            let world = Arc::new(World::open(&ground).await);
            let task = |task| {
                let world = world.clone();
                tokio::spawn(async move { world.transactions(task, rounds).await })
            };
            let mut tasks: Vec<_> = (0..TASKS).map(task).collect();
            let plain = world.clone();
            tasks.push(tokio::spawn(async move { plain.one_by_one(rounds).await }));
            let fickle = world.clone();
            tasks.push(tokio::spawn(async move { fickle.come_and_go(rounds).await }));
            for task in tasks {
                task.await.unwrap();
            }
            let counted = world.queues[0].counters().await.unwrap().total();
            assert!(counted >= (TASKS * rounds) as u64, "{counted} on {kind:?}");
        };
        let ended = runtime.unwrap().block_on(async { tokio::time::timeout(STUCK, all).await });
        ended.expect("nobody waits for ever");
    }
}
