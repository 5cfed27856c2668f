//! Runs a history against the broker and the model side by side.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Clock, Entries, Error, LocalQueue, ManualClock, MemoryBounds, QueueSettings, ReceiveOptions,
    SendMessage, VisibilityChanged,
    storage::{Page, Storage},
};
use proptest::prelude::*;

use super::model::{Changed, Model};

/// One step of a history.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send {
        delay_s: Option<u64>,
    },
    SendBatch {
        count: usize,
    },
    Receive {
        max: usize,
        timeout_s: Option<u64>,
    },
    /// Deletes by the `n`th of all receipts given out so far, counted from the newest.
    Delete {
        nth: usize,
    },
    DeleteBatch {
        count: usize,
    },
    Change {
        nth: usize,
        timeout_s: u64,
    },
    Advance {
        ms: u64,
    },
    /// To the `nth` moment at which something becomes visible or expires, or to just before that.
    ToDeadline {
        nth: usize,
        early_ms: u64,
    },
    SetRetention {
        s: u64,
    },
    Purge,
    Reopen,
    /// A crash that keeps this many of the commits that were not synced yet.
    Crash {
        unsynced: usize,
    },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::option::weighted(0.4, 0..100_u64).prop_map(|delay_s| Step::Send { delay_s }),
        3 => (1..10_usize).prop_map(|count| Step::SendBatch { count }),
        8 => (1..10_usize, prop::option::weighted(0.3, 0..40_u64))
            .prop_map(|(max, timeout_s)| Step::Receive { max, timeout_s }),
        5 => (0..12_usize).prop_map(|nth| Step::Delete { nth }),
        2 => (1..8_usize).prop_map(|count| Step::DeleteBatch { count }),
        3 => (0..12_usize, prop_oneof![Just(0), 1..60_u64, Just(43_200)])
            .prop_map(|(nth, timeout_s)| Step::Change { nth, timeout_s }),
        6 => prop_oneof![0..3_000_u64, Just(10_000), 20_000..70_000_u64]
            .prop_map(|ms| Step::Advance { ms }),
        2 => (0..20_usize, 0..2_u64).prop_map(|(nth, early_ms)| Step::ToDeadline { nth, early_ms }),
        1 => (60..200_u64).prop_map(|s| Step::SetRetention { s }),
        1 => Just(Step::Purge),
        2 => Just(Step::Reopen),
        2 => (0..4_usize).prop_map(|unsynced| Step::Crash { unsynced }),
    ]
}

/// Where the broker of a history keeps its bytes, and what becomes of them when it dies.
pub(crate) trait Ground {
    fn store(&self) -> Arc<dyn Storage>;
    /// The store after a clean end.
    fn reopen(&mut self);
    /// Whether a crash can lose something here; if not, histories end cleanly instead.
    fn can_crash(&self) -> bool;
    /// How many commits the store holds; the model is kept for each.
    fn commits(&self) -> usize;
    /// The store after a crash; returns how many commits survived.
    fn crash(&mut self, unsynced: usize) -> usize;
}

/// Lets the background take its turn, until it has given back the space of what was purged: what it commits is not part
/// of any step.
pub(crate) async fn quiet(ground: &impl Ground) {
    let noted = || ground.store().meta_range(b"g", b"h", Page { entries: 1, bytes: 1 }).unwrap();
    tokio::task::yield_now().await;
    while !noted().is_empty() {
        tokio::task::yield_now().await;
    }
}

const VISIBILITY_MS: u64 = 10_000;
const RETENTION_MS: u64 = 120_000;

/// Bounds so small that every history crosses them.
pub(crate) const TINY: MemoryBounds =
    MemoryBounds { ready: 3, delayed: 2, staged: 2, staged_bytes: 64, searched: 6 };

pub(crate) struct Run<G> {
    ground: G,
    bounds: MemoryBounds,
    clock: ManualClock,
    broker: Broker,
    queue: LocalQueue,
    model: Model,
    /// The model after each step, with the number of commits that it stands for.
    past: Vec<(usize, Model)>,
    sent: usize,
}

