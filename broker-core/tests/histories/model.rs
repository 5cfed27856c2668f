//! A naive queue: a list of messages, searched from the front. It is slow, and clear enough to be believed.

use std::time::Duration;

use broker_core::{Deleted, Message, MessageId, QueueCounters, ReceiptHandle};

/// A message as the model knows it. Times in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: MessageId,
    pub(crate) body: String,
    pub(crate) sent_at: u64,
    pub(crate) visible_at: u64,
    pub(crate) received_at: u64,
    pub(crate) first_received_at: u64,
    pub(crate) count: u32,
}

/// What a change of visibility comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Until(u64),
    Stale,
    Gone,
    Refused,
}

/// The queue, and every receipt that it ever gave out.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) items: Vec<Item>,
    pub(crate) visibility_ms: u64,
    pub(crate) retention_ms: u64,
    /// Receipts with the message and the delivery that they are of.
    pub(crate) receipts: Vec<(ReceiptHandle, MessageId, u32)>,
}

/// The longest time that a message can stay invisible after one receive.
const INVISIBLE_MAX_MS: u64 = 43_200_000;

impl Model {
    pub(crate) fn new(visibility_ms: u64, retention_ms: u64) -> Self {
        Self { items: Vec::new(), visibility_ms, retention_ms, receipts: Vec::new() }
    }

    pub(crate) fn expire(&mut self, now: u64) {
        let retention = self.retention_ms;
        self.items.retain(|item| item.sent_at + retention > now);
    }

    /// The `nth` moment to come at which a message becomes visible or expires, counted around.
    pub(crate) fn deadline(&self, now: u64, nth: usize) -> Option<u64> {
        let both = |item: &Item| [item.visible_at, item.sent_at + self.retention_ms];
        let mut to_come: Vec<_> = self.items.iter().flat_map(both).filter(|time| *time > now).collect();
        to_come.sort_unstable();
        to_come.get(nth % to_come.len().max(1)).copied()
    }

    pub(crate) fn send(&mut self, now: u64, id: MessageId, body: String, delay_ms: u64) {
        let visible_at = now + delay_ms;
        let item =
            Item { id, body, sent_at: now, visible_at, received_at: 0, first_received_at: 0, count: 0 };
        self.items.push(item);
    }

    /// Checks what the queue returned against what it should have, and takes over its receipts.
    pub(crate) fn receive(&mut self, now: u64, max: usize, timeout_ms: Option<u64>, got: &[Message]) {
        self.expire(now);
        let timeout = timeout_ms.unwrap_or(self.visibility_ms);
        let expected: Vec<_> =
            self.items.iter_mut().filter(|item| item.visible_at <= now).take(max).collect();
        assert_eq!(got.len(), expected.len(), "messages received at {now}");
        for (item, message) in expected.into_iter().zip(got) {
            if item.count == 0 {
                item.first_received_at = now;
            }
            item.count += 1;
            item.received_at = now;
            item.visible_at = now + timeout;
            assert_eq!(message.id, item.id);
            assert_eq!(&message.body[..], item.body.as_bytes());
            assert_eq!(message.receive_count, item.count);
            assert_eq!(message.sent_at.as_millis(), item.sent_at);
            assert_eq!(message.first_received_at.as_millis(), item.first_received_at);
            self.receipts.push((message.receipt, item.id, item.count));
        }
    }

    pub(crate) fn delete(&mut self, now: u64, id: MessageId, delivery: u32) -> Deleted {
        self.expire(now);
        let Some(at) = self.items.iter().position(|item| item.id == id) else { return Deleted::Gone };
        if self.items[at].count > delivery {
            return Deleted::Stale;
        }
        self.items.remove(at);
        Deleted::Gone
    }

    pub(crate) fn change(&mut self, now: u64, id: MessageId, delivery: u32, timeout: Duration) -> Changed {
        self.expire(now);
        let timeout = u64::try_from(timeout.as_millis()).unwrap();
        let Some(item) = self.items.iter_mut().find(|item| item.id == id) else { return Changed::Gone };
        if item.count > delivery && timeout > 0 {
            return Changed::Stale;
        }
        // A receipt proves its delivery, even if a power cut has undone it.
        if item.count < delivery {
            item.first_received_at = if item.count == 0 { now } else { item.first_received_at };
            item.count = delivery;
            item.received_at = now;
        }
        if timeout > 0 && now + timeout - item.received_at > INVISIBLE_MAX_MS {
            return Changed::Refused;
        }
        item.visible_at = now + timeout;
        Changed::Until(item.visible_at)
    }

    pub(crate) fn counters(&mut self, now: u64) -> QueueCounters {
        self.expire(now);
        let count = |kind: &dyn Fn(&Item) -> bool| self.items.iter().filter(|item| kind(item)).count() as u64;
        QueueCounters {
            visible: count(&|item| item.visible_at <= now),
            in_flight: count(&|item| item.visible_at > now && item.count > 0),
            delayed: count(&|item| item.visible_at > now && item.count == 0),
        }
    }
}
