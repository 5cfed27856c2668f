//! What tasks have seen of a queue, held against what may be.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use broker_core::{Message, MessageId, SequenceNumber, Timestamp};

/// See the module. One thread has it, so a cell is enough.
#[derive(Default)]
pub(crate) struct Book(RefCell<Entries>);

#[derive(Default)]
struct Entries {
    sent: BTreeSet<MessageId>,
    /// May be gone: a delete was begun.
    deleting: BTreeSet<MessageId>,
    deleted: BTreeSet<MessageId>,
    /// Until when nobody else may get a message.
    leased: HashMap<MessageId, Timestamp>,
    /// The messages of each group that are known to be in the queue, in order.
    groups: HashMap<String, BTreeMap<SequenceNumber, MessageId>>,
    /// The first thing that may not be.
    wrong: Option<String>,
}

impl Book {
    pub(crate) fn wrong(&self, what: String) {
        self.0.borrow_mut().wrong.get_or_insert(what);
    }

    pub(crate) fn verdict(&self) -> Option<String> {
        self.0.borrow().wrong.clone()
    }

    pub(crate) fn sent(&self, id: MessageId, group: Option<String>, number: Option<SequenceNumber>) {
        let mut book = self.0.borrow_mut();
        book.sent.insert(id);
        if let (Some(group), Some(number)) = (group, number)
            && !book.deleting.contains(&id)
        {
            book.groups.entry(group).or_default().insert(number, id);
        }
    }

    /// A receive at `now` got these, and nobody else may until `until`.
    pub(crate) fn received(&self, messages: &[Message], now: Timestamp, until: Timestamp) {
        for (at, message) in messages.iter().enumerate() {
            let id = message.id;
            let lease = self.0.borrow_mut().leased.insert(id, until);
            if lease.is_some_and(|end| end > now) {
                self.wrong(format!("{id} was received while it was leased until {lease:?}"));
            }
            if self.0.borrow().deleted.contains(&id) {
                self.wrong(format!("{id} was received after its delete"));
            }
            if let (Some(group), Some(number)) = (&message.group_id, message.sequence_number) {
                self.in_order(group, number, &messages[..at]);
            }
        }
    }

    /// Everything older in its group is deleted, or comes with it.
    fn in_order(&self, group: &str, number: SequenceNumber, with: &[Message]) {
        let book = self.0.borrow();
        let older = book.groups.get(group).into_iter().flat_map(|group| group.range(..number));
        let mut waiting = older
            .filter(|(_, id)| !book.deleting.contains(*id) && !with.iter().any(|message| message.id == **id));
        let first = waiting.next().map(|(_, id)| *id);
        drop(book);
        if let Some(id) = first {
            self.wrong(format!("a message of group {group} was received before the older {id}"));
        }
    }

    /// Its lease may have ended from now on. Returns until when it was leased.
    pub(crate) fn releasing(&self, id: MessageId) -> Option<Timestamp> {
        self.0.borrow_mut().leased.remove(&id)
    }

    /// The lease was not ended: the message has another one, or it ended by itself.
    pub(crate) fn not_released(&self, id: MessageId, until: Option<Timestamp>) {
        if let Some(until) = until {
            self.0.borrow_mut().leased.entry(id).or_insert(until);
        }
    }

    /// When all is quiet: so many messages are in flight, and each of them was received by somebody.
    pub(crate) fn in_flight(&self, count: u64, now: Timestamp) {
        let book = self.0.borrow();
        let known =
            book.leased.iter().filter(|(id, end)| **end > now && !book.deleted.contains(*id)).count() as u64;
        drop(book);
        if count > known {
            self.wrong(format!("{count} messages are in flight, and {known} were received"));
        }
    }

    pub(crate) fn deleting(&self, id: MessageId) {
        self.0.borrow_mut().deleting.insert(id);
    }

    pub(crate) fn deleted(&self, id: MessageId) {
        self.0.borrow_mut().deleted.insert(id);
    }

    /// A delete that was refused changed nothing.
    pub(crate) fn not_deleted(&self, id: MessageId) {
        self.0.borrow_mut().deleting.remove(&id);
    }

    /// At the end: what was sent and not deleted is there, once.
    pub(crate) fn settle(&self, left: &[MessageId]) {
        let there: BTreeSet<_> = left.iter().copied().collect();
        let book = self.0.borrow();
        let lost = book.sent.iter().find(|id| !there.contains(*id) && !book.deleting.contains(*id)).copied();
        let back = there.iter().find(|id| book.deleted.contains(*id)).copied();
        drop(book);
        if let Some(id) = lost {
            self.wrong(format!("{id} was sent and is lost"));
        }
        if let Some(id) = back {
            self.wrong(format!("{id} was deleted and is there"));
        }
        if there.len() != left.len() {
            self.wrong("a message is there twice".into());
        }
    }
}
