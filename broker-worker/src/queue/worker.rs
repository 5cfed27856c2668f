//! What one worker does: gather a batch, get a permit, have it handled, settle it, and again.

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use broker_core::{Clock, Error, Queue, ReceiveOptions, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    batch::{Batch, Received},
    gather::{Held, is_the_end},
    keeper::Keeper,
    lease::{Entry, Lease, LeaseSet, after},
    pace::Pace,
    pollers::{Next, PollerState},
    settings::{QueueMappingSettings, Terms},
    settle,
};
use crate::{
    concurrency::{Gate, Permit, Throttled},
    handler::{Context, Outcome, SharedHandler, call_until_deadline},
    seeded::seeded,
    telemetry::{Counter, Telemetry, TraceContext, WorkerEvent, describe_failure, describe_only},
};

/// While an invocation is throttled it is tried again after so long, then twice as long, up to the second (rule L41).
const THROTTLED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What all workers of a mapping share.
pub(super) struct Shared {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) handler: SharedHandler<Batch>,
    pub(super) settings: QueueMappingSettings,
    pub(super) terms: Terms,
    pub(super) largest: ReceiveOptions,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) state: Mutex<Working>,
    /// Nobody receives any more.
    pub(super) stop: CancellationToken,
    /// Nobody handles any more.
    pub(super) abort: CancellationToken,
    /// Workers that wait look whether there are too many.
    pub(super) resized: Notify,
    /// The manager looks whether there are too few.
    pub(super) wanted: Notify,
}

/// How many workers there are, and what they may do.
pub(super) struct Working {
    pub(super) pollers: PollerState,
    pub(super) pace: Pace,
    /// Why the mapping cannot go on.
    pub(super) broken: Option<Error>,
}

/// One worker.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
}

/// Why a worker ends.
pub(super) enum Halt {
    /// The mapping stops, or has too many workers: this one still counts as waiting.
    Leave,
    /// There were too many workers, and this one does not count any more.
    Left,
    /// The queue cannot go on.
    Broken(Error),
}

impl Worker {
    pub(super) fn now(&self) -> u64 {
        self.shared.clock.now().as_millis()
    }

    /// The worker, from its first receive to its last. It counts as waiting when it begins.
    pub(super) async fn run(self) {
        let shared = &*self.shared;
        let mut over = Held::default();
        loop {
            match self.gather(&mut over).await {
                Ok(batch) => {
                    let now = shared.clock.now();
                    if shared.state.lock().pollers.found(now.as_millis()) {
                        shared.wanted.notify_one();
                    }
                    if self.process(batch, now).await == Next::Leave {
                        break;
                    }
                    if shared.stop.is_cancelled() || shared.state.lock().pollers.wait() == Next::Leave {
                        break;
                    }
                }
                Err(Halt::Left | Halt::Leave) => break,
                Err(Halt::Broken(error)) => {
                    shared.telemetry.tell(|| WorkerEvent::Broken { error: error.to_string() });
                    shared.state.lock().broken.get_or_insert(error);
                    shared.stop.cancel();
                    break;
                }
            }
        }
        if !over.is_empty() {
            self.give_back(&over).await;
        }
    }

