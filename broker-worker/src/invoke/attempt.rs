//! One attempt on an event, and what follows from it: done, again, or given up (rules L10 to L15).

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use broker_core::{ChangeVisibility, Entries, Message, ReceiptHandle, Result};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    config::InvokeConfig,
    counts::count,
    dead_letter::DeadEvent,
    destination::{Destination, Report},
    event::Invocation,
    function::Shared,
    record::{Condition, InvocationRecord, Outcome},
    retry::{Next, after_failure, after_throttle},
    stored::StoredEvent,
    worker::later,
};
use crate::handler::{BoxError, Context, Failure, call};

/// Works on an event that was received.
pub(super) async fn run(shared: Arc<Shared>, message: Message) {
    let Some(event) = StoredEvent::read(&message) else {
        tracing::warn!(function = shared.arn, id = %message.id, "a message that is no event was thrown away");
        count(&shared.counters.foreign);
        return shared.settled(shared.delete(message.receipt).await);
    };
    let config = shared.config.lock().clone().unwrap_or_default();
    let attempt = Attempt { shared, config, event, message };
    let settled = attempt.run().await;
    attempt.shared.settled(settled);
}

impl Shared {
    async fn delete(&self, receipt: ReceiptHandle) -> Result<()> {
        // One that somebody else has by now is theirs.
        self.queue.delete_batch(Entries::one(receipt)).await?.all().map(drop)
    }

    /// What the queue did not take comes again, when the event's time is over.
    fn settled(&self, settled: Result<()>) {
        if let Err(error) = settled {
            tracing::warn!(function = self.arn, %error, "an event could not be settled");
            count(&self.counters.unsettled);
        }
    }

    fn told(&self, told: Result<(), BoxError>, failures: &AtomicU64, metric: &'static str) {
        if let Err(error) = told {
            tracing::warn!(function = self.arn, %error, "{metric}: what was given up or done is lost");
            metrics::counter!(metric, "function" => self.arn.clone()).increment(1);
            count(failures);
        }
    }
}

struct Attempt {
    shared: Arc<Shared>,
    config: InvokeConfig,
    event: StoredEvent,
    message: Message,
}

impl Attempt {
    fn age(&self) -> Duration {
        self.shared.clock.now().since(self.event.invoked_at)
    }

    async fn run(&self) -> Result<()> {
        let age_max = self.config.age_max();
        // It has waited for too long: the function does not keep up (rule L14).
        if self.age() >= age_max {
            return self.give_up(Condition::EventAgeExceeded, self.event.attempts, None).await;
        }
        let permit = match self.shared.gate.try_enter() {
            Ok(permit) => permit,
            Err(throttled) => {
                let receives = self.message.receive_count;
                return match after_throttle(throttled.reason, receives, self.age(), age_max) {
                    Next::GiveUp(condition) => self.give_up(condition, self.event.attempts, None).await,
                    Next::Again(wait) => self.wait_for_room(wait).await,
                };
            }
        };
        let attempts = self.event.attempts.saturating_add(1);
        let answer = self.call(attempts).await;
        drop(permit);
        count(&self.shared.counters.attempts);
        match answer {
            Ok(answer) => self.succeed(attempts, answer).await,
            Err(failure) => match after_failure(attempts, self.config.retries(), self.age(), age_max) {
                Next::GiveUp(condition) => self.give_up(condition, attempts, Some(failure)).await,
                Next::Again(wait) => self.again(attempts, wait).await,
            },
        }
    }

    async fn call(&self, attempt: u32) -> Result<Value, Failure> {
        let Shared { handler, clock, timeout, .. } = &*self.shared;
        let (event, request_id) = (&self.event, self.event.request_id);
        let span = tracing::info_span!("process", function = self.shared.arn, %request_id, attempt);
        let context = Context::new(CancellationToken::new())
            .with_deadline(Some(later(clock.now(), *timeout)))
            .with_attempt(request_id, attempt);
        let invocation = Invocation::new(event.payload.clone());
        call(&**handler, invocation, context, Some(*timeout), &**clock).instrument(span).await
    }

    /// Leaves the event where it is, invisible for a while: it has not been tried.
    async fn wait_for_room(&self, wait: Duration) -> Result<()> {
        count(&self.shared.counters.throttled);
        let change = ChangeVisibility { receipt: self.message.receipt, timeout: wait };
        self.shared.queue.change_visibility_batch(Entries::one(change)).await?.all().map(drop)
    }

    /// Puts the event into the queue once more, with one attempt more. If the process ends before the old one is deleted, the event
    /// is there twice (rule L14).
    async fn again(&self, attempts: u32, wait: Duration) -> Result<()> {
        count(&self.shared.counters.retried);
        let again = StoredEvent { attempts, ..self.event.clone() }.message().delay(wait);
        self.shared.queue.send_batch(Entries::one(again)).await?.all()?;
        self.shared.delete(self.message.receipt).await
    }

    async fn succeed(&self, attempts: u32, answer: Value) -> Result<()> {
        count(&self.shared.counters.succeeded);
        if let Some(destination) = &self.config.on_success {
            self.tell(&**destination, Condition::Success, attempts, Some(Ok(answer))).await;
        }
        self.shared.delete(self.message.receipt).await
    }

    /// Tells the destination and the dead-letter queue, whichever there are (rule L15).
    async fn give_up(&self, condition: Condition, attempts: u32, failure: Option<Failure>) -> Result<()> {
        let shared = &self.shared;
        count(&shared.counters.given_up);
        if let Some(target) = &shared.dead_letter {
            let (request_id, payload) = (self.event.request_id, &self.event.payload);
            let letter = DeadEvent { request_id, payload, condition, failure: failure.as_ref() };
            let told = target.deliver(&letter).await;
            shared.told(told, &shared.counters.dead_letter_errors, "broker.worker.dead_letter_errors");
        }
        if let Some(destination) = &self.config.on_failure {
            self.tell(&**destination, condition, attempts, failure.map(Err)).await;
        }
        shared.delete(self.message.receipt).await
    }

    async fn tell(
        &self,
        destination: &dyn Destination,
        condition: Condition,
        attempts: u32,
        answer: Option<Result<Value, Failure>>,
    ) {
        let shared = &self.shared;
        let outcome = Outcome {
            request_id: self.event.request_id,
            payload: &self.event.payload,
            function_arn: &shared.arn,
            executed_version: &shared.version,
            condition,
            attempts,
            answer,
        };
        let report = Report::Invocation(InvocationRecord::new(outcome, shared.clock.now()));
        let told = destination.deliver(&report).await;
        let failures = &shared.counters.destination_failures;
        shared.told(told, failures, "broker.worker.destination_delivery_failures");
    }
}
