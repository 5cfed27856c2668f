//! What the tasks of a run have seen, shared by all of them, and what must hold of it.

use std::collections::{HashMap, HashSet};

use broker_core::{Message, MessageId};
use parking_lot::Mutex;

/// The book of a run. Ids are those of messages.
#[derive(Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Bodies that a send was begun for.
    attempted: HashSet<String>,
    /// Sends that were answered.
    acked: HashSet<MessageId>,
    /// Messages that a consumer holds, which nobody else may get.
    held: HashSet<MessageId>,
    /// The newest delivery count that was handed out.
    counts: HashMap<MessageId, u32>,
    /// Messages whose delete was begun: they may be gone.
    ending: HashSet<MessageId>,
    /// Messages whose delete was answered: they are gone.
    ended: HashSet<MessageId>,
}

impl Ledger {
    pub(crate) fn attempts(&self, body: &str) {
        assert!(self.book.lock().attempted.insert(body.to_owned()));
    }

    pub(crate) fn acked(&self, id: MessageId) {
        assert!(self.book.lock().acked.insert(id), "an id was given out twice");
    }

    /// IQ2, IQ4, IQ7, IQ8: a delivery has arrived.
    pub(crate) fn delivered(&self, message: &Message) {
        let mut book = self.book.lock();
        let id = message.id;
        assert!(book.attempted.contains(message.text().unwrap()), "nobody has sent {message:?}");
        assert!(!book.ended.contains(&id), "{id} was deleted and comes again");
        assert!(book.held.insert(id), "two consumers hold {id}");
        let before = book.counts.insert(id, message.receive_count).unwrap_or(0);
        assert!(message.receive_count > before, "{id}: {} after {before}", message.receive_count);
    }

    /// A consumer is about to give a message back.
    pub(crate) fn releases(&self, id: MessageId) {
        assert!(self.book.lock().held.remove(&id));
    }

    /// A consumer that had given a message back has it again.
    pub(crate) fn holds_again(&self, id: MessageId) {
        assert!(self.book.lock().held.insert(id), "two consumers hold {id}");
    }

    pub(crate) fn ending(&self, id: MessageId) {
        self.book.lock().ending.insert(id);
    }

    /// The message is gone for good.
    pub(crate) fn ended(&self, id: MessageId) {
        let mut book = self.book.lock();
        book.held.remove(&id);
        book.ended.insert(id);
    }

    pub(crate) fn acked_count(&self) -> usize {
        self.book.lock().acked.len()
    }

    /// IQ1, in a run that has come to its end with an empty queue: what was acknowledged was delivered, and what was
    /// delivered is gone.
    pub(crate) fn nothing_is_left(&self) {
        let book = self.book.lock();
        assert!(book.held.is_empty(), "{:?}", book.held);
        assert!(book.acked.is_subset(&book.ended), "{:?}", book.acked.difference(&book.ended));
        assert_eq!(book.counts.keys().copied().collect::<HashSet<_>>(), book.ended);
        assert!(book.ended.len() <= book.attempted.len(), "something was stored twice");
    }

    /// IQ1, IQ7 across a reopening: `left` has all that was acknowledged and not being deleted, and nothing deleted.
    pub(crate) fn survived(&self, left: &HashSet<MessageId>) {
        let book = self.book.lock();
        let mut must = book.acked.difference(&book.ending);
        assert!(must.all(|id| left.contains(id)), "an acknowledged message is lost");
        assert!(left.is_disjoint(&book.ended), "a deleted message has come back");
    }
}