    /// Waits for a call of a worker that waits, unless the mapping stops or, with `may_leave`, has too many workers.
    pub(super) async fn unless_stopped<T>(
        &self,
        call: impl Future<Output = T>,
        may_leave: bool,
    ) -> Result<T, Halt> {
        let shared = &*self.shared;
        let mut call = std::pin::pin!(call);
        if may_leave && shared.state.lock().pollers.leave_if_too_many() == Next::Leave {
            return Err(Halt::Left);
        }
        // Mostly there is something at once, and nothing to wait for.
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
            return Ok(done);
        }
        loop {
            let mut resized = std::pin::pin!(shared.resized.notified());
            resized.as_mut().enable();
            if may_leave && shared.state.lock().pollers.leave_if_too_many() == Next::Leave {
                return Err(Halt::Left);
            }
            tokio::select! {
                biased;
                done = &mut call => return Ok(done),
                () = shared.stop.cancelled() => return Err(Halt::Leave),
                () = &mut resized => {}
            }
        }
    }

    /// Waits, unless the mapping stops.
    pub(super) async fn pause(&self, wait: Duration, may_leave: bool) -> Result<(), Halt> {
        if wait.is_zero() {
            return Ok(());
        }
        let until = after(self.shared.clock.now(), wait);
        self.unless_stopped(self.shared.clock.sleep_until(Timestamp::from_millis(until)), may_leave).await
    }

    /// Has a batch handled, and settles it.
    async fn process(&self, held: Held, now: Timestamp) -> Next {
        let shared = &*self.shared;
        let (permit, began) = match shared.gate.try_enter() {
            Ok(permit) => (permit, now),
            Err(throttled) => match self.permit(&held, throttled).await {
                Some(permit) => (permit, shared.clock.now()),
                None => return Next::Stay,
            },
        };
        let (batch, set) = self.batch(held, began);
        let count = batch.len();
        let senders = batch.messages.iter().filter_map(|received| TraceContext::extract(received));
        let span = shared.telemetry.process_span(count, senders);
        if let [only] = batch.messages() {
            describe_only(&span, only.id, only.body.len());
        }
        let kept = shared.keeper.keep(set.clone());
        if seeded("worker-acknowledges-before-the-handler") {
            settle::settle(&set, Some(&Outcome::Ack)).await;
        }
        let (context, timeout) = (set.context.clone(), shared.terms.timeout);
        let invocation = call_until_deadline(&*shared.handler, batch, context, timeout, &*shared.clock);
        let (answer, handled) = tokio::select! {
            biased;
            answer = invocation.instrument(span.clone()) => answer,
            // Shutdown has given the messages back.
            () = shared.abort.cancelled() => return Next::Leave,
        };
        drop(permit);
        if set.is_released() {
            shared.telemetry.settled(settle::too_late(&set), Duration::ZERO);
            return Next::Leave;
        }
        let answer = answer
            .and_then(|response| settle::read(response, &set, shared.settings.report_batch_item_failures));
        let failure = answer.as_ref().err();
        if let Some(failure) = failure {
            describe_failure(&span, failure);
        }
        shared.telemetry.processed(count, handled.since(began), failure);
        let failed = failure.is_some();
        let failed_as =
            if seeded("worker-acknowledges-failures") { |_| Outcome::Ack } else { Outcome::Failed };
        let rest = answer.unwrap_or_else(failed_as);
        let (counts, problem) =
            settle::settle(&set, Some(&rest)).instrument(shared.telemetry.settle_span(count)).await;
        drop(kept);
        shared.telemetry.settled(counts, shared.clock.now().since(handled));
        match problem {
            Some(error) if is_the_end(&error) => {
                shared.telemetry.tell(|| WorkerEvent::Broken { error: error.to_string() });
                shared.state.lock().broken.get_or_insert(error);
                shared.stop.cancel();
                Next::Leave
            }
            _ if failed => shared.state.lock().pollers.failed(self.now()),
            _ => Next::Stay,
        }
    }

    /// Waits for the right to invoke, of which there was none at first. `None` if there was none until the messages became visible
    /// again: they are left alone, and have used up a receive (rule L41).
    async fn permit(&self, held: &Held, mut throttled: Throttled) -> Option<Permit> {
        let shared = &*self.shared;
        let mut wait = THROTTLED.0;
        loop {
            shared.telemetry.throttled(held.len());
            let first_end = held.first_end();
            let until = after(shared.clock.now(), throttled.retry_after.unwrap_or(wait));
            if until >= first_end {
                tokio::select! {
                    () = shared.clock.sleep_until(Timestamp::from_millis(first_end)) => {}
                    () = shared.stop.cancelled() => {
                        self.give_back(held).await;
                        return None;
                    }
                }
                shared.telemetry.counters.add(Counter::Dropped, held.len());
                shared.telemetry.tell(|| WorkerEvent::Dropped { messages: held.len() });
                return None;
            }
            wait = (wait * 2).min(THROTTLED.1);
            tokio::select! {
                () = shared.clock.sleep_until(Timestamp::from_millis(until)) => {}
                () = shared.stop.cancelled() => {
                    self.give_back(held).await;
                    return None;
                }
            }
            match shared.gate.try_enter() {
                Ok(permit) => return Some(permit),
                Err(again) => throttled = again,
            }
        }
    }

    /// The batch as the handler gets it, and its leases.
    fn batch(&self, held: Held, now: Timestamp) -> (Batch, Arc<LeaseSet>) {
        let shared = &*self.shared;
        let messages = held.messages.into_iter().zip(held.until);
        let entries = messages.map(|(message, until)| Entry::new(message, until)).collect();
        let (queue, clock) = (shared.queue.clone(), shared.clock.clone());
        let deadline = shared.terms.timeout.map(|timeout| Timestamp::from_millis(after(now, timeout)));
        let context = Context::new(CancellationToken::new()).with_deadline(deadline);
        let (moved, telemetry) = (shared.keeper.moved.clone(), shared.telemetry.clone());
        let set = Arc::new(LeaseSet::new(queue, clock, entries, context, moved, telemetry));
        let received = |at| Received { lease: Lease { set: set.clone(), at } };
        let messages = (0..set.entries.len()).map(received).collect();
        let (queue, partial) = (shared.queue.clone(), shared.settings.report_batch_item_failures);
        (Batch { messages, queue, fifo: shared.terms.fifo, partial }, set)
    }
}
