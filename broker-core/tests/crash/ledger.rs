//! What the broker has promised, and what it has only been asked: the two sides that a crash must respect.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use broker_core::{Deleted, Message, MessageId, ReceiptHandle};

use crate::script::Dice;

/// The promises of one run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    next: usize,
    /// Bodies whose send was tried. Bodies are unique.
    tried: BTreeSet<String>,
    /// Sends that were acknowledged.
    sent: HashMap<MessageId, String>,
    /// Messages whose deletion was tried.
    deleting: BTreeSet<MessageId>,
    /// Deletions that were acknowledged.
    deleted: BTreeSet<MessageId>,
    /// How often each message was handed out.
    handed_out: BTreeMap<MessageId, u32>,
    receipts: Vec<(ReceiptHandle, MessageId)>,
}

impl Ledger {
    pub(crate) fn try_send(&mut self) -> String {
        self.next += 1;
        let body = format!("{}-{}", self.next, "x".repeat(self.next % 70));
        self.tried.insert(body.clone());
        body
    }

    pub(crate) fn sent(&mut self, body: String, id: MessageId) {
        assert!(self.sent.insert(id, body).is_none(), "an id is given out once");
    }

    pub(crate) fn received(&mut self, message: &Message) {
        let count = self.handed_out.entry(message.id).or_default();
        assert!(message.receive_count > *count, "counts grow with each hand-out");
        *count = message.receive_count;
        self.receipts.push((message.receipt, message.id));
    }

    pub(crate) fn pick(&self, dice: &mut Dice) -> Option<(ReceiptHandle, MessageId)> {
        let nth = dice.below(self.receipts.len().clamp(1, 8));
        self.receipts.iter().rev().nth(nth).copied()
    }

    pub(crate) fn try_delete(&mut self, id: MessageId) {
        self.deleting.insert(id);
    }

    pub(crate) fn deleted(&mut self, id: MessageId, outcome: Deleted) {
        if outcome == Deleted::Gone {
            self.deleted.insert(id);
        }
    }

    pub(crate) fn try_purge(&mut self) {
        self.deleting.extend(self.sent.keys());
    }

    pub(crate) fn purged(&mut self) {
        self.deleted.extend(self.sent.keys());
    }

    /// Checks what is left in the store against the promises. `counts`: whether delivery counts had to survive.
    pub(crate) fn check(&self, left: &BTreeMap<String, (MessageId, u32)>, counts: bool) {
        for body in left.keys() {
            assert!(self.tried.contains(body), "{body} was never sent");
        }
        for (id, body) in &self.sent {
            let found = left.get(body);
            if let Some((found, count)) = found {
                assert_eq!(found, id, "a message keeps its id");
                assert!(!self.deleted.contains(id), "the acknowledged deletion of {body} was undone");
                let handed_out = self.handed_out.get(id).copied().unwrap_or(0);
                assert!(!counts || *count > handed_out, "{body}: count {count} after {handed_out} hand-outs");
            } else {
                assert!(self.deleting.contains(id), "the acknowledged message {body} was lost");
            }
        }
    }

    /// Checks that new messages get ids that were never given out.
    pub(crate) fn check_new(&self, id: MessageId) {
        assert!(!self.sent.contains_key(&id), "an id, and so a sequence, was reused");
    }
}
