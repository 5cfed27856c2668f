//! A queue and its dead-letter queue, as the model has them: a message is in one of them.

use broker_core::{DeadLetter, DeduplicationScope, MessageId, QueueCounters, ReceiptHandle, Timestamp};

use super::{
    line::{Item, Line, Outcome},
    receive::Received,
    seen::{Shown, State},
    world::Found,
};

/// One of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Main,
    Dead,
}

/// How a history begins.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) fifo: bool,
    pub(crate) by_content: bool,
    pub(crate) scope: DeduplicationScope,
    /// How often a message is delivered before it is moved, if there is a policy.
    pub(crate) limit: Option<u32>,
    pub(crate) delay_s: u64,
    pub(crate) retention_s: u64,
}

impl Setup {
    /// Nothing special.
    pub(crate) const STANDARD: Self = Self {
        fifo: false,
        by_content: false,
        scope: DeduplicationScope::Queue,
        limit: None,
        delay_s: 0,
        retention_s: 120,
    };
    pub(crate) const FIFO: Self = Self { fifo: true, ..Self::STANDARD };
}

/// A receipt with the message and the delivery that it is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) handle: ReceiptHandle,
    pub(crate) side: Side,
    pub(crate) id: MessageId,
    pub(crate) delivery: u32,
}

/// Both queues, and every receipt that they ever gave out.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) main: Line,
    pub(crate) dead: Line,
    pub(crate) limit: Option<u32>,
    pub(crate) receipts: Vec<Receipt>,
}

impl Pair {
    pub(crate) fn new(setup: &Setup, visibility_ms: u64) -> Self {
        let (main, dead) = if setup.fifo { ("main.fifo", "dead.fifo") } else { ("main", "dead") };
        let line = |name| {
            let mut line = Line::new(name, visibility_ms, setup.retention_s * 1_000);
            line.fifo = setup.fifo;
            line.by_content = setup.fifo && setup.by_content;
            line.scope = setup.scope;
            line
        };
        let mut main = line(main);
        main.delay_ms = setup.delay_s * 1_000;
        Self { main, dead: line(dead), limit: setup.limit, receipts: Vec::new() }
    }

    pub(crate) fn line(&mut self, side: Side) -> &mut Line {
        match side {
            Side::Main => &mut self.main,
            Side::Dead => &mut self.dead,
        }
    }

    /// The messages that a receive moves if it comes to them.
    pub(crate) fn spent(&mut self, now: u64) -> Vec<MessageId> {
        self.main.expire(now);
        let Some(limit) = self.limit else { return Vec::new() };
        self.main.open(now).into_iter().filter(|item| item.count >= limit).map(|item| item.id).collect()
    }

    pub(crate) fn receive(&mut self, now: u64, side: Side, received: &Received<'_>) {
        if side == Side::Main {
            assert!(received.moved.iter().all(|id| received.spent.contains(id)), "moved too early");
            let too_often = received.got.iter().find(|message| received.spent.contains(&message.id));
            assert!(too_often.is_none(), "{too_often:?} was received too often");
        }
        self.line(side).receive(now, received);
        let receipt = |message: &broker_core::Message| Receipt {
            handle: message.receipt,
            side,
            id: message.id,
            delivery: message.receive_count,
        };
        self.receipts.extend(received.got.iter().map(receipt));
        self.bury_all(now, received.moved);
    }

    /// Moves what a receive has moved.
    pub(crate) fn bury_all(&mut self, now: u64, moved: &[MessageId]) {
        for item in self.main.take_out(moved) {
            self.bury(now, item, None);
        }
    }

    fn bury(&mut self, now: u64, mut item: Item, reason: Option<&str>) {
        item.dead = Some(DeadLetter {
            source: self.main.name.into(),
            receive_count: item.count,
            first_received_at: Timestamp::from_millis(item.first_received_at),
            last_received_at: Timestamp::from_millis(item.received_at),
            moved_at: Timestamp::from_millis(now),
            reason: reason.map(Into::into),
        });
        self.dead.take_in(now, item);
    }

    pub(crate) fn delete(&mut self, now: u64, receipt: Receipt) -> Outcome {
        self.line(receipt.side).delete(now, receipt.id, receipt.delivery)
    }

    pub(crate) fn change(&mut self, now: u64, receipt: Receipt, timeout_ms: u64) -> Outcome {
        self.line(receipt.side).change(now, receipt.id, receipt.delivery, timeout_ms)
    }

    pub(crate) fn give_up(&mut self, now: u64, receipt: Receipt, reason: &str) -> Outcome {
        if receipt.side == Side::Dead || self.limit.is_none() {
            return Outcome::Nowhere;
        }
        match self.main.give_up(now, receipt.id, receipt.delivery) {
            Ok(item) => {
                self.bury(now, item, Some(reason));
                Outcome::Moved
            }
            Err(outcome) => outcome,
        }
    }

    /// Sends messages of the dead-letter queue back: those that can be received, or up to the first that came from
    /// nowhere else if none of those may go. Returns them as they arrive, without their new ids.
    pub(crate) fn redrive(&mut self, now: u64, only_moved: bool) -> Vec<Item> {
        self.dead.expire(now);
        let visible = self.dead.items.iter().filter(|item| item.visible_at <= now);
        let moved = visible.take_while(|item| !only_moved || item.dead.is_some()).map(|item| item.id);
        let moved: Vec<_> = moved.collect();
        self.dead.take_out(&moved)
    }

    /// What shows without a receive.
    pub(crate) fn shown(&mut self, now: u64) -> Shown {
        Shown {
            counters: [self.main.counters(now), self.dead.counters(now)],
            retention_ms: [self.main.retention_ms, self.dead.retention_ms],
            delay_ms: self.main.delay_ms,
            limit: self.limit,
            messages: [self.main.seen(now, self.limit), self.dead.seen(now, None)],
        }
    }

    /// Compares with what the broker shows, or may show for a while: see the fields of [`Line`]. Returns what it should
    /// have shown, if that is something else.
    pub(crate) fn differs(&mut self, now: u64, found: &Found) -> Option<Shown> {
        let [main, dead] = &found.order;
        let _ = self.shown(now);
        let adopted = self.main.adopt(main) && self.dead.adopt(dead);
        let mut shown = self.shown(now);
        let Found { shown: found, .. } = found;
        if self.main.is_vague(now) {
            let total = |counters: &QueueCounters| counters.visible + counters.delayed;
            let (counted, counters) = (&found.counters[0], &mut shown.counters[0]);
            if total(counted) == total(counters) {
                (counters.visible, counters.delayed) = (counted.visible, counted.delayed);
            }
            for (seen, found) in shown.messages[0].iter_mut().zip(&found.messages[0]) {
                if matches!(found.state, State::Delayed { .. }) {
                    seen.state = found.state.clone();
                }
            }
        }
        let visible = &mut shown.counters[1].visible;
        *visible = found.counters[1].visible.clamp(*visible, *visible + self.dead.ghosts);
        (!adopted || shown != *found).then_some(shown)
    }
}
