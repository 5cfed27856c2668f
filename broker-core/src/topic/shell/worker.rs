//! The work of an attached subscriber: out of the backlog, in attempts that follow the delivery policy (rules N50 to N56).

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::sync::watch;

use super::{
    LocalTopic, Subscription,
    fan_out::Burial,
    push::{Deliver, DeliveryOutcome, Recipient},
    throttle::Throttle,
};
use crate::{
    clock::millis,
    error::{Error, Result},
    queue::{LocalQueue, message::Message, options::ReceiveOptions, shell::Operation, state::Place},
    storage::Durability,
    sync::{JoinSet, Ordering},
    topic::{
        notification::{Notification, Stored},
        retry::DeliveryPolicy,
        subscription::DeliveryOrder,
    },
};

/// Delivers the messages of one subscription.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) topic: LocalTopic,
    pub(super) backlog: LocalQueue,
    pub(super) number: u64,
    pub(super) deliver: Arc<dyn Deliver>,
}

/// How much longer a message stays with its attempt than that may take, for the settling.
const MARGIN: Duration = Duration::from_secs(60);
/// How long to wait after a message that could not be read.
const AFTER_DAMAGE_MS: u64 = 1_000;

impl Worker {
    /// Works until it is told to stop, the subscription ends, or the broker stops; and until the attempts under way have
    /// ended.
    pub(super) async fn run(self, order: DeliveryOrder, stopping: watch::Receiver<bool>) -> Result<()> {
        let at_once = match order {
            DeliveryOrder::InOrder => 1,
            DeliveryOrder::Independent(at_once) => at_once as usize,
        };
        let mut attempts = JoinSet::new();
        let worked = self.work(at_once, &mut attempts, stopping).await;
        while attempts.join_next().await.is_some() {}
        worked
    }

