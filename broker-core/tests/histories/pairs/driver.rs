//! Runs a history of a queue and its dead-letter queue against the broker and the model side by side.

use std::time::Duration;

use broker_core::{Clock, ManualClock, MemoryBounds, QueueSettings, Timestamp};

use super::{
    attempts::Attempt,
    pair::{Pair, Setup, Side},
    seen::{Shown, State},
    steps::Step,
    world::{World, policy},
};
use crate::driver::{Ground, TINY, quiet};

const VISIBILITY_MS: u64 = 10_000;

pub(crate) struct Run<G> {
    ground: G,
    pub(super) bounds: MemoryBounds,
    clock: ManualClock,
    pub(super) world: World,
    pub(super) model: Pair,
    past: Vec<Past>,
    /// The commits that the step needs, if more were made in it.
    needed: Option<usize>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) sent: usize,
}

/// The model after a step.
struct Past {
    /// The number of commits that it stands for.
    commits: usize,
    /// When the step was made.
    now: u64,
    model: Pair,
}

impl<G: Ground> Run<G> {
    pub(crate) async fn new(ground: G, bounds: MemoryBounds, setup: &Setup) -> Self {
        let clock = ManualClock::new(1_000_000);
        let model = Pair::new(setup, VISIBILITY_MS);
        let broker = World::broker(ground.store(), &clock, bounds).await;
        let world = World::create(broker, setup, &model).await;
        let past = vec![Past { commits: ground.commits(), now: 0, model: model.clone() }];
        Self { ground, bounds, clock, world, model, past, needed: None, attempts: Vec::new(), sent: 0 }
    }

    pub(crate) async fn run(mut self, steps: &[Step]) -> G {
        for step in steps {
            self.step(step).await;
            self.remember();
            quiet(&self.ground).await;
            self.compare(&format!("after {step:?}")).await;
        }
        self.drain().await;
        self.ground
    }

    /// Everything that is left can be received, and nothing else. No group is stuck.
    async fn drain(&mut self) {
        loop {
            self.clock.advance(Duration::from_secs(7));
            for side in [Side::Main, Side::Dead] {
                let receipts = self.model.receipts.len();
                self.receive(side, 10, None, None).await;
                for receipt in self.model.receipts.split_off(receipts) {
                    self.delete(receipt).await;
                }
            }
            let found = self.compare("while it is emptied").await;
            if found.counters.iter().all(|counters| counters.total() == 0) {
                return;
            }
        }
    }

    /// Checks what shows without a receive.
    async fn compare(&mut self, when: &str) -> Shown {
        let (now, found) = (self.now(), self.world.look().await);
        let differs = self.model.differs(now, &found);
        assert!(differs.is_none(), "{when} the broker shows {:?}, and should {differs:?}", found.shown);
        self.explain(now).await;
        found.shown
    }

    /// Checks what the broker says about its queues, as far as it does not depend on what is in memory.
    async fn explain(&mut self, now: u64) {
        if let Some(receipt) = self.receipt(0) {
            let explained = self.world.queue(receipt.side).explain(receipt.id).await.unwrap();
            let limit = self.model.limit.filter(|_| receipt.side == Side::Main);
            let line = self.model.line(receipt.side);
            let seen = line.seen(now, limit).into_iter().find(|seen| seen.id == receipt.id);
            let state = State::of(&explained);
            assert!(line.is_vague(now) || state == seen.map(|seen| seen.state), "{explained:?} at {now}");
        }
        for side in [Side::Main, Side::Dead] {
            let stats = self.world.queue(side).stats().await.unwrap();
            let why = self.world.queue(side).why_empty().await.unwrap();
            let limit = self.model.limit.filter(|_| side == Side::Main);
            let line = self.model.line(side);
            if line.is_vague(now) || line.ghosts > 0 {
                continue;
            }
            assert_eq!(stats.oldest.map(Timestamp::as_millis), line.oldest(), "the oldest of {side:?}");
            assert!(stats.groups_blocked <= line.groups_blocked(now), "{stats:?} of {side:?}");
            let sure = self.bounds == MemoryBounds::default();
            assert!(!sure || line.explains(now, limit, &why.reason), "{why:?} at {now}");
        }
    }

