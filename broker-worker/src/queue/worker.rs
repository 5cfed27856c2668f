//! What one worker does: gather a batch, get a permit, have it handled, settle it, and again.

use std::{future::Future, sync::Arc, time::Duration};

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
    concurrency::{Gate, Permit},
    handler::{Context, Outcome, SharedHandler, call},
    seeded::seeded,
    telemetry::{Counter, Telemetry, WorkerEvent, process_span, settle_span},
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
        let mut over = Vec::new();
        loop {
            match self.gather(&mut over).await {
                Ok(batch) => {
                    if shared.state.lock().pollers.found(self.now()) {
                        shared.wanted.notify_one();
                    }
                    if self.process(batch).await == Next::Leave {
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
    async fn process(&self, held: Vec<Held>) -> Next {
        let shared = &*self.shared;
        let Some(permit) = self.permit(&held).await else { return Next::Stay };
        let (batch, set) = self.batch(held);
        let count = batch.len();
        let messages = batch.messages.iter().map(|received| &received.message);
        let span = process_span(batch.queue(), messages, shared.telemetry.link.as_deref());
        let kept = shared.keeper.keep(set.clone());
        if seeded("worker-acknowledges-before-the-handler") {
            settle::settle(&set, Some(&Outcome::Ack)).await;
        }
        let began = self.now();
        let context =
            batch.messages.first().map_or_else(|| Context::new(set.cancelled.clone()), |m| m.context.clone());
        let invocation = call(&*shared.handler, batch, context, shared.terms.timeout, &*shared.clock);
        let answer = tokio::select! {
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
            span.record("otel.status_code", "ERROR");
            span.record("error.type", failure.kind.as_str());
        }
        let handled = self.now();
        shared.telemetry.processed(count, Duration::from_millis(handled - began), failure);
        let failed = failure.is_some();
        let failed_as =
            if seeded("worker-acknowledges-failures") { |_| Outcome::Ack } else { Outcome::Failed };
        let rest = answer.unwrap_or_else(failed_as);
        let settling = handled;
        let (counts, problem) =
            settle::settle(&set, Some(&rest)).instrument(settle_span(shared.queue.name(), count)).await;
        drop(kept);
        shared.telemetry.settled(counts, Duration::from_millis(self.now() - settling));
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

    /// The right to invoke. `None` if there was none until the messages became visible again: they are left alone, and
    /// have used up a receive (rule L41).
    async fn permit(&self, held: &[Held]) -> Option<Permit> {
        let shared = &*self.shared;
        let mut wait = THROTTLED.0;
        loop {
            let throttled = match shared.gate.try_enter() {
                Ok(permit) => return Some(permit),
                Err(throttled) => throttled,
            };
            shared.telemetry.counters.add(Counter::Throttled, 1);
            shared.telemetry.tell(|| WorkerEvent::Throttled { messages: held.len() });
            let first_end = held.iter().map(|held| held.until).min().unwrap_or_default();
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
        }
    }

    /// The batch as the handler gets it, and its leases.
    fn batch(&self, held: Vec<Held>) -> (Batch, Arc<LeaseSet>) {
        let shared = &*self.shared;
        let entry = |held: &Held| Entry::new(held.message.id, held.message.receipt, held.until);
        let entries = held.iter().map(entry).collect();
        let (queue, clock) = (shared.queue.clone(), shared.clock.clone());
        let set = Arc::new(LeaseSet::new(
            queue,
            clock,
            entries,
            shared.keeper.moved.clone(),
            shared.telemetry.clone(),
        ));
        let deadline = shared.terms.timeout.map(|timeout| after(shared.clock.now(), timeout));
        let deadline = deadline.map(Timestamp::from_millis);
        let context = Context::new(set.cancelled.clone()).with_deadline(deadline);
        let received = |(at, held): (usize, Held)| Received {
            message: held.message,
            lease: Lease { set: set.clone(), at },
            context: context.clone(),
        };
        let messages = held.into_iter().enumerate().map(received).collect();
        (Batch { messages, queue: shared.queue.clone(), fifo: shared.terms.fifo }, set)
    }
}
