//! One attempt on an event, and what follows from it: done, again, or given up (rules L10 to L15).

use std::{sync::Arc, time::Duration};

use broker_core::{ChangeVisibility, Entries, Message, ReceiptHandle, Result};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    config::InvokeConfig,
    dead_letter::DeadEvent,
    destination::{Destination, Report, deliver, delivered},
    event::Invocation,
    function::Shared,
    record::{Condition, InvocationRecord, Outcome},
    retry::{Next, after_failure, after_throttle},
    stored::StoredEvent,
    worker::later,
};
use crate::{
    handler::{Context, Failure, call},
    telemetry::{Counter, Counts, TraceContext, describe_failure, describe_only},
};

/// Works on an event that was received.
pub(super) async fn run(shared: Arc<Shared>, message: Message) {
    let Some(event) = StoredEvent::read(&message) else {
        tracing::warn!(function = shared.arn, id = %message.id, "a message that is no event was thrown away");
        shared.telemetry.filtered(1);
        if let Err(error) = shared.delete(message.receipt).await {
            shared.unsettled(&error);
        }
        return;
    };
    let config = shared.config.lock().clone().unwrap_or_default();
    let attempt = Attempt { shared: shared.clone(), config, event, message };
    let fate = attempt.decide().await;
    if shared.abort.is_cancelled() {
        // It was given back, or comes again by itself: what a blocked handler has answered is too late.
        return;
    }
    if let Fate::NoRoom { wait } = fate {
        shared.telemetry.throttled(1);
        if let Err(error) = attempt.wait_for_room(wait).await {
            shared.unsettled(&error);
        }
        return;
    }
    let began = shared.clock.now();
    let settled = attempt.carry_out(fate).instrument(shared.telemetry.settle_span(1)).await;
    let counts = settled.unwrap_or_else(|error| {
        shared.unsettled(&error);
        Counts::default()
    });
    shared.telemetry.settled(counts, shared.clock.now().since(began));
}

impl Shared {
    async fn delete(&self, receipt: ReceiptHandle) -> Result<()> {
        // One that somebody else has by now is theirs.
        self.queue.delete_batch(Entries::one(receipt)).await?.all().map(drop)
    }

    /// What the queue did not take comes again, when the event's time is over.
    fn unsettled(&self, error: &broker_core::Error) {
        tracing::warn!(function = self.arn, %error, "an event could not be settled");
        self.telemetry.counters.add(Counter::Unsettled, 1);
    }
}

/// What is to become of an event.
enum Fate {
    /// It could not run: it is tried again after this time, as if it had not been looked at.
    NoRoom { wait: Duration },
    /// It failed, and is tried again after this time.
    Again { attempts: u32, wait: Duration },
    /// It succeeded.
    Done { attempts: u32, answer: Value },
    /// It is given up.
    GivenUp { condition: Condition, attempts: u32, failure: Option<Failure> },
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

    /// Tries, if that is allowed, and says what follows.
    async fn decide(&self) -> Fate {
        let (age_max, before) = (self.config.age_max(), self.event.attempts);
        let given_up = |condition| Fate::GivenUp { condition, attempts: before, failure: None };
        // It has waited for too long: the function does not keep up (rule L14).
        if self.age() >= age_max {
            return given_up(Condition::EventAgeExceeded);
        }
        let permit = match self.shared.gate.try_enter() {
            Ok(permit) => permit,
            Err(throttled) => {
                let receives = self.message.receive_count;
                return match after_throttle(throttled.reason, receives, self.age(), age_max) {
                    Next::GiveUp(condition) => given_up(condition),
                    Next::Again(wait) => Fate::NoRoom { wait },
                };
            }
        };
        let attempts = before.saturating_add(1);
        let answer = self.call(attempts).await;
        drop(permit);
        match answer {
            Ok(answer) => Fate::Done { attempts, answer },
            Err(failure) => match after_failure(attempts, self.config.retries(), self.age(), age_max) {
                Next::GiveUp(condition) => Fate::GivenUp { condition, attempts, failure: Some(failure) },
                Next::Again(wait) => Fate::Again { attempts, wait },
            },
        }
    }

