//! One invocation: panics and timeouts become failures.

use std::{panic::AssertUnwindSafe, time::Duration};

use broker_core::Clock;
use futures_util::FutureExt;

use super::{Context, Event, Failure, Handler};

/// Runs a handler on an event. A panic is a failure with its message; after `timeout` the handler is dropped, which is a
/// failure too (rule L2), and its context is cancelled.
///
/// A handler that blocks its thread cannot be dropped before it is done. Then its answer counts as too late.
/// Cancel safe as the handler is.
pub async fn call<E: Event>(
    handler: &dyn Handler<E>,
    event: E,
    context: Context,
    timeout: Option<Duration>,
    clock: &dyn Clock,
) -> Result<E::Response, Failure> {
    let cancelled = context.cancelled().clone();
    // What a panic leaves behind in the handler's state is the handler's affair, as it is with threads.
    let run = async { handler.handle(event, context).await };
    let run = AssertUnwindSafe(run).catch_unwind();
    let caught = |done: Result<_, Box<dyn std::any::Any + Send>>| match done {
        Ok(answer) => answer,
        Err(panic) => Err(Failure::panic(&*panic)),
    };
    let Some(timeout) = timeout else { return caught(run.await) };
    let deadline = deadline(clock, timeout);
    tokio::select! {
        biased;
        done = run => {
            let late = clock.now() > deadline;
            if late { Err(Failure::timeout(timeout)) } else { caught(done) }
        }
        () = clock.sleep_until(deadline) => {
            cancelled.cancel();
            Err(Failure::timeout(timeout))
        }
    }
}

fn deadline(clock: &dyn Clock, timeout: Duration) -> broker_core::Timestamp {
    let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    broker_core::Timestamp::from_millis(clock.now().as_millis().saturating_add(millis))
}
