//! Doing a transaction again after a conflict.

use super::{Reason, Transaction};
use crate::{
    broker::Broker,
    error::{Error, Result},
};

impl Broker {
    /// Runs `work` on a transaction and commits it. If a user key that it has read was changed meanwhile, nothing has happened, and it
    /// begins again with a new transaction, at most
    /// [`tries_max`](crate::TransactionLimits::tries_max) times in all. Then, and for any other reason, it fails, and nothing has happened.
    ///
    /// `work` must bear being run more than once, so it should do nothing but with the transaction. If it fails, nothing is committed and its
    /// error is returned. Each conflict means that another transaction has committed; but one that thinks for long about a
    /// key that others change all the time may use up its tries.
    ///
    /// Cancel safe in this sense: a dropped call has done all of it or nothing, and later calls agree on which.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// let counts = broker.space("counts").await?;
    /// let visits = broker
    ///     .transact(async |tx| {
    ///         let before = tx.get(&counts, "visits").await?;
    ///         let visits = before.map_or(0, |bytes| bytes[0]) + 1;
    ///         tx.put(&counts, "visits", vec![visits])?;
    ///         broker_core::Result::Ok(visits)
    ///     })
    ///     .await?;
    /// assert_eq!(visits, 1);
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn transact<T, E: From<Error>>(
        &self,
        mut work: impl AsyncFnMut(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut left = self.engine().limits.transactions.tries_max.max(1);
        loop {
            left -= 1;
            let mut tx = self.transaction();
            let done = work(&mut tx).await;
            let overtaken = match (tx.overtaken.take(), done) {
                // Whatever it has made of that.
                (Some(overtaken), _) => overtaken,
                (None, Err(error)) => return Err(error),
                (None, Ok(value)) => match tx.commit().await {
                    Ok(_) => return Ok(value),
                    Err(error) if is_overtaken(&error) => error,
                    Err(error) => return Err(error.into()),
                },
            };
            if left == 0 {
                return Err(overtaken.into());
            }
            // Whoever was faster goes on first.
            tokio::task::yield_now().await;
        }
    }
}

fn is_overtaken(error: &Error) -> bool {
    matches!(error, Error::TransactionRejected(why) if matches!(why.reason, Reason::KeyChanged { .. }))
}
