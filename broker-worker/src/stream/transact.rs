//! Functions that fill a transaction, as handlers of records: what they write is committed together with the checkpoint.

use std::future::Future;

use async_trait::async_trait;
use broker_core::{Broker, Error, Record, Transaction};

use super::batch::{RecordBatch, StreamResponse};
use crate::handler::{BoxError, Context, Failure, Handler};

/// A function on batches, each with a transaction. What the function has put into it is committed together with the checkpoint
/// behind the batch: both, or nothing, and the batch comes again.
///
/// It is for mappings that have one batch of a shard at a time and no tumbling windows, since elsewhere the checkpoint does not move with
/// each batch: there every invocation fails. The function fills the transaction and returns it. It is called again if a user key that
/// it has read was changed meanwhile, as often as [`tries_max`](broker_core::TransactionLimits::tries_max) says, so it should do nothing
/// but with its transaction. If that is rejected, above all because the lease is lost, or if the function fails, nothing has happened, and
/// it is a failed invocation like any other.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use broker_core::{Error, PutRecord, Transaction};
/// use broker_worker::{Context, stream::{RecordBatch, StreamMapping, transact_batch}};
///
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let (clicks, counts) = (broker.stream("clicks").await?, broker.space("counts").await?);
/// clicks.put(PutRecord::new("user-7", "buy")).await?;
///
/// let sums = counts.clone();
/// let count = transact_batch(&broker, move |batch: RecordBatch, _: Context, mut tx: Transaction| {
///     let sums = sums.clone();
///     async move {
///         for click in batch.records() {
///             let before = tx.get(&sums, &click.partition_key).await?.map_or(0, |value| value[0]);
///             tx.put(&sums, &click.partition_key, vec![before + 1])?;
///         }
///         Ok::<_, Error>(tx) // committed with the checkpoint
///     }
/// });
/// let running = StreamMapping::new("count", clicks, count).start().await?;
/// # tokio::time::sleep(Duration::from_secs(1)).await;
/// running.stop(Duration::from_secs(30)).await;
/// assert_eq!(counts.get("user-7").await?.as_deref(), Some(&[1][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub fn transact_batch<F, Fut, E>(broker: &Broker, function: F) -> TransactBatch<F>
where
    F: Fn(RecordBatch, Context, Transaction) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Transaction, E>> + Send,
    E: Into<BoxError> + Send,
{
    TransactBatch { broker: broker.clone(), function }
}

/// What [`transact_batch`] makes.
pub struct TransactBatch<F> {
    broker: Broker,
    function: F,
}

#[async_trait]
impl<F, Fut, E> Handler<RecordBatch> for TransactBatch<F>
where
    F: Fn(RecordBatch, Context, Transaction) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Transaction, E>> + Send,
    E: Into<BoxError> + Send,
{
    async fn handle(&self, batch: RecordBatch, context: Context) -> Result<StreamResponse, Failure> {
        let Some(last) = batch.records().last() else { return Err(no_checkpoint()) };
        let fill = |tx| (self.function)(batch.clone(), context.clone(), tx);
        transact(&self.broker, &batch, last, fill).await?;
        Ok(StreamResponse::Done)
    }
}

/// A function on one record after the other, with a transaction for each, which is committed together with the checkpoint behind the
/// record. It stops at the first that fails: those before it are done, and it comes again with all behind it. As
/// [`transact_batch`] otherwise.
pub fn transact_each<F, Fut, E>(broker: &Broker, function: F) -> TransactEach<F>
where
    F: Fn(Record, Context, Transaction) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Transaction, E>> + Send,
    E: Into<BoxError> + Send,
{
    TransactEach { broker: broker.clone(), function }
}

/// What [`transact_each`] makes.
pub struct TransactEach<F> {
    broker: Broker,
    function: F,
}

#[async_trait]
impl<F, Fut, E> Handler<RecordBatch> for TransactEach<F>
where
    F: Fn(Record, Context, Transaction) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Transaction, E>> + Send,
    E: Into<BoxError> + Send,
{
    async fn handle(&self, batch: RecordBatch, context: Context) -> Result<StreamResponse, Failure> {
        for record in batch.records() {
            let fill = |tx| (self.function)(record.clone(), context.clone(), tx);
            if let Err(failure) = transact(&self.broker, &batch, record, fill).await {
                tracing::warn!(number = %record.number, %failure, "a record failed");
                return Ok(StreamResponse::Failed(vec![record.number]));
            }
        }
        Ok(StreamResponse::Done)
    }
}

/// Has a transaction filled, and commits it with the checkpoint behind a record of the batch.
async fn transact<Fut, E>(
    broker: &Broker,
    batch: &RecordBatch,
    last: &Record,
    fill: impl Fn(Transaction) -> Fut,
) -> Result<(), Failure>
where
    Fut: Future<Output = Result<Transaction, E>> + Send,
    E: Into<BoxError> + Send,
{
    let shard = batch.shard_work().filter(|shard| shard.moves_with_each_batch()).ok_or_else(no_checkpoint)?;
    if last.number < shard.lease.next() {
        // An invocation that was dropped, at its timeout, has committed it.
        return Ok(());
    }
    let work = |tx| {
        let (filling, shard) = (fill(tx), &shard);
        async move {
            let mut tx = filling.await.map_err(Failure::of)?;
            let at = shard.lease.at(last.number).map_err(Failure::of::<Error>)?;
            tx.checkpoint(at).map_err(Failure::of::<Error>)?;
            tx.commit().await.map(drop).map_err(Failure::of::<Error>)
        }
    };
    broker.transact(work).await
}

fn no_checkpoint() -> Failure {
    Failure::new(
        "a transaction moves the checkpoint: the lease must be there, the parallelization factor 1, and no tumbling window",
    )
}
