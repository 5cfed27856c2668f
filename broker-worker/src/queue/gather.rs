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

/// Messages that were received, and when each becomes visible again.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) messages: Vec<Message>,
    /// In milliseconds of the worker's clock.
    pub(super) until: Vec<u64>,
}

impl Held {
    fn new(messages: Vec<Message>, until: u64) -> Self {
        let until = vec![until; messages.len()];
        Self { messages, until }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// When the first of them becomes visible.
    pub(super) fn first_end(&self) -> u64 {
        self.until.iter().min().copied().unwrap_or_default()
    }

    /// All behind the first so many.
    fn split_off(&mut self, at: usize) -> Self {
        Self { messages: self.messages.split_off(at), until: self.until.split_off(at) }
    }

    fn append(&mut self, mut more: Self) {
        if self.is_empty() {
            // Mostly a batch is what one receive has returned.
            *self = more;
        } else {
            self.messages.append(&mut more.messages);
            self.until.append(&mut more.until);
        }
    }

    /// Leaves out what has become visible by now.
    fn forget_ended(&mut self, now: u64) {
        let mut until = self.until.iter();
        self.messages.retain(|_| until.next().is_some_and(|until| *until > now));
        self.until.retain(|until| *until > now);
    }
}

/// A batch that is being gathered.
struct Gathering {
    held: Held,
    bytes: WireBytes,
    /// When the window ends.
    ends: u64,
    full: bool,
}

impl Gathering {
    fn new(ends: u64) -> Self {
        Self { held: Held::default(), bytes: WireBytes::default(), ends, full: false }
    }
}

impl Worker {
    /// Waits for the next batch. What did not fit into it is left in `over`, for the next one.
    pub(super) async fn gather(&self, over: &mut Held) -> Result<Held, Halt> {
        let window = millis(self.shared.settings.window);
        // Without a window nothing ends it but what is found.
        let ends = if window == 0 { 0 } else { self.now().saturating_add(window) };
        let mut batch = Gathering::new(ends);
        if !over.is_empty() {
            let mut first = std::mem::take(over);
            // What came back to the queue while the batch before was handled is no longer ours.
            first.forget_ended(self.now());
            self.take(&mut batch, first, over).await;
        }
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
                    failures = 0;
                    if batch.held.is_empty() && window > 0 {
                        // The next window begins.
                        batch.ends = self.now().saturating_add(window);
                    }
                }
                Ok(messages) => {
                    failures = 0;
                    self.take(&mut batch, messages, over).await;
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
    async fn receive(&self, batch: &Gathering) -> Result<Result<Held, Error>, Halt> {
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
                _ => Ok(Ok(Held::default())),
            };
        }
        span.record("messaging.batch.message_count", messages.len());
        shared.telemetry.received(messages.len(), Duration::from_millis(now.saturating_sub(began)));
        self.took(&messages);
        let until = after(Timestamp::from_millis(now), shared.terms.visibility);
        Ok(Ok(Held::new(self.filter(messages).await?, until)))
    }

    /// Leaves out what the handler does not want, and deletes it.
    async fn filter(&self, mut messages: Vec<Message>) -> Result<Vec<Message>, Halt> {
        let shared = &*self.shared;
        if shared.settings.filters.is_empty() {
            return Ok(messages);
        }
        let mut unwanted = Entries::new();
        messages.retain(|message| {
            let wanted = shared.settings.filters.wants(message, shared.queue.name());
            if !wanted {
                unwanted.push(message.receipt);
            }
            wanted
        });
        if !unwanted.is_empty() {
            shared.telemetry.filtered(unwanted.len());
            // What could not be deleted comes again, and is filtered out again.
            if let Err(error) = shared.queue.delete_batch(unwanted).await
                && is_the_end(&error)
            {
                return Err(Halt::Broken(error));
            }
        }
        Ok(messages)
    }

    /// Adds messages to a batch, as long as they fit. The rest goes `over`, and on a FIFO queue back to the queue, so that it
    /// cannot overtake what fails in this batch.
    async fn take(&self, batch: &mut Gathering, mut received: Held, over: &mut Held) {
        let shared = &*self.shared;
        let room = shared.settings.batch_size.saturating_sub(batch.held.len()).min(received.len());
        let mut fits = 0;
        while fits < room && over.is_empty() {
            let before = batch.held.messages.iter().chain(&received.messages[..fits]);
            if !batch.bytes.add(&received.messages[fits], before, shared.queue.name()) {
                break;
            }
            fits += 1;
        }
        let rest = (fits < received.len()).then(|| received.split_off(fits));
        batch.held.append(received);
        batch.full |= rest.is_some() || batch.held.len() >= shared.settings.batch_size;
        match rest {
            Some(rest) if shared.terms.fifo => self.give_back(&rest).await,
            Some(rest) => over.append(rest),
            None => {}
        }
    }

    /// Makes messages visible at once.
    pub(super) async fn give_back(&self, held: &Held) {
        let receipts: Vec<_> = held.messages.iter().map(|message| message.receipt).collect();
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
