//! Functions that fill a transaction, as handlers of a queue's batches: what they write is committed together with what becomes of
//! their messages.

use std::{collections::HashSet, future::Future, sync::Arc};

use async_trait::async_trait;
use broker_core::{Error, MessageId, Transaction, TransactionalQueue};
use futures_util::future::BoxFuture;

use super::{BoxError, Context, Each, Failure, FailureKind, Handler, Outcome, Payload, each};
use crate::queue::{Batch, Received, Response};

/// What a function that fills a transaction answers: the transaction, and what becomes of its messages in it.
///
/// A [`Transaction`] alone says that they are done. `(transaction, outcome)` says another [`Outcome`] for all of them, and
/// `(transaction, ids)` that those of a batch have failed and the rest is done.
#[derive(Debug)]
pub struct Transacted {
    tx: Transaction,
    outcome: Outcome,
    failed: Vec<MessageId>,
}

impl From<Transaction> for Transacted {
    fn from(tx: Transaction) -> Self {
        (tx, Outcome::Ack).into()
    }
}

impl From<(Transaction, Outcome)> for Transacted {
    fn from((tx, outcome): (Transaction, Outcome)) -> Self {
        Self { tx, outcome, failed: Vec::new() }
    }
}

impl From<(Transaction, Vec<MessageId>)> for Transacted {
    fn from((tx, failed): (Transaction, Vec<MessageId>)) -> Self {
        Self { tx, outcome: Outcome::Ack, failed }
    }
}

/// A function on one message, in a transaction of its own.
type InTransaction = Box<dyn Fn((), Received) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// What [`transact_each`] makes.
pub type TransactEach = Each<(), InTransaction>;

/// A handler of batches that calls `function` with one message after the other and a transaction for each. What the function has
/// put into it is committed together with what becomes of the message: all of that happens, or nothing, and the message
/// comes again.
///
/// `queue` is the one that is mapped. The function fills the transaction and returns it, see [`Transacted`]:
///
/// - It is called again if a user key that it has read was changed meanwhile, as often as
///   [`tries_max`](broker_core::TransactionLimits::tries_max) says. So it should do nothing but with its transaction.
/// - If the transaction is rejected, above all because the message was received by somebody else since, nothing has happened and
///   the message fails, as [`FailureKind::Rejected`].
/// - If it returns an error, panics, or says that the message failed, nothing is committed. Nor is it if a
///   [decision](Received::decide) was made: that is carried out instead.
/// - Dropped while it commits, at a timeout or the deadline of a shutdown, it has done all of it or nothing.
///
/// Everything else is as with [`each`](super::each()), groups of FIFO queues included.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use broker_core::{Error, Transaction};
/// use broker_worker::{handler::transact_each, queue::{QueueMapping, Received}};
///
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let (orders, parcels) = (broker.queue("orders").await?, broker.queue("parcels").await?);
/// let totals = broker.space("totals").await?;
/// orders.send("socks").await?;
///
/// let (out, sums) = (parcels.clone(), totals.clone());
/// let ship = transact_each(orders.clone(), move |order: String, _: Received, mut tx: Transaction| {
///     let (out, sums) = (out.clone(), sums.clone());
///     async move {
///         let shipped = tx.get(&sums, "shipped").await?.map_or(0, |value| value[0]);
///         tx.put(&sums, "shipped", vec![shipped + 1])?;
///         tx.send(&out, order)?;
///         Ok::<_, Error>(tx) // committed with the acknowledgement
///     }
/// });
/// let running = QueueMapping::new(orders, ship).start().await?;
/// # tokio::time::sleep(Duration::from_secs(1)).await;
/// running.stop(Duration::from_secs(30)).await;
/// assert_eq!((parcels.counters().await?.visible, totals.get("shipped").await?.unwrap()[0]), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub fn transact_each<P, F, Fut, R, E>(queue: impl TransactionalQueue, function: F) -> TransactEach
where
    P: Payload,
    F: Fn(P, Received, Transaction) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    R: Into<Transacted> + Send,
    E: Into<BoxError> + Send,
{
    let shared = Arc::new((queue, function));
    let one = move |(): (), message: Received| -> BoxFuture<'static, Outcome> {
        let shared = shared.clone();
        Box::pin(async move {
            let (queue, function) = &*shared;
            let fill = |tx| {
                let filling = message.payload().map(|payload| function(payload, message.clone(), tx));
                async move { filled(filling?.await) }
            };
            match transact(queue, std::slice::from_ref(&message), fill).await {
                Ok(()) => message.lease().decided().1.cloned().unwrap_or(Outcome::Ack),
                Err(failure) => Outcome::Failed(failure),
            }
        })
    };
    each(Box::new(one) as InTransaction)
}

