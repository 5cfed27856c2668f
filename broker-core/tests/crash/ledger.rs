//! What the broker has promised, and what it has only been asked: the two sides that a crash must respect.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use broker_core::{Deleted, Message, MessageId, ReceiptHandle, SendMessage, Sent};

use crate::{
    dice::Dice,
    world::{DELIVERIES_MAX, Found, Kind, World},
};

/// A receipt, and where it is from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) handle: ReceiptHandle,
    pub(crate) id: MessageId,
    pub(crate) in_dead: bool,
    /// How many move tasks were tried before.
    redrives: usize,
}

/// The promises of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    kind: Kind,
    next: usize,
    /// Bodies whose send was tried. Bodies are unique.
    tried: BTreeSet<String>,
    /// Sends that were acknowledged.
    sent: HashMap<MessageId, String>,
    /// Acknowledged sends whose deduplication ids are remembered.
    remembered: Vec<(SendMessage, Sent, u64)>,
    /// Messages whose deletion was tried.
    deleting: BTreeSet<MessageId>,
    /// Deletions that were acknowledged.
    deleted: BTreeSet<MessageId>,
    /// How often each message was handed out.
    handed_out: BTreeMap<MessageId, u32>,
    /// Messages that were received from the dead-letter queue.
    seen_dead: BTreeSet<MessageId>,
    /// Messages whose move to the dead-letter queue was acknowledged.
    given_up: BTreeSet<MessageId>,
    /// Messages that a move task may have sent back: as new ones, not received yet.
    redriven: BTreeSet<MessageId>,
    /// The first ids of messages that were seen to come back with new ones.
    first_ids: HashMap<MessageId, MessageId>,
    redrives: usize,
    receipts: Vec<Receipt>,
}

/// How long a deduplication id is remembered.
const WINDOW_MS: u64 = 300_000;

