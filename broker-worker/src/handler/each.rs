//! A function on single messages, as a handler of batches.

use std::{future::Future, marker::PhantomData, panic::AssertUnwindSafe};

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt, stream};

use super::{Context, Failure, Handler, IntoOutcome, Outcome, Payload};
use crate::queue::{Batch, Lease, Received, Response};

/// A handler of batches that calls `function` with one message after the other, as the payload that it takes.
///
/// A message that fails, panics, or does not parse fails alone. On a FIFO queue the later ones of its group are then not
/// tried, so that the order holds (rules L51, L56). What was decided before a timeout stays decided.
///
/// ```
/// use broker_worker::{Json, handler::each, queue::Received};
/// # #[derive(serde::Deserialize)] struct Order { total: u32 }
///
/// let handler = each(|Json(order): Json<Order>, message: Received| async move {
///     println!("{} for {}", message.id, order.total);
///     Ok::<(), std::io::Error>(())
/// });
/// ```
pub fn each<P, F, Fut>(function: F) -> Each<P, F>
where
    P: Payload,
    F: Fn(P, Received) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoOutcome + Send,
{
    Each { function, at_once: 1, payload: PhantomData }
}

/// What [`each`] makes.
pub struct Each<P, F> {
    function: F,
    at_once: usize,
    payload: PhantomData<fn() -> P>,
}

impl<P, F> Each<P, F> {
    /// Handles up to `at_once` messages of a batch at the same time, in one task. Not those of a FIFO queue.
    pub fn concurrently(self, at_once: usize) -> Self {
        Self { at_once: at_once.max(1), ..self }
    }
}

impl<P, F, Fut> Each<P, F>
where
    P: Payload,
    F: Fn(P, Received) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoOutcome + Send,
{
    /// Handles a message, whose lease this is. Returns whether it was dealt with, so that others of its group may follow.
    async fn one(&self, lease: &Lease, message: Received) -> bool {
        if lease.is_lost() {
            // Somebody else may be at it by now.
            lease.decide(Outcome::Failed(Failure::new("the lease was lost before its turn came")));
            return false;
        }
        let outcome = match message.payload::<P>() {
            Err(failure) => Outcome::Failed(failure),
            Ok(payload) => {
                let run = async { (self.function)(payload, message).await.into_outcome() };
                let run = AssertUnwindSafe(run).catch_unwind().await;
                run.unwrap_or_else(|panic| Outcome::Failed(Failure::panic(&*panic)))
            }
        };
        let settled = matches!(outcome, Outcome::Ack | Outcome::Dead { .. });
        lease.decide(outcome);
        settled
    }

    async fn in_order(&self, batch: Batch) {
        let mut stopped: Vec<String> = Vec::new();
        for message in batch {
            let group = message.group_id.clone().unwrap_or_default();
            if stopped.contains(&group) {
                let reason = format!("not tried: an earlier message of the group {group:?} failed");
                message.decide(Outcome::Failed(Failure::new(reason)));
                continue;
            }
            let lease = message.lease().clone();
            // Without the lease it may be with somebody else, whatever was done here.
            if !self.one(&lease, message).await || lease.is_lost() {
                stopped.push(group);
            }
        }
    }
}

#[async_trait]
impl<P, F, Fut> Handler<Batch> for Each<P, F>
where
    P: Payload,
    F: Fn(P, Received) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoOutcome + Send,
{
    async fn handle(&self, batch: Batch, _: Context) -> Result<Response, Failure> {
        if batch.is_fifo() {
            self.in_order(batch).await;
        } else if self.at_once == 1 {
            let Some(mut lease) = batch.messages().first().map(|first| first.lease().clone()) else {
                return Ok(Response::Rest(Outcome::Ack));
            };
            for message in batch {
                lease.go_to(message.lease());
                self.one(&lease, message).await;
            }
        } else {
            let all = stream::iter(batch).for_each_concurrent(self.at_once, |message| async {
                self.one(&message.lease().clone(), message).await;
            });
            all.await;
        }
        // Each was decided on: this is of nothing.
        Ok(Response::Rest(Outcome::Ack))
    }
}
