//! From receives to a batch: its size, its window and its bytes (rules L30, L31, L44, L72).

use std::time::Duration;

use broker_core::{Entries, Error, Message, ReceiveOptions, Timestamp};
use tracing::Instrument as _;

use super::{
    keeper::millis,
    lease::after,
    pollers::{Next, Pollers},
    wire::WireBytes,
    worker::{Halt, Worker},
};
use crate::telemetry::{Counter, WorkerEvent};

/// How long a receive waits: as long as SQS allows.
const POLL: Duration = Duration::from_secs(20);
/// The most messages that a receive asks for: as many as SQS gives.
const RECEIVE_MAX: usize = 10;
/// After a failed receive the next one waits so long, then twice as long, and so on, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A message that was received, and when it becomes visible again.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) until: u64,
}

/// A batch that is being gathered.
struct Gathering {
    held: Vec<Held>,
    bytes: WireBytes,
    /// When the window ends.
    ends: u64,
    full: bool,
}

impl Gathering {
    fn new(ends: u64) -> Self {
        Self { held: Vec::new(), bytes: WireBytes::default(), ends, full: false }
    }
}

impl Worker {
    /// Waits for the next batch. What did not fit into it is left in `over`, for the next one.
    pub(super) async fn gather(&self, over: &mut Vec<Held>) -> Result<Vec<Held>, Halt> {
        let window = millis(self.shared.settings.window);
        let mut batch = Gathering::new(self.now().saturating_add(window));
        let mut first = std::mem::take(over);
        // What came back to the queue while the batch before was handled is no longer ours.
        first.retain(|held| held.until > self.now());
        self.take(&mut batch, first, over).await?;
        let mut failures = 0;
        while !batch.full && over.is_empty() {
            if !batch.held.is_empty() && self.now() >= batch.ends {
                break;
            }
            let received = match self.receive(&batch).await {
                Err(Halt::Leave) if !batch.held.is_empty() => break,
                received => received?,
            };
            match received {
                Ok(messages) if messages.is_empty() => {
                    if batch.held.is_empty() {
                        // The next window begins.
                        batch.ends = self.now().saturating_add(window);
                    }
                }
                Ok(messages) => {
                    failures = 0;
                    self.take(&mut batch, messages, over).await?;
                    if window == 0 && !batch.held.is_empty() {
                        break;
                    }
                }
                Err(error) => {
                    let wait = RETRY.0.saturating_mul(1 << failures).min(RETRY.1);
                    failures = (failures + 1).min(16);
                    self.shared.telemetry.tell(|| WorkerEvent::ReceiveFailed { error: error.to_string() });
                    let idle = batch.held.is_empty();
                    match self.pause(wait, idle).await {
                        Err(halt) if idle => return Err(halt),
                        Err(_) => break,
                        Ok(()) => {}
                    }
                }
            }
        }
        Ok(batch.held)
    }

    /// One receive. An error that the queue may get over is inside.
    async fn receive(&self, batch: &Gathering) -> Result<Result<Vec<Held>, Error>, Halt> {
        let shared = &*self.shared;
        let max =
            (shared.settings.batch_size - batch.held.len()).min(shared.largest.max_messages).min(RECEIVE_MAX);
        let mut wait = POLL.min(shared.largest.wait_time.unwrap_or(POLL));
        if !batch.held.is_empty() {
            wait = wait.min(Duration::from_millis(batch.ends.saturating_sub(self.now())));
        }
        let options = ReceiveOptions::up_to(max).wait_time(wait);
        // Said aloud: what the leases are believed to be is what they are, also if the queue's setting changes.
        let options = options.visibility_timeout(shared.terms.visibility);
        self.pace(batch.held.is_empty()).await?;
        let began = self.now();
        let span = shared.telemetry.receive_span();
        let call = shared.queue.receive(options).instrument(span.clone());
        let received = self.unless_stopped(call, batch.held.is_empty()).await?;
        let messages = match received {
            Ok(messages) => messages,
            Err(error) if is_the_end(&error) => return Err(Halt::Broken(error)),
            Err(error) => return Ok(Err(error)),
        };
        let now = self.now();
        if messages.is_empty() {
            return match shared.state.lock().pollers.empty(now) {
                Next::Leave if batch.held.is_empty() => Err(Halt::Left),
                _ => Ok(Ok(Vec::new())),
            };
        }
        span.record("messaging.batch.message_count", messages.len());
        shared.telemetry.received(messages.len(), Duration::from_millis(now.saturating_sub(began)));
        self.took(&messages);
        let until = after(Timestamp::from_millis(now), shared.terms.visibility);
        Ok(Ok(messages.into_iter().map(|message| Held { message, until }).collect()))
    }