    async fn call(&self, attempt: u32) -> Result<Value, Failure> {
        let Shared { handler, clock, timeout, telemetry, .. } = &*self.shared;
        let (event, request_id) = (&self.event, self.event.request_id);
        let span = telemetry.process_span(1, TraceContext::extract(&self.message).into_iter());
        describe_only(&span, self.message.id, event.payload.len());
        span.record("faas.name", self.shared.name());
        span.record("faas.invocation_id", tracing::field::display(request_id));
        span.record("attempt", attempt);
        let context = Context::new(CancellationToken::new())
            .with_deadline(Some(later(clock.now(), *timeout)))
            .with_attempt(request_id, attempt);
        let invocation = Invocation::new(event.payload.clone());
        let began = clock.now();
        let answer = call(&**handler, invocation, context, Some(*timeout), &**clock);
        let answer = answer.instrument(span.clone()).await;
        let failure = answer.as_ref().err();
        if let Some(failure) = failure {
            describe_failure(&span, failure);
        }
        telemetry.processed(1, clock.now().since(began), failure);
        answer
    }

    async fn carry_out(&self, fate: Fate) -> Result<Counts> {
        let none = Counts::default();
        match fate {
            Fate::NoRoom { wait } => self.wait_for_room(wait).await.map(|()| none),
            Fate::Again { attempts, wait } => {
                self.again(attempts, wait).await.map(|()| Counts { retried: 1, ..none })
            }
            Fate::Done { attempts, answer } => {
                self.succeed(attempts, answer).await.map(|()| Counts { acked: 1, ..none })
            }
            Fate::GivenUp { condition, attempts, failure } => {
                self.give_up(condition, attempts, failure).await.map(|()| Counts { dead: 1, ..none })
            }
        }
    }

    /// Leaves the event where it is, invisible for a while: it has not been tried.
    async fn wait_for_room(&self, wait: Duration) -> Result<()> {
        let change = ChangeVisibility { receipt: self.message.receipt, timeout: wait };
        self.shared.queue.change_visibility_batch(Entries::one(change)).await?.all().map(drop)
    }

    /// Puts the event into the queue once more, with one attempt more. If the process ends before the old one is deleted, the event
    /// is there twice (rule L14).
    async fn again(&self, attempts: u32, wait: Duration) -> Result<()> {
        let again = StoredEvent { attempts, ..self.event.clone() }.message().delay(wait);
        self.shared.queue.send_batch(Entries::one(again)).await?.all()?;
        self.shared.delete(self.message.receipt).await
    }

    async fn succeed(&self, attempts: u32, answer: Value) -> Result<()> {
        if let Some(destination) = &self.config.on_success {
            self.tell(&**destination, Condition::Success, attempts, Some(Ok(answer))).await;
        }
        self.shared.delete(self.message.receipt).await
    }

    /// Tells the destination and the dead-letter queue, whichever there are (rule L15).
    async fn give_up(&self, condition: Condition, attempts: u32, failure: Option<Failure>) -> Result<()> {
        let shared = &self.shared;
        if let Some(target) = &shared.dead_letter {
            let (request_id, payload) = (self.event.request_id, &self.event.payload);
            let letter = DeadEvent { request_id, payload, condition, failure: failure.as_ref() };
            if let Err(error) = delivered(&*shared.clock, target.deliver(&letter)).await {
                tracing::warn!(function = shared.arn, %error, "a dead letter is lost");
                shared.telemetry.dead_letter_failed(&error.to_string());
            }
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
        if let Err(error) = deliver(destination, &report, &*shared.clock).await {
            tracing::warn!(function = shared.arn, %error, "a destination is not told, and what it was to know is lost");
            shared.telemetry.destination_failed(1, &error.to_string());
        }
    }
}
