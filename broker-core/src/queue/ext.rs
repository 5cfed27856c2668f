//! Conveniences over any [`Queue`]: single messages, deliveries that settle themselves, a stream.

use std::{
    collections::VecDeque,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::Stream;

use super::{
    Queue,
    entries::{Entries, Outcomes},
    message::{Message, SendMessage, Sent},
    options::{ChangeVisibility, DeadLettered, Deleted, ReceiveOptions, VisibilityChanged},
};
use crate::{
    error::{Error, Result},
    sync::{JoinSet, Runtime},
};

/// How long one receive waits inside [`QueueExt::recv`] and [`QueueExt::messages`], at most: as long as SQS allows.
const POLL: Duration = Duration::from_secs(20);
/// How many messages a stream fetches at once, at most: as many as SQS allows.
const FETCHED: usize = 10;

/// A long poll for at most `max` messages that the queue takes. An error if it takes none, since to go on asking would
/// keep a processor busy.
fn long_poll(queue: &(impl Queue + ?Sized), max: usize) -> Result<ReceiveOptions> {
    let ReceiveOptions { max_messages, wait_time, .. } = queue.largest_receive();
    match wait_time.unwrap_or(POLL).min(POLL) {
        Duration::ZERO => {
            Err(Error::invalid("wait_max", "0s", "a queue that cannot wait must be polled by hand"))
        }
        wait => Ok(ReceiveOptions::up_to(max.min(max_messages)).wait_time(wait)),
    }
}

/// Conveniences over any [`Queue`].
#[async_trait]
pub trait QueueExt: Queue + Clone + Sized {
    /// Sends one message. Cancel safe as [`Queue::send_batch`] is.
    async fn send_one(&self, message: SendMessage) -> Result<Sent> {
        only(self.send_batch(Entries::one(message)).await?)
    }

    /// Waits for the next message, however long that takes. Cancel safe: a message that was not returned is visible
    /// again at once.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::QueueExt;
    ///
    /// let orders = broker.queue("orders").await?;
    /// orders.send("order 1").await?;
    /// let order = orders.recv().await?;
    /// assert_eq!(&order.body[..], b"order 1");
    /// order.ack().await?;
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    async fn recv(&self) -> Result<Delivery> {
        let poll = long_poll(self, 1)?;
        loop {
            let received = self.receive(poll.clone()).await?;
            if let Some(message) = received.into_iter().next() {
                return Ok(Delivery { message, queue: Arc::new(self.clone()) });
            }
        }
    }

    /// The queue's messages as an endless stream, fetched up to ten at a time.
    ///
    /// It ends only after an error, which it yields. Messages that were fetched and not yielded when it is dropped stay
    /// invisible for their timeout, which also runs while they wait for their turn: with a timeout shorter than ten
    /// messages take, the last of them come twice. Use [`recv`](Self::recv) where that matters.
    ///
    /// It may be kept and not polled for a while: its one receive goes on in a task, and takes at most ten messages.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::QueueExt;
    /// use futures_util::StreamExt;
    ///
    /// let orders = broker.queue("orders").await?;
    /// orders.send("order 1").await?;
    /// let mut messages = orders.messages();
    /// if let Some(order) = messages.next().await {
    ///     order?.ack().await?;
    /// }
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    fn messages(&self) -> Messages {
        Messages {
            queue: Arc::new(self.clone()),
            fetched: VecDeque::new(),
            fetching: JoinSet::new(),
            ended: false,
        }
    }
}

impl<Q: Queue + Clone> QueueExt for Q {}

/// The outcome of a batch of one.
fn only<T>(outcomes: Outcomes<T>) -> Result<T> {
    outcomes.0.into_iter().next().expect("a batch of one has one outcome").1
}

/// A received message together with its queue, so that it can be settled: acknowledged, retried, extended.
///
/// Dropping it leaves the message to its visibility timeout, as SQS does.
#[derive(Clone)]
pub struct Delivery {
    message: Message,
    queue: Arc<dyn Queue>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("message", &self.message).finish_non_exhaustive()
    }
}

impl Deref for Delivery {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl Delivery {
    /// Deletes the message: the work is done. [`Deleted::Stale`] means that the work took longer than the visibility
    /// timeout and somebody else has the message now. Returns when that has the queue's durability.
    pub async fn ack(&self) -> Result<Deleted> {
        only(self.queue.delete_batch(Entries::one(self.message.receipt)).await?)
    }

    /// Makes the message visible again after `wait`: the work failed, try again then. 0 to 12 hours, and at most 12
    /// hours since the message was received.
    pub async fn retry_in(&self, wait: Duration) -> Result<VisibilityChanged> {
        let change = ChangeVisibility { receipt: self.message.receipt, timeout: wait };
        only(self.queue.change_visibility_batch(Entries::one(change)).await?)
    }

    /// Keeps the message invisible for `timeout` from now: the work needs longer. At most 12 hours since the message
    /// was received.
    pub async fn extend(&self, timeout: Duration) -> Result<VisibilityChanged> {
        self.retry_in(timeout).await
    }

    /// Gives the message up to the queue's dead-letter queue, with the reason that is kept there: trying again would not
    /// help. See [`LocalQueue::dead_letter`](super::LocalQueue::dead_letter).
    pub async fn dead(&self, reason: impl Into<String>) -> Result<DeadLettered> {
        self.queue.dead_letter(self.message.receipt, reason.into()).await
    }

    /// The message without its queue.
    pub fn into_message(self) -> Message {
        self.message
    }
}

/// The stream that [`QueueExt::messages`] returns.
#[must_use = "streams do nothing unless polled"]
pub struct Messages {
    queue: Arc<dyn Queue>,
    fetched: VecDeque<Message>,
    /// At most one receive, in a task of its own: a receive that nobody polls would keep its place among the waiters
    /// from others, and whoever holds this stream may poll something else for a while. Ends with the stream.
    fetching: JoinSet<Result<Vec<Message>>>,
    ended: bool,
}

impl Messages {
    fn fetch(&mut self) -> Result<()> {
        let runtime = Runtime::try_current().map_err(|_| Error::NoRuntime)?;
        let queue = self.queue.clone();
        let receive = async move { queue.receive(long_poll(&*queue, FETCHED)?).await };
        self.fetching.spawn_on(receive, &runtime);
        Ok(())
    }
}

impl Stream for Messages {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = self.fetched.pop_front() {
                return Poll::Ready(Some(Ok(Delivery { message, queue: self.queue.clone() })));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let outcome = match self.fetching.poll_join_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => self.fetch().map(|()| Vec::new()),
                Poll::Ready(Some(Ok(received))) => received,
                // Only the end of the runtime cancels the task, and a receive does not panic.
                Poll::Ready(Some(Err(_))) => Err(Error::NoRuntime),
            };
            match outcome {
                Ok(messages) => self.fetched.extend(messages),
                Err(error) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
