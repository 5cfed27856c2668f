//! One invocation: panics and timeouts become failures.

use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::pin,
    task::Poll,
    time::Duration,
};

use broker_core::{Clock, Timestamp};
use futures_util::FutureExt;

use super::{Context, Event, Failure, Handler};
use crate::scaling::after;

/// Runs a handler on an event. A panic is a failure with its message; after `timeout` the handler is dropped, which is a
/// failure too (rule L2), and its context is cancelled.
///
/// A handler that blocks its thread cannot be dropped before it is done. Then its answer counts as too late.
/// Cancel safe as the handler is: dropped, it drops the handler and cancels its context, so that what the handler has left to other
/// tasks and threads can end too.
pub async fn call<E: Event>(
    handler: &dyn Handler<E>,
    event: E,
    context: Context,
    timeout: Option<Duration>,
    clock: &dyn Clock,
) -> Result<E::Response, Failure> {
    let deadline = timeout.map(|timeout| after(clock.now(), timeout));
    until(deadline, handler, event, context, timeout, clock).await.0
}

/// The same until the deadline of the context. Says also when it ended.
pub(crate) async fn call_until_deadline<E: Event>(
    handler: &dyn Handler<E>,
    event: E,
    context: Context,
    timeout: Option<Duration>,
    clock: &dyn Clock,
) -> (Result<E::Response, Failure>, Timestamp) {
    until(context.deadline(), handler, event, context, timeout, clock).await
}

async fn until<E: Event>(
    deadline: Option<Timestamp>,
    handler: &dyn Handler<E>,
    event: E,
    context: Context,
    timeout: Option<Duration>,
    clock: &dyn Clock,
) -> (Result<E::Response, Failure>, Timestamp) {
    // Unless there is an answer in time, be it that this is dropped.
    let cancelled = context.cancelled().clone().drop_guard();
    // What a panic leaves behind in the handler's state is the handler's affair, as it is with threads.
    let run = async { handler.handle(event, context).await };
    let mut run = pin!(AssertUnwindSafe(run).catch_unwind());
    // Many handlers are done at once, and need no timer.
    let done = match (poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await, deadline) {
        (Poll::Ready(done), _) => Some(done),
        (Poll::Pending, None) => Some(run.await),
        (Poll::Pending, Some(deadline)) => tokio::select! {
            biased;
            done = run => Some(done),
            () = clock.sleep_until(deadline) => None,
        },
    };
    let ended = clock.now();
    let late = deadline.is_some_and(|deadline| ended > deadline);
    let answer = match done {
        Some(done) if !late => {
            cancelled.disarm();
            done.unwrap_or_else(|panic| Err(Failure::panic(&*panic)))
        }
        _ => {
            drop(cancelled);
            Err(Failure::timeout(timeout.unwrap_or_default()))
        }
    };
    (answer, ended)
}
