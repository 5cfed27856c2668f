//! What the tests of transactions work on: orders that become parcels, and are counted, in one commit.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use broker_core::{Broker, Error, LocalQueue, Space, Transaction, storage::faults::CrashStorage};
use broker_mem::MemStorage;
use broker_worker::{
    Handler,
    handler::transact_each,
    queue::{Batch, Pollers, QueueMapping, Received, Running},
};

/// Orders become parcels, and are counted.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) orders: LocalQueue,
    pub(crate) parcels: LocalQueue,
    pub(crate) totals: Space,
    /// How often a function was called.
    pub(crate) calls: Arc<AtomicUsize>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(Arc::new(CrashStorage::new(Arc::new(MemStorage::new())))).await.unwrap()
    }

    pub(crate) async fn on(store: Arc<CrashStorage>) -> Result<Self, Error> {
        let broker = Broker::builder_on(store).open().await?;
        broker.queue("dead").await?;
        let orders = broker.queue("orders").dead_letter("dead", 9).await?;
        let (parcels, totals) = (broker.queue("parcels").await?, broker.space("totals").await?);
        Ok(Self { broker, orders, parcels, totals, calls: Arc::default() })
    }

    /// Ships an order: the work of a function.
    pub(crate) async fn ship(&self, tx: &mut Transaction, order: &str) -> Result<(), Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let before = tx.get(&self.totals, "shipped").await?.map_or(0, |value| value[0]);
        tx.put(&self.totals, "shipped", vec![before + 1])?;
        tx.send(&self.parcels, format!("parcel of {order}")).map(drop)
    }

    /// A handler that ships each order.
    pub(crate) fn shipping(&self) -> impl Handler<Batch> {
        let world = self.clone();
        transact_each(self.orders.clone(), move |order: String, _: Received, mut tx: Transaction| {
            let world = world.clone();
            async move {
                world.ship(&mut tx, &order).await?;
                Ok::<_, Error>(tx)
            }
        })
    }

    pub(crate) fn mapping(&self, handler: impl Handler<Batch>) -> QueueMapping {
        QueueMapping::new(self.orders.clone(), handler).pollers(Pollers::Fixed(1))
    }

    pub(crate) async fn start(&self, handler: impl Handler<Batch>) -> Running {
        self.mapping(handler).start().await.unwrap()
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many orders there are, how many parcels, and how many were counted.
    pub(crate) async fn state(&self) -> (u64, u64, u64) {
        let shipped = self.totals.get("shipped").await.unwrap().map_or(0, |value| value[0]);
        let of = async |queue: &LocalQueue| queue.counters().await.unwrap().total();
        (of(&self.orders).await, of(&self.parcels).await, shipped.into())
    }

    pub(crate) async fn dead(&self) -> LocalQueue {
        self.broker.queue("dead").await.unwrap()
    }
}
