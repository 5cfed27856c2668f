//! Seeing inside, in random lives of queues with so little memory that most messages wait in storage: what each look
//! says agrees with the others, and with what a receive does.

use std::{collections::BTreeMap, time::Duration};

use broker_core::{
    EmptyReason, Error, Explanation, Limits, LocalQueue, QueueCounters, QueueStats, ReceiptHandle,
    ReceiveOptions, SendMessage,
};
use tokio::sync::watch;

use crate::{
    peek::peek_all,
    support::{World, advance, ms, secs, settle_down},
};

/// A small random number generator, so that each run does the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A queue that lives at random.
struct Life<'a> {
    world: &'a World,
    queue: LocalQueue,
    fifo: bool,
    busy: bool,
    dice: Dice,
    receipts: Vec<ReceiptHandle>,
    watch: watch::Receiver<QueueStats>,
    /// How often each reason for finding nothing was given.
    reasons: BTreeMap<&'static str, usize>,
}

impl Life<'_> {
    async fn step(&mut self, step: u64) {
        match self.dice.roll(12) {
            0..=3 if self.busy || self.dice.roll(3) == 0 => self.send(step).await,
            4..=6 => self.receive().await,
            7 | 8 if !self.receipts.is_empty() => {
                let at = usize::try_from(self.dice.roll(self.receipts.len() as u64)).unwrap();
                // On a FIFO queue it may have expired.
                let _ = self.queue.delete(self.receipts.swap_remove(at)).await;
            }
            9 => self.look().await,
            10 => self.jump().await,
            _ => advance(secs(self.dice.roll(8))).await,
        }
    }

    async fn send(&mut self, step: u64) {
        let message = SendMessage::from(step.to_string());
        let group = self.dice.roll(4).to_string();
        let message = match (self.fifo, self.dice.roll(4)) {
            (true, _) | (false, 0) => message.group_id(group),
            (false, 1) => message.delay(secs(self.dice.roll(30))),
            (false, _) => message,
        };
        self.queue.send(message).await.unwrap();
    }

    /// Every short poll is foretold.
    async fn receive(&mut self) {
        let foretold = self.queue.why_empty().await.unwrap();
        let timeout = secs(self.dice.roll(20));
        let options = ReceiveOptions::up_to(1).wait_time(Duration::ZERO).visibility_timeout(timeout);
        let received = match self.queue.receive(options).await {
            Err(Error::OverLimit { .. }) => Vec::new(),
            received => received.unwrap(),
        };
        assert_eq!(!received.is_empty(), foretold.is_receivable(), "{foretold}");
        self.receipts.extend(received.into_iter().map(|message| message.receipt));
        let reason = match foretold.reason {
            EmptyReason::NotEmpty => "not empty",
            EmptyReason::NoMessages => "no messages",
            EmptyReason::InFlightLimit { .. } => "limit",
            EmptyReason::NoneVisible => "none visible",
            EmptyReason::Blocked { .. } => "blocked",
            EmptyReason::OnlySpent { .. } => "only spent",
            other => panic!("{other:?}"),
        };
        *self.reasons.entry(reason).or_default() += 1;
    }

    /// The counters are those of the states of all messages, and each explanation is the state that a peek shows. A
    /// watcher has seen the same.
    async fn look(&mut self) {
        self.look_at_the_watch().await;
        let all = peek_all(&self.queue, 7).await;
        let mut counters = QueueCounters::default();
        for peeked in &all {
            match peeked.state {
                Explanation::Visible | Explanation::Blocked { .. } | Explanation::Spent { .. } => {
                    counters.visible += 1;
                }
                Explanation::InFlight { .. } => counters.in_flight += 1,
                Explanation::Delayed { .. } => counters.delayed += 1,
                ref ended => panic!("{ended}"),
            }
            let explained = self.queue.explain(peeked.id).await.unwrap();
            assert_eq!(explained, peeked.state, "{}", peeked.id);
        }
        let stats = self.queue.stats().await.unwrap();
        assert_eq!(stats.counters, counters);
        assert_eq!(stats.oldest.is_some(), !all.is_empty());
    }

    async fn look_at_the_watch(&self) {
        // A timer may end up to a millisecond late.
        for _ in 0..3 {
            settle_down().await;
            let stats = self.queue.stats().await.unwrap();
            if *self.watch.borrow() == stats {
                return;
            }
        }
        panic!("{:?}: the watcher still sees {:?}", self.queue, self.watch.borrow());
    }

    /// If nothing can be received: until just before something may be.
    async fn jump(&mut self) {
        let why = self.queue.why_empty().await.unwrap();
        let Some(next) = why.next_visible else { return };
        let left = next.since(self.world.now());
        if left > ms(1) {
            advance(left - ms(1)).await;
            let early = self.queue.why_empty().await.unwrap();
            assert!(!early.is_receivable(), "{why}, and then {early}");
            advance(ms(1)).await;
            // Without a dead-letter queue, a standard queue has something then.
            let then = self.queue.why_empty().await.unwrap();
            let spent = matches!(then.reason, EmptyReason::OnlySpent { .. });
            assert!(self.fifo || spent || then.is_receivable(), "{why}, and then {then}");
        }
    }
}

async fn looks_agree_and_foretell_every_receive(world: World) {
    let limits = Limits { in_flight_max: 9, ..Limits::aws() };
    let world = world.with_little_memory().limits(limits);
    let mut broker = world.broker().await;
    broker.queue("dead").await.unwrap();
    broker.queue("dead.fifo").fifo().await.unwrap();
    let mut reasons = BTreeMap::new();
    for seed in 0..8 {
        let (name, fifo) = (format!("{seed}{}", if seed % 2 == 0 { "" } else { ".fifo" }), seed % 2 == 1);
        let busy = seed % 4 > 1;
        let mut queue = broker.queue(name.as_str());
        if fifo {
            queue = queue.fifo().dedup_by_content();
        }
        if seed < 4 {
            queue = queue.dead_letter(if fifo { "dead.fifo" } else { "dead" }, 1);
        }
        if seed == 5 {
            queue = queue.delay(secs(9));
        }
        // All others expire within the life.
        if seed < 6 {
            queue = queue.retention(secs(60));
        }
        let queue = queue.await.unwrap();
        let (dice, receipts, watch) = (Dice(seed), Vec::new(), queue.watch().await.unwrap());
        let mut life = Life { world: &world, queue, fifo, busy, dice, receipts, watch, reasons };
        for step in 0..150 {
            life.step(step).await;
        }
        life.look().await;
        // Everything is in storage only after a restart.
        reasons = life.reasons;
        let (dice, receipts, mut last) = (life.dice, life.receipts, life.watch);
        drop(life.queue);
        broker.close().await.unwrap();
        drop(broker);
        broker = world.broker().await;
        while last.changed().await.is_ok() {}
        let queue = broker.open_queue(&name).await.unwrap();
        let watch = queue.watch().await.unwrap();
        let mut life = Life { world: &world, queue, fifo, busy, dice, receipts, watch, reasons };
        life.look().await;
        for step in 150..250 {
            life.step(step).await;
        }
        reasons = life.reasons;
    }
    assert_eq!(reasons.len(), 6, "{reasons:?}");
}

everywhere!(looks_agree_and_foretell_every_receive);