/// A handler that calls `function` with each batch and one transaction. What the function has put into it is committed together with
/// what becomes of the messages, see [`Transacted`].
///
/// Messages that failed, and those that a [decision](Received::decide) was made on, are left out of the transaction; what the
/// function has put into it stands, so it should not have put anything in for those. If no message is left it is not committed.
/// One message that cannot be settled any more rejects all, and then all fail. A batch counts against the
/// [`TransactionLimits`](broker_core::TransactionLimits) with an operation for each message. As [`transact_each`] otherwise.
pub fn transact_batch<F, Fut, R, E>(queue: impl TransactionalQueue, function: F) -> impl Handler<Batch>
where
    F: Fn(Batch, Transaction) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    R: Into<Transacted> + Send,
    E: Into<BoxError> + Send,
{
    TransactBatch { queue, function }
}

struct TransactBatch<Q, F> {
    queue: Q,
    function: F,
}

#[async_trait]
impl<Q, F, Fut, R, E> Handler<Batch> for TransactBatch<Q, F>
where
    Q: TransactionalQueue,
    F: Fn(Batch, Transaction) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    R: Into<Transacted> + Send,
    E: Into<BoxError> + Send,
{
    async fn handle(&self, batch: Batch, _: Context) -> Result<Response, Failure> {
        let fill = |tx| {
            let filling = (self.function)(batch.clone(), tx);
            async move { filled(filling.await) }
        };
        transact(&self.queue, batch.messages(), fill).await?;
        // Each was settled or decided on: this is of nothing.
        Ok(Response::Rest(Outcome::Ack))
    }
}

fn filled<R: Into<Transacted>, E: Into<BoxError>>(answer: Result<R, E>) -> Result<Transacted, Failure> {
    answer.map(Into::into).map_err(Failure::of)
}

/// Has a transaction filled, and commits it with what becomes of these messages.
async fn transact<Fut>(
    queue: &dyn TransactionalQueue,
    messages: &[Received],
    fill: impl Fn(Transaction) -> Fut,
) -> Result<(), Failure>
where
    Fut: Future<Output = Result<Transacted, Failure>> + Send,
{
    let work = |tx| {
        let filling = fill(tx);
        async move {
            let Transacted { mut tx, outcome, failed } = filling.await?;
            let outcomes = outcomes(messages, &outcome, &failed)?;
            if stage(queue, &mut tx, messages, &outcomes).map_err(Failure::of::<Error>)? {
                tx.commit().await.map_err(Failure::of::<Error>)?;
            }
            Ok(outcomes)
        }
    };
    let outcomes = queue.broker().transact(work).await.inspect_err(|failure: &Failure| {
        if let (FailureKind::Rejected, Some(first)) = (failure.kind, messages.first()) {
            first.lease().set.transaction_rejected(messages.len(), failure);
        }
    })?;
    for (message, outcome) in messages.iter().zip(outcomes) {
        match outcome {
            Some(outcome @ Outcome::Failed(_)) => _ = message.decide(outcome),
            Some(outcome) => message.lease().settled(outcome),
            // It was decided on.
            None => {}
        }
    }
    Ok(())
}

/// What is to become of each message, none if that was decided on already. Fails if an id is not one of them.
fn outcomes(
    messages: &[Received],
    outcome: &Outcome,
    failed: &[MessageId],
) -> Result<Vec<Option<Outcome>>, Failure> {
    let failed: HashSet<MessageId> = failed.iter().copied().collect();
    let known: HashSet<MessageId> = messages.iter().map(|message| message.id).collect();
    if let Some(unknown) = failed.difference(&known).next() {
        return Err(Failure::new(format_args!("the answer names {unknown}, which is not in the batch")));
    }
    let one = |message: &Received| {
        let undecided = message.lease().decided().1.is_none();
        undecided.then(|| {
            if failed.contains(&message.id) {
                Outcome::Failed(Failure::new("the answer names it as failed"))
            } else {
                outcome.clone()
            }
        })
    };
    Ok(messages.iter().map(one).collect())
}

/// Puts what becomes of the messages into the transaction. Returns whether anything becomes of one.
fn stage(
    queue: &dyn TransactionalQueue,
    tx: &mut Transaction,
    messages: &[Received],
    outcomes: &[Option<Outcome>],
) -> Result<bool, Error> {
    let mut settles = false;
    for (message, outcome) in messages.iter().zip(outcomes) {
        let receipt = message.receipt;
        match outcome {
            Some(Outcome::Ack) => queue.ack_in(tx, receipt)?,
            Some(Outcome::Retry { after }) => queue.change_visibility_in(tx, receipt, *after)?,
            Some(Outcome::Dead { reason }) => queue.dead_letter_in(tx, receipt, Outcome::cut(reason))?,
            Some(Outcome::Failed(_)) | None => continue,
        };
        settles = true;
    }
    Ok(settles)
}
