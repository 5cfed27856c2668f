//! The broker of a history, with its two queues.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, LocalQueue, ManualClock, MemoryBounds, MessageId, PeekOptions, QueueSettings, RedrivePolicy,
    SequenceNumber, storage::Storage,
};

use super::{
    pair::{Pair, Setup, Side},
    seen::{Seen, Shown},
};

/// An open broker with its two queues.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) main: LocalQueue,
    pub(crate) dead: LocalQueue,
}

impl World {
    pub(crate) async fn broker(store: Arc<dyn Storage>, clock: &ManualClock, bounds: MemoryBounds) -> Broker {
        Broker::builder_on(store).clock(clock.clone()).seed(7).memory(bounds).open().await.unwrap()
    }

    pub(crate) async fn create(broker: Broker, setup: &Setup, model: &Pair) -> Self {
        let mut settings = QueueSettings::new()
            .visibility_timeout(Duration::from_millis(model.main.visibility_ms))
            .retention(Duration::from_secs(setup.retention_s));
        if setup.fifo {
            settings = settings
                .fifo(true)
                .content_based_deduplication(setup.by_content)
                .deduplication_scope(setup.scope);
        }
        let dead = broker.queue(model.dead.name).settings(settings.clone()).await.unwrap();
        let settings =
            settings.delay(Duration::from_secs(setup.delay_s)).redrive_policy(policy(model, setup.limit));
        let main = broker.queue(model.main.name).settings(settings).await.unwrap();
        Self { broker, main, dead }
    }

    pub(crate) async fn reopen(broker: Broker, model: &Pair) -> Self {
        let main = broker.open_queue(model.main.name).await.unwrap();
        let dead = broker.open_queue(model.dead.name).await.unwrap();
        Self { broker, main, dead }
    }

    pub(crate) fn queue(&self, side: Side) -> &LocalQueue {
        match side {
            Side::Main => &self.main,
            Side::Dead => &self.dead,
        }
    }

    /// All that shows without a receive.
    pub(crate) async fn look(&self) -> Found {
        let main = self.main.attributes().await.unwrap();
        let dead = self.dead.attributes().await.unwrap();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap();
        let (main_order, main_messages) = peek(&self.main).await;
        let (dead_order, dead_messages) = peek(&self.dead).await;
        let shown = Shown {
            counters: [main.counters, dead.counters],
            retention_ms: [ms(main.retention), ms(dead.retention)],
            delay_ms: ms(main.delay),
            limit: main.redrive_policy.target().map(|(_, limit)| limit),
            messages: [main_messages, dead_messages],
        };
        Found { shown, order: [main_order, dead_order] }
    }
}

/// What the broker shows.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) shown: Shown,
    /// The place of each message.
    pub(crate) order: [Vec<(MessageId, SequenceNumber)>; 2],
}

/// All messages of a queue.
pub(crate) async fn peek(queue: &LocalQueue) -> (Vec<(MessageId, SequenceNumber)>, Vec<Seen>) {
    let peeked = queue.peek(PeekOptions::up_to(1_000)).await.unwrap();
    assert!(peeked.len() < 1_000, "a history has fewer messages");
    peeked.into_iter().map(|peeked| ((peeked.id, peeked.sequence_number), Seen::of(peeked))).unzip()
}

pub(crate) fn policy(model: &Pair, limit: Option<u32>) -> RedrivePolicy {
    limit.map_or(RedrivePolicy::None, |limit| RedrivePolicy::to(model.dead.name, limit))
}