    fn remember(&mut self) {
        let commits = self.needed.take().unwrap_or_else(|| self.ground.commits());
        self.past.push(Past { commits, now: self.now(), model: self.model.clone() });
    }

    /// Notes that what the last call has done is committed.
    pub(super) fn note_commits(&mut self) {
        self.needed = Some(self.ground.commits());
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.now().as_millis()
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Send { to, letter, delay_s } => self.send(*to, *letter, *delay_s).await,
            Step::SendBatch { to, letters } => self.send_batch(*to, letters).await,
            Step::Receive { from, max, timeout_s, attempt } => {
                self.receive(*from, *max, *timeout_s, *attempt).await;
            }
            Step::Delete { nth } => {
                if let Some(receipt) = self.receipt(*nth) {
                    self.delete(receipt).await;
                }
            }
            Step::DeleteBatch { count } => self.delete_batch(*count).await,
            Step::Change { nth, timeout_s } => self.change(*nth, *timeout_s).await,
            Step::GiveUp { nth } => self.give_up(*nth).await,
            Step::Redrive { all } => self.redrive(*all).await,
            Step::Advance { ms } => self.clock.advance(Duration::from_millis(*ms)),
            Step::SetDelay { .. } | Step::SetRetention { .. } | Step::SetLimit { .. } => self.set(step).await,
            Step::Purge { of } => {
                // Its one commit, and not those of the background that follow.
                self.needed = Some(self.ground.commits() + 1);
                self.world.queue(*of).purge().await.unwrap();
                self.model.line(*of).purge();
            }
            Step::Crash { unsynced } if self.ground.can_crash() => self.crash(*unsynced).await,
            Step::Reopen | Step::Crash { .. } => {
                self.world.broker.close().await.unwrap();
                self.ground.reopen();
                self.open().await;
            }
        }
    }

    async fn open(&mut self) {
        self.attempts.clear();
        let broker = World::broker(self.ground.store(), &self.clock, self.bounds).await;
        self.world = World::reopen(broker, &self.model).await;
    }

    /// Changes a setting of the main queue, or the retention of either.
    async fn set(&mut self, step: &Step) {
        let now = self.now();
        let mut of = Side::Main;
        let change = match *step {
            Step::SetDelay { s } => {
                self.model.main.set_delay(now, s * 1_000);
                QueueSettings::new().delay(Duration::from_secs(s))
            }
            Step::SetRetention { of: side, s } => {
                of = side;
                let line = self.model.line(side);
                // A lowered retention reaches delayed messages in the time index late: a documented lag of counters.
                let least = if self.bounds == TINY { line.retention_ms / 1_000 } else { 0 };
                line.expire(now);
                // And a raised one brings back what has expired and was not come across.
                let most = if line.ghosts > 0 { line.retention_ms / 1_000 } else { u64::MAX };
                let s = s.max(least).min(most);
                line.set_retention(now, s * 1_000);
                QueueSettings::new().retention(Duration::from_secs(s))
            }
            Step::SetLimit { limit } => {
                self.model.limit = limit;
                QueueSettings::new().redrive_policy(policy(&self.model, limit))
            }
            _ => unreachable!("other steps change no setting"),
        };
        self.world.queue(of).set_attributes(change).await.unwrap();
    }

    /// After a crash both queues are where they were after some earlier step: the last one whose commits all survived.
    async fn crash(&mut self, unsynced: usize) {
        let survived = self.ground.crash(unsynced);
        let at = self.past.iter().rposition(|past| past.commits <= survived).unwrap();
        let receipts = std::mem::take(&mut self.model.receipts);
        self.model = self.past[at].model.clone();
        self.open().await;
        let (now, found) = (self.now(), self.world.look().await);
        let next = self.past.get(at + 1).map(|next| (next.now, next.model.clone()));
        if let Some((made_at, next)) = next.filter(|_| self.model.differs(now, &found).is_some()) {
            // A step may make more than one commit, of which the first decides: then the next step has happened. A
            // receive may move messages in one, and receive others in another.
            let moved = self.moved(made_at).await;
            self.model.bury_all(made_at, &moved);
            if self.model.differs(now, &found).is_some() {
                self.model = next;
            }
        }
        // Receipts from a future that did not happen stay around: they must be told apart by their delivery.
        self.model.receipts = receipts;
        self.past.truncate(at + 1);
        self.needed = None;
    }
}
