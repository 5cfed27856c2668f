//! A naive queue with groups and a deduplication memory: a list of messages in the order of their arrival. It is slow,
//! and clear enough to be believed.

use broker_core::{
    DeadLetter, DeduplicationScope, MessageId, QueueCounters, SendMessage, Sent, SequenceNumber,
};
use sha2::{Digest, Sha256};

/// How long a deduplication id is remembered.
const WINDOW_MS: u64 = 300_000;

/// The longest time that a message can stay invisible after one receive.
const INVISIBLE_MAX_MS: u64 = 43_200_000;

/// A message as the model knows it. Times in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: MessageId,
    pub(crate) body: String,
    pub(crate) group: Option<String>,
    pub(crate) deduplication_id: Option<String>,
    /// Not known of a moved message until it is received.
    pub(crate) sequence: Option<SequenceNumber>,
    /// When it was sent, or moved into a FIFO queue.
    pub(crate) sent_at: u64,
    pub(crate) visible_at: u64,
    pub(crate) received_at: u64,
    pub(crate) first_received_at: u64,
    pub(crate) count: u32,
    pub(crate) dead: Option<DeadLetter>,
}

/// An accepted send that the queue remembers.
#[derive(Debug, Clone)]
struct Known {
    group: Option<String>,
    deduplication_id: String,
    at: u64,
    sent: Sent,
}

/// What a call that settles a delivery comes to, on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Gone,
    Stale,
    /// The receipt of a FIFO queue has expired.
    Expired,
    Until(u64),
    /// It would be invisible for too long.
    Refused,
    Moved,
    /// There is no dead-letter queue.
    Nowhere,
}

/// One queue.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) fifo: bool,
    pub(crate) by_content: bool,
    pub(crate) scope: DeduplicationScope,
    pub(crate) visibility_ms: u64,
    pub(crate) retention_ms: u64,
    pub(crate) delay_ms: u64,
    /// Until then a raised delay makes the queue count some visible messages as delayed.
    vague_until: u64,
    /// Moved messages that have expired. They may be counted until they are come across.
    pub(crate) ghosts: u64,
    pub(crate) items: Vec<Item>,
    known: Vec<Known>,
    newest: Option<SequenceNumber>,
}

impl Line {
    pub(crate) fn new(name: &'static str, visibility_ms: u64, retention_ms: u64) -> Self {
        Self {
            name,
            fifo: false,
            by_content: false,
            scope: DeduplicationScope::Queue,
            visibility_ms,
            retention_ms,
            delay_ms: 0,
            vague_until: 0,
            ghosts: 0,
            items: Vec::new(),
            known: Vec::new(),
            newest: None,
        }
    }

    /// Lets time pass: old messages go, and old deduplication ids, each at its own age.
    pub(crate) fn expire(&mut self, now: u64) {
        let retention = self.retention_ms;
        let expired = self.items.iter().filter(|item| item.sent_at + retention <= now);
        self.ghosts += expired.filter(|item| !self.fifo && item.dead.is_some()).count() as u64;
        self.items.retain(|item| item.sent_at + retention > now);
        self.known.retain(|known| known.at + WINDOW_MS > now);
    }

    /// Checks the answer to a send, and takes over the message unless it is a duplicate.
    pub(crate) fn send(&mut self, now: u64, message: &SendMessage, sent: Sent) {
        self.expire(now);
        let deduplication_id = self.fifo.then(|| deduplication_id(message));
        if let Some(known) = self.known(message.group_id.as_ref(), deduplication_id.as_ref()) {
            let original = Sent { duplicate: true, ..known.sent };
            assert_eq!(sent, original, "a duplicate answers with the original");
            return;
        }
        assert!(!sent.duplicate, "{message:?} is no duplicate");
        assert_eq!(sent.sequence_number.is_some(), self.fifo);
        assert!(!self.fifo || sent.sequence_number > self.newest, "sequence numbers increase");
        self.newest = sent.sequence_number;
        if let Some(deduplication_id) = deduplication_id.clone() {
            let group = message.group_id.clone();
            self.known.push(Known { group, deduplication_id, at: now, sent });
        }
        let delay_ms = message.delay.map_or(self.delay_ms, |delay| u64::try_from(delay.as_millis()).unwrap());
        self.items.push(Item {
            id: sent.id,
            body: String::from_utf8(message.body.to_vec()).unwrap(),
            group: message.group_id.clone(),
            deduplication_id,
            sequence: sent.sequence_number,
            sent_at: now,
            visible_at: now + delay_ms,
            received_at: 0,
            first_received_at: 0,
            count: 0,
            dead: None,
        });
    }

