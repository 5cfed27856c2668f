//! A world with one of everything that a transaction can change, and all that is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use broker_core::{
    Broker, Clock, Consumer, LocalQueue, LocalStream, LocalTopic, ManualClock, Result, ShardId, Space,
    StartingPosition, storage::Storage,
};

use crate::support::{TINY, take};

pub(crate) const START: u64 = 1_000_000;

/// One of everything.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) broker: Broker,
    pub(crate) orders: LocalQueue,
    /// Where the dead letters of the orders go.
    pub(crate) dead: LocalQueue,
    pub(crate) ordered: LocalQueue,
    pub(crate) news: LocalTopic,
    pub(crate) audit: LocalQueue,
    pub(crate) clicks: LocalStream,
    pub(crate) billing: Consumer,
    pub(crate) totals: Space,
}

/// All that is in a world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) orders: BTreeSet<String>,
    pub(crate) dead: BTreeSet<String>,
    pub(crate) ordered: Vec<String>,
    /// What was published.
    pub(crate) audit: BTreeSet<String>,
    pub(crate) records: Vec<String>,
    /// How many records the consumer group has consumed.
    pub(crate) consumed: u64,
    pub(crate) keys: BTreeMap<String, String>,
}

impl World {
    pub(crate) async fn open(store: Arc<dyn Storage>, millis: u64) -> Result<Self> {
        let clock = ManualClock::new(millis);
        let broker = Broker::builder_on(store).clock(clock.clone()).memory(TINY).seed(3).open().await?;
        let timeout = Duration::from_secs(10);
        let dead = broker.queue("dead").await?;
        let orders = broker.queue("orders").visibility_timeout(timeout).dead_letter("dead", 1_000).await?;
        let ordered = broker.queue("ordered.fifo").fifo().visibility_timeout(timeout).await?;
        let (news, audit) = (broker.topic("news").await?, broker.queue("audit").await?);
        news.subscribe(&audit).raw_delivery(true).await?;
        let clicks = broker.stream("clicks").shards(1).await?;
        let billing = clicks.consumer("billing").start(StartingPosition::TrimHorizon).await?;
        let totals = broker.space("totals").await?;
        Ok(Self { clock, broker, orders, dead, ordered, news, audit, clicks, billing, totals })
    }

    pub(crate) fn millis(&self) -> u64 {
        self.clock.now().as_millis()
    }

    /// Takes everything out.
    pub(crate) async fn drain(self) -> Contents {
        let mut contents = Contents::default();
        let at = self.clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
        let mut at = Some(at);
        while let Some(iterator) = at {
            let found = self.clicks.read(&iterator, 100).await.unwrap();
            let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
            contents.records.extend(found.records.iter().map(|record| text(&record.data)));
            at = found.next.filter(|_| !found.records.is_empty());
        }
        let groups = self.clicks.consumer_groups().await.unwrap();
        contents.consumed = contents.records.len() as u64 - groups[0].leases[0].behind;
        for (key, value) in self.totals.scan("", None, 1_000).await.unwrap().entries {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            contents.keys.insert(text(&key), text(&value));
        }
        // Whatever was in flight is visible again.
        self.clock.advance(Duration::from_secs(13 * 3_600));
        contents.orders = bodies(&self.orders).await.into_iter().collect();
        contents.dead = bodies(&self.dead).await.into_iter().collect();
        contents.audit = bodies(&self.audit).await.into_iter().collect();
        contents.ordered = bodies(&self.ordered).await;
        contents
    }
}

/// The bodies of all messages, of which none may be there twice.
async fn bodies(queue: &LocalQueue) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let got = take(queue, 10).await;
        if got.is_empty() {
            return all;
        }
        for message in got {
            let body = message.text().unwrap().to_owned();
            assert!(!all.contains(&body), "{body} is there twice");
            all.push(body);
            queue.delete(message.receipt).await.unwrap();
        }
    }
}
