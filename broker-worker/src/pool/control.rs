//! The task of a pool: it samples the queue, asks the scaler, and resizes.

use std::{sync::Arc, time::Duration};

use broker_core::{Clock, Queue, Timestamp};

use super::{events::PoolEvent, running::Shared};
use crate::scaling::{Decision, Sample, Scale, after};

/// What a pool's task has.
pub(super) struct Control<S: Scale> {
    shared: Arc<Shared>,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    scaler: S,
    state: S::State,
    every: Duration,
    /// What was told last, so that it is not told again.
    limited: bool,
    held: u32,
}

impl<S: Scale> Control<S> {
    pub(super) fn new(
        shared: Arc<Shared>,
        (queue, clock): (Arc<dyn Queue>, Arc<dyn Clock>),
        (scaler, state): (S, S::State),
        every: Duration,
    ) -> Self {
        Self { shared, queue, clock, scaler, state, every, limited: false, held: 0 }
    }

    /// Looks again and again, until the pool stops or its queue cannot go on.
    pub(super) async fn run(mut self) {
        let mut next = after(self.clock.now(), self.every);
        while !self.is_broken() {
            tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return,
                () = self.clock.sleep_until(next) => next = self.following(next),
                () = self.shared.look.notified() => {}
            }
            self.tick().await;
        }
        // Nothing is received any more: others can have the slots.
        self.shared.share.lock().have(0);
    }

    /// The next time to look, in step with the first: times that were missed are left out.
    fn following(&self, last: Timestamp) -> Timestamp {
        let every = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX).max(1);
        let missed = self.clock.now().as_millis().saturating_sub(last.as_millis()) / every;
        Timestamp::from_millis(last.as_millis().saturating_add(every.saturating_mul(missed + 1)))
    }

    fn is_broken(&self) -> bool {
        if self.shared.stop.is_cancelled() || !self.shared.with(|lanes| lanes.is_broken()) {
            return false;
        }
        self.shared.tell(PoolEvent::Broken { error: "the mapping of the queue has stopped".into() });
        true
    }

    /// Looks once.
    pub(super) async fn tick(&mut self) {
        let measured = self.queue.attributes().await;
        let now = self.clock.now();
        let (running, busy) = self.shared.with(|lanes| {
            let workers = lanes.workers();
            (count(workers.running), count(workers.busy))
        });
        let sample = match &measured {
            Ok(attributes) => Sample::of(&attributes.counters, running),
            Err(error) => {
                self.shared.tell(PoolEvent::NoMetrics { error: error.to_string() });
                Sample::new(running)
            }
        };
        let sample = sample.busy(busy);
        let decision = self.scaler.decide(&mut self.state, &sample, now);
        self.carry_out(&decision, &sample, now);
        if decision.is_change() {
            self.shared.tell(PoolEvent::Scaled { decision: decision.clone() });
        }
        self.settle(decision.desired).await;
    }

    /// Has as many workers as should be and can.
    fn carry_out(&mut self, decision: &Decision, sample: &Sample, now: Timestamp) {
        let desired = decision.desired;
        // Once the pool stops, its workers keep their slots until they are done.
        let Some((old, new)) = self.shared.with(|lanes| Some(lanes.split(desired, now))) else { return };
        // Whoever still works on something has its slot until it is done.
        let wanted = old.saturating_add(new).max(sample.in_service);
        let granted = self.shared.share.lock().have(wanted);
        let old = old.min(granted);
        let new = new.min(granted - old);
        self.shared.with(|lanes| lanes.resize((old, new)));
        let limited = old + new < desired;
        if limited && !self.limited {
            let (granted, waiting) = (old + new, sample.visible);
            self.shared.tell(PoolEvent::Limited { desired, granted, waiting });
        } else if self.limited && !limited {
            self.shared.tell(PoolEvent::Unlimited);
        }
        self.limited = limited;
    }

    /// Tells what came of it, and ends what a deployment is done with.
    async fn settle(&mut self, desired: u32) {
        let busy = self.shared.with(|lanes| count(lanes.workers().busy));
        let held = busy.saturating_sub(desired);
        if held > 0 && held != self.held {
            self.shared.tell(PoolEvent::Held { workers: held });
        }
        self.held = held;
        let (told, gone) = self.shared.settle();
        if let Some((version, progress)) = told {
            self.shared.tell(PoolEvent::Deploying { version, progress });
        }
        if let Some(gone) = gone {
            // It has no workers any more.
            drop(gone.stop(Duration::ZERO).await);
        }
    }
}

fn count(workers: usize) -> u32 {
    u32::try_from(workers).unwrap_or(u32::MAX)
}