async fn open(store: Arc<dyn Storage>, clock: &ManualClock, bounds: MemoryBounds) -> (Broker, LocalQueue) {
    let broker = Broker::builder_on(store).clock(clock.clone()).seed(7).memory(bounds).open().await.unwrap();
    let queue =
        broker.queue("history").visibility_timeout(Duration::from_millis(VISIBILITY_MS)).await.unwrap();
    (broker, queue)
}

impl<G: Ground> Run<G> {
    pub(crate) async fn new(ground: G, bounds: MemoryBounds) -> Self {
        let clock = ManualClock::new(1_000_000);
        let (broker, queue) = open(ground.store(), &clock, bounds).await;
        let retention = QueueSettings::new().retention(Duration::from_millis(RETENTION_MS));
        queue.set_attributes(retention).await.unwrap();
        let model = Model::new(VISIBILITY_MS, RETENTION_MS);
        let past = vec![(ground.commits(), model.clone())];
        Self { ground, bounds, clock, broker, queue, model, past, sent: 0 }
    }

    pub(crate) async fn run(mut self, steps: &[Step]) -> G {
        for step in steps {
            self.step(step).await;
            let commits = self.ground.commits();
            quiet(&self.ground).await;
            let counters = self.queue.counters().await.unwrap();
            assert_eq!(counters, self.model.counters(self.now()), "counters after {step:?}");
            self.past.push((commits, self.model.clone()));
        }
        self.drain().await;
        self.ground
    }

    /// Everything that is left can be received, in order, and nothing else.
    async fn drain(&mut self) {
        loop {
            self.clock.advance(Duration::from_secs(7));
            let got = self.queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
            self.model.receive(self.now(), 10, None, &got);
            for message in got {
                self.queue.delete(message.receipt).await.unwrap();
                self.model.delete(self.now(), message.id, message.receive_count);
            }
            if self.model.items.is_empty() {
                assert_eq!(self.queue.counters().await.unwrap().total(), 0);
                return;
            }
        }
    }

    fn now(&self) -> u64 {
        self.clock.now().as_millis()
    }

    fn body(&mut self) -> String {
        self.sent += 1;
        // Sizes around the bound of what is staged.
        format!("{}-{}", self.sent, "x".repeat(self.sent % 80))
    }

    async fn step(&mut self, step: &Step) {
        let now = self.now();
        match *step {
            Step::Send { delay_s } => {
                let body = self.body();
                let mut message = SendMessage::from(body.clone());
                message.delay = delay_s.map(Duration::from_secs);
                let id = self.queue.send(message).await.unwrap().id;
                self.model.send(now, id, body, delay_s.unwrap_or(0) * 1_000);
            }
            Step::SendBatch { count } => {
                let bodies: Vec<_> = (0..count).map(|_| self.body()).collect();
                let entries: Entries<_> = bodies.iter().map(|body| SendMessage::from(body.clone())).collect();
                let sent = self.queue.send_batch(entries).await.unwrap().all().unwrap();
                for (sent, body) in sent.into_iter().zip(bodies) {
                    self.model.send(now, sent.id, body, 0);
                }
            }
            Step::Receive { max, timeout_s } => {
                let mut options = ReceiveOptions::up_to(max);
                options.visibility_timeout = timeout_s.map(Duration::from_secs);
                let got = self.queue.receive(options).await.unwrap();
                self.model.receive(now, max, timeout_s.map(|s| s * 1_000), &got);
            }
            Step::Delete { nth } => self.delete(nth).await,
            Step::DeleteBatch { count } => self.delete_batch(count).await,
            Step::Change { nth, timeout_s } => self.change(nth, Duration::from_secs(timeout_s)).await,
            Step::Advance { ms } => self.clock.advance(Duration::from_millis(ms)),
            Step::ToDeadline { nth, early_ms } => {
                let until = self.model.deadline(now, nth).map_or(0, |deadline| deadline - now);
                self.clock.advance(Duration::from_millis(until.saturating_sub(early_ms)));
            }
            Step::SetRetention { s } => {
                // A lowered retention reaches delayed messages in the time index late: a documented lag of counters.
                let least = if self.bounds == TINY { self.model.retention_ms / 1_000 } else { 0 };
                let s = s.max(least);
                let retention = Duration::from_secs(s);
                self.queue.set_attributes(QueueSettings::new().retention(retention)).await.unwrap();
                // What had expired under the old retention is gone for good.
                self.model.expire(now);
                self.model.retention_ms = s * 1_000;
            }
            Step::Purge => {
                self.queue.purge().await.unwrap();
                self.model.items.clear();
            }
            Step::Crash { unsynced } if self.ground.can_crash() => self.crash(unsynced).await,
            Step::Reopen | Step::Crash { .. } => {
                self.broker.close().await.unwrap();
                self.ground.reopen();
                (self.broker, self.queue) = open(self.ground.store(), &self.clock, self.bounds).await;
            }
        }
    }

