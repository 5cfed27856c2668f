//! The work of an attached subscriber: out of the backlog, in attempts that follow the delivery policy (rules N50 to N56).

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{sync::watch, task::JoinSet};

use super::{
    LocalTopic, Subscription,
    fan_out::Burial,
    push::{Deliver, DeliveryOutcome, Recipient},
};
use crate::{
    clock::millis,
    error::{Error, Result},
    pipeline::Ticket,
    queue::{LocalQueue, message::Message, options::ReceiveOptions, shell::Operation, state::Place},
    storage::Durability,
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
    pub(super) async fn run(self, order: DeliveryOrder, mut stopping: watch::Receiver<bool>) -> Result<()> {
        let at_once = match order {
            DeliveryOrder::InOrder => 1,
            DeliveryOrder::Independent(at_once) => at_once as usize,
        };
        let timeline = &self.topic.cell.engine.timeline;
        let mut attempts = JoinSet::new();
        let mut throttle = Throttle { next_us: 0 };
        while !*stopping.borrow() {
            let rate = self.policy()?.1.max_receives_per_second;
            let free = at_once - attempts.len();
            let next = async {
                timeline.sleep_until(throttle.next_us.div_ceil(1_000)).await;
                let max = if rate.is_some() { 1 } else { free.min(10) };
                let visible_for = self.deliver.timeout().saturating_add(MARGIN);
                let options = ReceiveOptions::up_to(max).visibility_timeout(visible_for);
                self.backlog.receive_within(&options, u64::MAX).await
            };
            tokio::select! {
                biased;
                _ = stopping.changed() => break,
                Some(done) = attempts.join_next() => if let Ok(Err(error)) = done { return Err(error) },
                received = next, if free > 0 => match received {
                    Ok(messages) => for message in messages {
                        throttle.note(rate, timeline.now());
                        let worker = self.clone();
                        attempts.spawn(async move { worker.attempt(message).await });
                    },
                    // It stays invisible for a while; the next receive gets what is behind it.
                    Err(Error::Storage(_)) => timeline.sleep_until(timeline.now() + AFTER_DAMAGE_MS).await,
                    Err(error) => return Err(error),
                },
            }
        }
        while attempts.join_next().await.is_some() {}
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

    /// One attempt to deliver a message, and what follows from it.
    async fn attempt(&self, message: Message) -> Result<()> {
        // Not before the message is there: it may have been long in coming.
        let (subscription, policy) = self.policy()?;
        let place = self.backlog.open_receipt(message.receipt)?;
        let receive_count = message.receive_count;
        // Without the guard below: what cannot be read must not come back at once, for ever.
        let Some(notification) = self.notification(&message) else { return Ok(()) };
        let guard = GiveBack { worker: self, place: Some(place) };
        let outcome = if receive_count > policy.retry.retries.saturating_add(1) {
            // The process ended during the last attempt.
            DeliveryOutcome::ClientError("the last attempt was not finished".into())
        } else {
            self.deliver(notification.clone(), &subscription, &policy).await
        };
        guard.settled();
        let seed = self.topic.cell.engine.seed;
        let retry =
            |_: &String| policy.retry.jittered_delay(receive_count, seed, self.backlog.cell.id, place.seq);
        match outcome {
            DeliveryOutcome::Delivered => {
                self.backlog.delete(message.receipt).await?;
                subscription.counters.delivered.fetch_add(1, Ordering::Relaxed);
            }
            DeliveryOutcome::ServerError(reason) => match retry(&reason) {
                Some(delay) => self.put_back(place, delay)?.wait().await?,
                None => self.give_up(&message, place, notification, &subscription, reason).await?,
            },
            DeliveryOutcome::ClientError(reason) => {
                self.give_up(&message, place, notification, &subscription, reason).await?;
            }
        }
        Ok(())
    }

    /// What the message says. One that makes no sense stays where it is: it can only be damaged.
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

    /// Makes the message visible again after a while.
    fn put_back(&self, place: Place, delay: Duration) -> Result<Ticket> {
        let put_back = |op: &mut Operation<'_>| {
            op.state.change_visibility(place, millis(delay), op.now, u64::MAX, op.batch)
        };
        Ok(self.backlog.cell.operate(Durability::Buffered, None, put_back)?.1)
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
                self.backlog.delete(message.receipt).await?;
                subscription.counters.dropped.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            };
            let step = |op: &mut Operation<'_>, other: &mut Operation<'_>| {
                if op.state.give_up(place, op.now, op.batch).is_none() {
                    return Ok(true);
                }
                let (attempts, since) = (message.receive_count, Some(message.first_received_at));
                let burial = Burial { attempts, since, reason: reason.clone() };
                Ok(cell.bury(subscription, &dead, other, (&notification, notification.text()), burial))
            };
            let durability = self.backlog.cell.durability_of_move(&dead);
            match self.backlog.cell.operate_both(&dead, durability, step) {
                Err(Error::QueueDoesNotExist { name }) if name == dead.name => {}
                Err(error) => return Err(error),
                Ok((buried, ticket)) => {
                    ticket.wait().await?;
                    let counters = &subscription.counters;
                    let counter = if buried { &counters.dead_lettered } else { &counters.dropped };
                    counter.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
            }
        }
    }
}

/// Makes a message visible again whose attempt was dropped.
struct GiveBack<'w> {
    worker: &'w Worker,
    place: Option<Place>,
}

impl GiveBack<'_> {
    fn settled(mut self) {
        self.place = None;
    }
}

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            // Nobody waits for it. If the broker has stopped, the next one makes it visible.
            drop(self.worker.put_back(place, Duration::ZERO));
        }
    }
}

/// Spreads deliveries so that there are no more in a second than the policy says.
struct Throttle {
    next_us: u64,
}

impl Throttle {
    fn note(&mut self, rate: Option<u32>, now: u64) {
        if let Some(rate) = rate {
            self.next_us = self.next_us.max(now.saturating_mul(1_000)) + 1_000_000 / u64::from(rate);
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
