//! The task that takes events out of the queue, and works on several at once.

use std::{sync::Arc, time::Duration};

use broker_core::{ChangeVisibility, Entries, Error, Message, ReceiveOptions, Timestamp};
use tokio::task::{Id, JoinSet};
use tracing::Instrument as _;

use super::{attempt, function::Shared};
use crate::{queue::is_the_end, telemetry::WorkerEvent};

/// How long a receive waits, at most: as long as SQS allows.
const POLL: Duration = Duration::from_secs(20);
/// Beside the handler's time, an event is kept from others for so long: until its destination was told.
const MARGIN: Duration = Duration::from_secs(60);
/// After a failed receive the next one waits so long, then twice as long, and so on, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Runs until the function is stopped, or its queue is gone.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut working = Working { shared: shared.clone(), tasks: JoinSet::new() };
    let mut wait = RETRY.0;
    while let Some(free) = working.free().await {
        match working.receive(free).await {
            Some(Ok(messages)) => {
                wait = RETRY.0;
                for message in messages {
                    working.start(message);
                }
            }
            Some(Err(error)) if is_the_end(&error) => {
                tracing::error!(function = shared.arn, %error, "the queue of events cannot be used any more");
                shared.telemetry.tell(|| WorkerEvent::Broken { error: error.to_string() });
                shared.broken.lock().get_or_insert(error);
                shared.stop.cancel();
            }
            Some(Err(error)) => {
                tracing::warn!(function = shared.arn, %error, "events could not be received");
                shared.telemetry.tell(|| WorkerEvent::ReceiveFailed { error: error.to_string() });
                let until = later(shared.clock.now(), wait);
                wait = (wait * 2).min(RETRY.1);
                tokio::select! {
                    () = shared.clock.sleep_until(until) => {}
                    () = shared.stop.cancelled() => {}
                }
            }
            None => break,
        }
    }
    working.drain().await;
}

struct Working {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Working {
    fn start(&mut self, message: Message) {
        let receipt = message.receipt;
        let task = self.tasks.spawn(attempt::run(self.shared.clone(), message));
        self.shared.working.lock().push((task.id(), receipt));
        self.shared.telemetry.workers(self.tasks.len());
    }

    fn ended(&mut self, id: Id) {
        self.shared.working.lock().retain(|(other, _)| *other != id);
        self.shared.telemetry.workers(self.tasks.len());
    }

    /// Waits until there is room for another event. Returns for how many, `None` if the function is stopped.
    async fn free(&mut self) -> Option<usize> {
        loop {
            while let Some(ended) = self.tasks.try_join_next_with_id() {
                self.ended(ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
            if self.shared.stop.is_cancelled() {
                return None;
            }
            match self.shared.parallel.saturating_sub(self.tasks.len()) {
                0 => {}
                free => return Some(free),
            }
            let stop = self.shared.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return None,
                Some(ended) = self.tasks.join_next_with_id() => {
                    self.ended(ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
            }
        }
    }

    /// Waits for events. `None` if the function is stopped. A receive that is dropped gives back what it has.
    async fn receive(&self, free: usize) -> Option<Result<Vec<Message>, Error>> {
        let shared = &*self.shared;
        let largest = shared.queue.largest_receive();
        let options = ReceiveOptions::up_to(free.min(largest.max_messages))
            .wait_time(largest.wait_time.unwrap_or(POLL).min(POLL))
            .visibility_timeout(shared.timeout.saturating_add(MARGIN));
        let (began, span) = (shared.clock.now(), shared.telemetry.receive_span());
        let received = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return None,
            received = shared.queue.receive(options).instrument(span.clone()) => received,
        };
        if let Ok(messages) = &received
            && !messages.is_empty()
        {
            span.record("messaging.batch.message_count", messages.len());
            shared.telemetry.received(messages.len(), shared.clock.now().since(began));
        }
        Some(received)
    }

    /// Waits for what is worked on, and drops it if that is to end at once.
    async fn drain(&mut self) {
        let abort = self.shared.abort.clone();
        loop {
            tokio::select! {
                biased;
                ended = self.tasks.join_next_with_id() => match ended {
                    Some(ended) => self.ended(ended.map_or_else(|error| error.id(), |(id, ())| id)),
                    None => return,
                },
                () = abort.cancelled() => break,
            }
        }
        self.tasks.shutdown().await;
    }
}

impl Shared {
    /// Gives what is worked on back to the queue.
    pub(super) async fn give_back(&self) {
        let working = std::mem::take(&mut *self.working.lock());
        for (_, receipt) in working {
            let now = Entries::one(ChangeVisibility { receipt, timeout: Duration::ZERO });
            // What cannot be given back becomes visible when its time is over.
            let _ = self.queue.change_visibility_batch(now).await;
        }
    }
}

pub(super) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(millis))
}