    async fn delete(&mut self, nth: usize) {
        let Some((receipt, id, delivery)) = self.model.receipts.iter().rev().nth(nth).copied() else {
            return;
        };
        let deleted = self.queue.delete(receipt).await.unwrap();
        assert_eq!(deleted, self.model.delete(self.now(), id, delivery));
    }

    async fn delete_batch(&mut self, count: usize) {
        let receipts: Vec<_> = self.model.receipts.iter().rev().take(count).copied().collect();
        if receipts.is_empty() {
            return;
        }
        let entries = receipts.iter().map(|(receipt, ..)| *receipt).collect();
        let deleted = self.queue.delete_batch(entries).await.unwrap().all().unwrap();
        for ((_, id, delivery), deleted) in receipts.into_iter().zip(deleted) {
            assert_eq!(deleted, self.model.delete(self.now(), id, delivery));
        }
    }

    async fn change(&mut self, nth: usize, timeout: Duration) {
        let Some((receipt, id, delivery)) = self.model.receipts.iter().rev().nth(nth).copied() else {
            return;
        };
        let changed = match self.queue.change_visibility(receipt, timeout).await {
            Ok(VisibilityChanged::Until(time)) => Changed::Until(time.as_millis()),
            Ok(VisibilityChanged::Stale) => Changed::Stale,
            Ok(VisibilityChanged::Gone) => Changed::Gone,
            Err(Error::InvalidParameter { field: "timeout", .. }) => Changed::Refused,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(changed, self.model.change(self.now(), id, delivery, timeout));
    }

    /// After a crash the broker is where it was after some earlier step: the last one whose commits all survived.
    async fn crash(&mut self, unsynced: usize) {
        let survived = self.ground.crash(unsynced);
        let at = self.past.iter().rposition(|(commits, _)| *commits <= survived).unwrap();
        let next = self.past.get(at + 1).map(|(_, model)| model.clone());
        let receipts = std::mem::take(&mut self.model.receipts);
        self.model = self.past[at].1.clone();
        (self.broker, self.queue) = open(self.ground.store(), &self.clock, self.bounds).await;
        // A step may make more than one commit, of which the first decides: then the next step has happened. A change of
        // the retention shows in no counter.
        let found = self.queue.attributes().await.unwrap();
        let retention_ms = u64::try_from(found.retention.as_millis()).unwrap();
        if (found.counters, retention_ms) != (self.model.counters(self.now()), self.model.retention_ms) {
            self.model = next.expect("the state after some step");
        }
        // Receipts from a future that did not happen stay around: they must be told apart by their delivery.
        self.model.receipts = receipts;
        self.past.truncate(at + 1);
        self.past.push((self.ground.commits(), self.model.clone()));
    }
}