impl Ledger {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            next: 0,
            tried: BTreeSet::new(),
            sent: HashMap::new(),
            remembered: Vec::new(),
            deleting: BTreeSet::new(),
            deleted: BTreeSet::new(),
            handed_out: BTreeMap::new(),
            seen_dead: BTreeSet::new(),
            given_up: BTreeSet::new(),
            redriven: BTreeSet::new(),
            first_ids: HashMap::new(),
            redrives: 0,
            receipts: Vec::new(),
        }
    }

    pub(crate) fn try_send(&mut self) -> String {
        self.next += 1;
        let body = format!("{}-{}", self.next, "x".repeat(self.next % 70));
        self.tried.insert(body.clone());
        body
    }

    pub(crate) fn sent(&mut self, message: SendMessage, sent: Sent, now: u64) {
        assert!(!sent.duplicate);
        let body = String::from_utf8(message.body.to_vec()).unwrap();
        assert!(self.sent.insert(sent.id, body).is_none(), "an id is given out once");
        self.remembered.push((message, sent, now));
    }

    /// What a FIFO queue must take for a duplicate now, and how it must answer. The newest come first.
    pub(crate) fn duplicates(&self, now: u64) -> impl Iterator<Item = (SendMessage, Sent)> {
        let fifo = self.kind == Kind::Fifo;
        let known = self.remembered.iter().rev().filter(move |(.., at)| fifo && at + WINDOW_MS > now);
        known.map(|(message, sent, _)| (message.clone(), Sent { duplicate: true, ..*sent }))
    }

    pub(crate) fn received(&mut self, message: &Message, in_dead: bool) {
        let count = self.handed_out.entry(message.id).or_default();
        assert!(message.receive_count > *count, "counts grow with each hand-out");
        *count = message.receive_count;
        if in_dead {
            self.seen_dead.insert(message.id);
        }
        let body = message.text().unwrap();
        let first = self.sent.iter().find(|(_, sent)| *sent == body).map_or(message.id, |(id, _)| *id);
        assert!(first == message.id || self.redriven.contains(&first), "{body} has a new id");
        self.first_ids.insert(message.id, first);
        let moved = self.seen_dead.contains(&message.id) || self.given_up.contains(&message.id);
        assert!(in_dead || !moved, "a moved message came back");
        self.receipts.push(Receipt {
            handle: message.receipt,
            id: message.id,
            in_dead,
            redrives: self.redrives,
        });
    }

    pub(crate) fn pick(&self, dice: &mut Dice) -> Option<Receipt> {
        let nth = dice.below(self.receipts.len().clamp(1, 8));
        self.receipts.iter().rev().nth(nth).copied()
    }

    pub(crate) fn try_delete(&mut self, receipt: Receipt) {
        self.deleting.insert(self.first_ids[&receipt.id]);
    }

    pub(crate) fn deleted(&mut self, receipt: Receipt, outcome: Deleted) {
        let first = self.first_ids[&receipt.id];
        // A receipt of one queue says nothing about a message that is in the other one.
        let sent_back = self.redriven.contains(&first) && receipt.redrives < self.redrives;
        let dead = !receipt.in_dead && self.may_be_dead(receipt.id);
        if outcome == Deleted::Gone && !sent_back && !dead {
            self.deleted.insert(first);
        }
    }

    pub(crate) fn try_redrive(&mut self) {
        let dead: Vec<_> = self.sent.keys().copied().filter(|id| self.may_be_dead(*id)).collect();
        self.redriven.extend(dead);
        self.redrives += 1;
    }

    /// Whether the message may be in the dead-letter queue.
    fn may_be_dead(&self, id: MessageId) -> bool {
        let too_often = self.handed_out.get(&id).is_some_and(|count| *count >= DELIVERIES_MAX);
        self.kind != Kind::Standard && (too_often || self.given_up.contains(&id))
    }

    pub(crate) fn given_up(&mut self, id: MessageId) {
        self.given_up.insert(id);
    }

    pub(crate) fn try_purge(&mut self) {
        self.remembered.clear();
        self.deleting.extend(self.sent.keys());
    }

    pub(crate) fn purged(&mut self) {
        let purged: Vec<_> = self.sent.keys().copied().filter(|id| !self.may_be_dead(*id)).collect();
        self.deleted.extend(purged);
    }

    /// Checks what is left in the store against the promises. `counts`: whether delivery counts had to survive.
    pub(crate) fn check(&self, left: &BTreeMap<String, Found>, counts: bool) {
        for body in left.keys() {
            assert!(self.tried.contains(body), "{body} was never sent");
        }
        for (id, body) in &self.sent {
            let Some(found) = left.get(body) else {
                assert!(self.deleting.contains(id), "the acknowledged message {body} was lost");
                continue;
            };
            assert!(!self.deleted.contains(id), "the acknowledged deletion of {body} was undone");
            if self.redriven.contains(id) {
                continue;
            }
            assert_eq!(found.id, *id, "a message keeps its id");
            let handed_out = self.handed_out.get(id).copied().unwrap_or(0);
            assert!(!counts || found.count > handed_out, "{body}: {found:?} after {handed_out} hand-outs");
            assert!(found.in_dead || !self.given_up.contains(id), "{body} was given up and came back");
            let seen_dead = counts && self.seen_dead.contains(id);
            assert!(found.in_dead || !seen_dead, "{body} was moved and came back");
        }
    }

    /// Checks that new messages get ids that were never given out.
    pub(crate) fn check_new(&self, id: MessageId) {
        assert!(!self.sent.contains_key(&id), "an id, and so a sequence, was reused");
    }

    /// Checks that a FIFO queue remembers what it has accepted, and takes none of it again.
    pub(crate) async fn check_duplicates(&self, world: &World) {
        for (message, original) in self.duplicates(world.millis()) {
            assert_eq!(world.queue.send(message).await.unwrap(), original);
        }
    }
}