    fn known(&self, group: Option<&String>, deduplication_id: Option<&String>) -> Option<&Known> {
        let same_group = |known: &&Known| known.group.as_ref() == group;
        let in_scope = |known: &&Known| self.scope == DeduplicationScope::Queue || same_group(known);
        let same = |known: &&Known| Some(&known.deduplication_id) == deduplication_id;
        self.known.iter().filter(in_scope).find(same)
    }

    /// Takes these messages out, in their order.
    pub(crate) fn take_out(&mut self, ids: &[MessageId]) -> Vec<Item> {
        let (out, left) = self.items.drain(..).partition(|item| ids.contains(&item.id));
        self.items = left;
        out
    }

    /// A message comes from another queue. It keeps its id and its count.
    pub(crate) fn take_in(&mut self, now: u64, mut item: Item) {
        if self.fifo {
            item.deduplication_id = Some(item.id.to_string());
            item.sent_at = now;
            item.sequence = None;
        }
        item.visible_at = now;
        self.items.push(item);
    }

    /// A message comes back from the dead-letter queue, as a new one.
    pub(crate) fn send_back(&mut self, now: u64, item: Item, id: MessageId, sequence: SequenceNumber) {
        assert!(!self.fifo || Some(sequence) > self.newest, "sequence numbers increase");
        self.newest = self.fifo.then_some(sequence);
        self.items.push(Item {
            id,
            sequence: self.newest,
            sent_at: now,
            visible_at: now + self.delay_ms,
            received_at: 0,
            first_received_at: 0,
            count: 0,
            dead: None,
            ..item
        });
    }

    /// On a FIFO queue a new delay holds for what was never received, too.
    pub(crate) fn set_delay(&mut self, now: u64, delay_ms: u64) {
        self.expire(now);
        if self.fifo && delay_ms > self.delay_ms {
            self.vague_until = now + delay_ms;
        }
        self.delay_ms = delay_ms;
        for item in self.items.iter_mut().filter(|item| self.fifo && item.count == 0) {
            item.visible_at = item.sent_at + delay_ms;
        }
    }

    /// What had expired under the old retention is gone for good.
    pub(crate) fn set_retention(&mut self, now: u64, retention_ms: u64) {
        self.expire(now);
        self.retention_ms = retention_ms;
    }

    pub(crate) fn purge(&mut self) {
        self.items.clear();
        self.known.clear();
        self.ghosts = 0;
    }

    /// The message that a receipt is for, if the receipt is still good for something.
    fn held(&mut self, now: u64, id: MessageId, delivery: u32) -> Result<&mut Item, Outcome> {
        self.expire(now);
        let fifo = self.fifo;
        let item = self.items.iter_mut().find(|item| item.id == id).ok_or(Outcome::Gone)?;
        match fifo {
            true if item.visible_at > now && item.count == delivery => Ok(item),
            true => Err(Outcome::Expired),
            false if item.count > delivery => Err(Outcome::Stale),
            false => Ok(item),
        }
    }

    pub(crate) fn delete(&mut self, now: u64, id: MessageId, delivery: u32) -> Outcome {
        match self.held(now, id, delivery) {
            Ok(_) => {
                self.items.retain(|item| item.id != id);
                Outcome::Gone
            }
            Err(outcome) => outcome,
        }
    }

    pub(crate) fn change(&mut self, now: u64, id: MessageId, delivery: u32, timeout_ms: u64) -> Outcome {
        let older = !self.fifo && timeout_ms == 0;
        let item = match self.held(now, id, if older { u32::MAX } else { delivery }) {
            Ok(item) => item,
            Err(outcome) => return outcome,
        };
        item.prove(now, delivery);
        if timeout_ms > 0 && now + timeout_ms - item.received_at > INVISIBLE_MAX_MS {
            return Outcome::Refused;
        }
        item.visible_at = now + timeout_ms;
        Outcome::Until(item.visible_at)
    }

    /// Takes out a message that its consumer gives up.
    pub(crate) fn give_up(&mut self, now: u64, id: MessageId, delivery: u32) -> Result<Item, Outcome> {
        let item = self.held(now, id, delivery)?;
        item.prove(now, delivery);
        let item = item.clone();
        self.items.retain(|other| other.id != id);
        Ok(item)
    }

    pub(crate) fn is_vague(&self, now: u64) -> bool {
        now < self.vague_until
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

impl Item {
    /// A receipt proves its delivery, even if a power cut has undone it.
    fn prove(&mut self, now: u64, delivery: u32) {
        if self.count < delivery {
            self.first_received_at = if self.count == 0 { now } else { self.first_received_at };
            self.count = delivery;
            self.received_at = now;
        }
    }
}

/// The id that a FIFO queue knows a message by: its own, or the hash of its body.
fn deduplication_id(message: &SendMessage) -> String {
    let by_content = || {
        let hash = Sha256::digest(&message.body);
        hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    };
    message.deduplication_id.clone().unwrap_or_else(by_content)
}