    async fn work(
        &self,
        at_once: usize,
        attempts: &mut JoinSet<Result<()>>,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<()> {
        let timeline = &self.topic.cell.engine.timeline;
        let mut throttle = Throttle::default();
        while !*stopping.borrow() {
            let rate = self.policy()?.1.max_receives_per_second;
            let free = at_once.saturating_sub(attempts.len());
            let next = async {
                timeline.sleep_until(throttle.next()).await;
                let max = if rate.is_some() { 1 } else { free.min(10) };
                let visible_for = self.deliver.timeout().saturating_add(MARGIN);
                let options = ReceiveOptions::up_to(max).visibility_timeout(visible_for);
                self.backlog.receive_within(&options, u64::MAX).await
            };
            tokio::select! {
                biased;
                _ = stopping.changed() => break,
                Some(done) = attempts.join_next() => match done {
                    // Only its own message is the worse for it: that is visible again when its time is up.
                    Ok(Ok(()) | Err(Error::Storage(_))) | Err(_) => {}
                    Ok(Err(error)) => return Err(error),
                },
                received = next, if free > 0 => match received {
                    Ok(messages) => for message in messages {
                        throttle.note(rate, timeline.now());
                        let place = self.backlog.open_receipt(message.receipt)?;
                        // Made here, since a task that is dropped may never have begun.
                        let guard = GiveBack { worker: self.clone(), place: Some(place), counts: false };
                        attempts.spawn(async move { guard.attempt(message, place).await });
                    },
                    // It stays invisible for a while; the next receive gets what is behind it.
                    Err(Error::Storage(_)) => throttle.pause(timeline.now(), AFTER_DAMAGE_MS),
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// The subscription and its delivery policy, as they are now.
    fn policy(&self) -> Result<(Arc<Subscription>, DeliveryPolicy)> {
        let cell = &*self.topic.cell;
        let inner = cell.inner.lock();
        let there = inner.subscription(self.number).cloned();
        let there = there.ok_or_else(|| cell.no_subscription(cell.subscription_id(self.number)))?;
        let policy = there.definition.effective_policy(&inner.state.settings);
        Ok((there, policy))
    }

    /// What the message says, if it makes sense.
    fn notification(&self, message: &Message) -> Option<Notification> {
        let stored = Stored {
            deduplication_id: None,
            attributes: message.attributes.clone(),
            body: message.body.clone(),
        };
        let notification = stored.notification(&self.topic.cell.name).ok()?;
        Some(Notification { attempt: message.receive_count, ..notification })
    }

    /// Lets the subscriber have the message, within its time and whatever it does.
    async fn deliver(
        &self,
        notification: Notification,
        subscription: &Subscription,
        policy: &DeliveryPolicy,
    ) -> DeliveryOutcome {
        let cell = &*self.topic.cell;
        let to = Recipient {
            subscription: cell.subscription_id(self.number),
            endpoint: subscription.definition.endpoint.clone(),
            raw_delivery: subscription.definition.raw_delivery,
            content_type: policy.content_type.clone(),
        };
        let timeline = &cell.engine.timeline;
        let timeout = self.deliver.timeout();
        let deadline = timeline.now().saturating_add(millis(timeout));
        let attempt =
            AssertUnwindSafe(async { self.deliver.deliver(notification, &to).await }).catch_unwind();
        tokio::select! {
            biased;
            delivered = attempt => delivered.unwrap_or_else(|panic| {
                DeliveryOutcome::ServerError(format!("the handler panicked: {}", words(&*panic)))
            }),
            () = timeline.sleep_until(deadline) => {
                DeliveryOutcome::ServerError(format!("no answer within {timeout:?}"))
            }
        }
    }

    /// Deletes a message that was delivered.
    async fn delete(&self, message: &Message, place: Place) -> Result<()> {
        match self.backlog.delete(message.receipt).await {
            // The attempt took longer than the message was its own, but nobody else delivers.
            Err(Error::ReceiptHandleExpired { .. }) => {
                let delete = |op: &mut Operation<'_>| Ok(op.state.give_up(place, op.now, op.batch));
                self.backlog.cell.operate(None, None, delete)?.1.wait().await
            }
            deleted => deleted.map(drop),
        }
    }

    /// Makes the message visible again after a while.
    async fn put_back(&self, place: Place, delay: Duration) -> Result<()> {
        let put_back = |op: &mut Operation<'_>| {
            op.state.change_visibility(place, millis(delay), op.now, u64::MAX, op.batch)
        };
        match self.backlog.cell.operate(Durability::Buffered, None, put_back) {
            // It is visible already.
            Err(Error::ReceiptHandleExpired { .. }) => Ok(()),
            put_back => put_back?.1.wait().await,
        }
    }

    /// Moves the message to the dead-letter queue of its subscription, or drops it if there is none, in one commit.
    async fn give_up(
        &self,
        message: &Message,
        place: Place,
        notification: Notification,
        subscription: &Subscription,
        reason: String,
    ) -> Result<()> {
        let cell = &*self.topic.cell;
        loop {
            let name = subscription.definition.dead_letter.as_ref();
            let dead = name.and_then(|name| self.topic.broker.cell(name));
            let Some(dead) = dead else {
                self.delete(message, place).await?;
                subscription.counters.dropped.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            };
            let step = |op: &mut Operation<'_>, other: &mut Operation<'_>| {
                if op.state.give_up(place, op.now, op.batch).is_none() {
                    return Ok(None);
                }
                let (attempts, since) = (message.receive_count, Some(message.first_received_at));
                let burial = Burial { attempts, since, reason: reason.clone() };
                let content = (&notification, notification.text());
                Ok(Some(cell.bury(subscription, &dead, other, content, burial)))
            };
            let durability = self.backlog.cell.durability_of_move(&dead);
            match self.backlog.cell.operate_both(&dead, durability, step) {
                Err(Error::QueueDoesNotExist { name }) if name == dead.name => {}
                Err(error) => return Err(error),
                Ok((became, ticket)) => {
                    ticket.wait().await?;
                    if let Some(became) = became {
                        became.count(subscription);
                    }
                    return Ok(());
                }
            }
        }
    }
}

/// Gives a message back whose attempt was dropped: it is visible again. An attempt that has begun counts, but for the last
/// one: that is made again, or the message would be lost.
struct GiveBack {
    worker: Worker,
    place: Option<Place>,
    counts: bool,
}

impl GiveBack {
    /// One attempt to deliver a message, and what follows from it.
    async fn attempt(mut self, message: Message, place: Place) -> Result<()> {
        let worker = self.worker.clone();
        // Not before the message is there: it may have been long in coming.
        let (subscription, policy) = worker.policy()?;
        let receive_count = message.receive_count;
        let Some(notification) = worker.notification(&message) else {
            // It can only be damaged, and stays where it is: invisible for a while.
            self.place = None;
            return Ok(());
        };
        let outcome = if receive_count > policy.retry.retries.saturating_add(1) {
            // The process ended during the last attempt.
            DeliveryOutcome::ClientError("the last attempt was not finished".into())
        } else {
            self.counts = receive_count <= policy.retry.retries;
            worker.deliver(notification.clone(), &subscription, &policy).await
        };
        self.place = None;
        let (seed, backlog) = (worker.topic.cell.engine.seed, worker.backlog.cell.id);
        let retry = || policy.retry.jittered_delay(receive_count, seed, backlog, place.seq);
        match outcome {
            DeliveryOutcome::Delivered => {
                worker.delete(&message, place).await?;
                subscription.counters.delivered.fetch_add(1, Ordering::Relaxed);
            }
            DeliveryOutcome::ServerError(reason) => match retry() {
                Some(delay) => worker.put_back(place, delay).await?,
                None => worker.give_up(&message, place, notification, &subscription, reason).await?,
            },
            DeliveryOutcome::ClientError(reason) => {
                worker.give_up(&message, place, notification, &subscription, reason).await?;
            }
        }
        Ok(())
    }
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let give_back = |op: &mut Operation<'_>| {
                if self.counts {
                    op.state.change_visibility(place, 0, op.now, u64::MAX, op.batch)?;
                } else {
                    op.state.take_back(place.seq, place.delivery, op.now, op.batch);
                }
                Ok(())
            };
            // Nobody waits for it. If the broker has stopped, the next one makes it visible.
            drop(self.worker.backlog.cell.operate(Durability::Buffered, None, give_back));
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
