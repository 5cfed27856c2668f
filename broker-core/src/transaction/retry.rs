//! Doing a transaction again after a conflict.

use std::sync::Arc;

use super::Transaction;
use crate::{
    broker::Broker,
    sync::{AtomicBool, Ordering, yield_now},
};

impl Broker {
    /// Gives `work` a transaction to fill and to commit. If a user key that it has read was changed meanwhile, nothing has happened, and `work`
    /// is called again with a new transaction, at most [`tries_max`](crate::TransactionLimits::tries_max) times in all. Otherwise, and at
    /// last, what it returns is returned.
    ///
    /// `work` must bear being called more than once, so it should do nothing but with its transaction, and what must not be done twice
    /// after the commit. Each conflict means that another transaction has committed; but one that thinks for long about a key
    /// that others change all the time may use up its tries.
    ///
    /// Cancel safe in this sense: a dropped call has done all of it or nothing, and later calls agree on which.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// let counts = broker.space("counts").await?;
    /// let visits = broker.transact(async |mut tx| {
    ///     let before = tx.get(&counts, "visits").await?;
    ///     let visits = before.map_or(0, |bytes| bytes[0]) + 1;
    ///     tx.put(&counts, "visits", vec![visits])?;
    ///     tx.commit().await?; // without this, nothing happens
    ///     Ok::<_, broker_core::Error>(visits)
    /// });
    /// assert_eq!(visits.await?, 1);
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn transact<T, E, W>(&self, mut work: impl FnMut(Transaction) -> W) -> Result<T, E>
    where
        W: Future<Output = Result<T, E>>,
    {
        let mut left = self.engine().limits.transactions.tries_max.max(1);
        loop {
            left -= 1;
            let conflict = Arc::new(AtomicBool::new(false));
            let mut tx = self.transaction();
            tx.0.conflict = Some(conflict.clone());
            let done = work(tx).await;
            if left == 0 || !conflict.load(Ordering::Relaxed) {
                return done;
            }
            // Whoever was faster goes on first.
            yield_now().await;
        }
    }
}