    /// Adds messages to a batch: those that the handler wants, as long as they fit. The others are deleted; the rest
    /// goes `over`, and on a FIFO queue back to the queue, so that it cannot overtake what fails in this batch.
    async fn take(
        &self,
        batch: &mut Gathering,
        messages: Vec<Held>,
        over: &mut Vec<Held>,
    ) -> Result<(), Halt> {
        let shared = &*self.shared;
        let mut unwanted = Vec::new();
        batch.held.reserve(messages.len());
        for held in messages {
            if !shared.settings.filters.wants(&held.message, shared.queue.name()) {
                unwanted.push(held);
                continue;
            }
            if batch.full
                || !over.is_empty()
                || !batch.bytes.add(&held.message, &batch.held, shared.queue.name())
            {
                batch.full = true;
                over.push(held);
                continue;
            }
            batch.held.push(held);
            batch.full = batch.held.len() >= shared.settings.batch_size;
        }
        if !unwanted.is_empty() {
            shared.telemetry.filtered(unwanted.len());
            let receipts: Entries<_> = unwanted.iter().map(|held| held.message.receipt).collect();
            // What could not be deleted comes again, and is filtered out again.
            if let Err(error) = shared.queue.delete_batch(receipts).await
                && is_the_end(&error)
            {
                return Err(Halt::Broken(error));
            }
        }
        if shared.terms.fifo && !over.is_empty() {
            let back = std::mem::take(over);
            self.give_back(&back).await;
        }
        Ok(())
    }

    /// Makes messages visible at once.
    pub(super) async fn give_back(&self, held: &[Held]) {
        let receipts: Vec<_> = held.iter().map(|held| held.message.receipt).collect();
        let given = super::settle::make_visible(&*self.shared.queue, &receipts).await;
        self.shared.telemetry.counters.add(Counter::Released, given);
    }

    /// Only provisioned pollers have a pace.
    fn has_pace(&self) -> bool {
        matches!(self.shared.settings.pollers, Pollers::Provisioned { .. })
    }

    fn took(&self, messages: &[Message]) {
        if !self.has_pace() {
            return;
        }
        let mut state = self.shared.state.lock();
        if let Some(pollers) = state.pollers.provisioned() {
            let bytes = messages.iter().map(|message| message.body.len()).sum();
            state.pace.took(self.now(), bytes, pollers);
        }
    }

    /// Waits for the next call that provisioned pollers may make.
    async fn pace(&self, may_leave: bool) -> Result<(), Halt> {
        if !self.has_pace() {
            return Ok(());
        }
        loop {
            let at = {
                let mut state = self.shared.state.lock();
                let Some(pollers) = state.pollers.provisioned() else { return Ok(()) };
                state.pace.call(self.now(), pollers)
            };
            self.pause(Duration::from_millis(at.saturating_sub(self.now())), may_leave).await?;
            if self.shared.state.lock().pace.is_free(self.now()) {
                return Ok(());
            }
        }
    }
}

/// Whether a queue that answers so will not recover.
pub(crate) fn is_the_end(error: &Error) -> bool {
    matches!(
        error,
        Error::Closed
            | Error::Poisoned(_)
            | Error::Indeterminate(_)
            | Error::QueueDoesNotExist { .. }
            | Error::StreamDoesNotExist { .. }
            | Error::NoRuntime
    )
}
