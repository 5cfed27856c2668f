//! What the tasks of a scene have seen of a queue, held against what may be.
//!
//! Between what happens and its entry others may go on. So whatever may take something away is entered before it begins, and
//! whatever brings something when it is done: the book never says more than is so.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use broker_core::{Message, MessageId, SequenceNumber, Timestamp};

/// See the module. Shuttle knows nothing of it: nobody is interrupted in it.
#[derive(Default)]
pub(crate) struct Book(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    sent: BTreeSet<MessageId>,
    /// May be gone: a delete was begun.
    deleting: BTreeSet<MessageId>,
    deleted: BTreeSet<MessageId>,
    /// How often a message was received, and at least until when nobody else may get it.
    leased: HashMap<MessageId, (u32, Timestamp)>,
    groups: HashMap<String, BTreeMap<SequenceNumber, MessageId>>,
    /// Messages may be gone for another reason than a delete.
    lossy: bool,
}

/// What was so when a receive began.
pub(crate) struct Began {
    at: Timestamp,
    deleted: BTreeSet<MessageId>,
}

impl Book {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something begins that takes messages away without a delete.
    pub(crate) fn losing(&self) {
        self.entries().lossy = true;
    }

    pub(crate) fn sent(&self, id: MessageId, group: Option<&str>, number: Option<SequenceNumber>) {
        let mut book = self.entries();
        assert!(book.sent.insert(id), "{id} was sent twice");
        if let (Some(group), Some(number)) = (group, number) {
            book.groups.entry(group.to_owned()).or_default().insert(number, id);
        }
    }

    /// A receive begins.
    pub(crate) fn receiving(&self, at: Timestamp) -> Began {
        Began { at, deleted: self.entries().deleted.clone() }
    }

    /// A receive got these for `timeout_ms`, and it is not later than `now`.
    pub(crate) fn received(&self, messages: &[Message], began: &Began, timeout_ms: u64, now: Timestamp) {
        let mut book = self.entries();
        let until = Timestamp::from_millis(began.at.as_millis() + timeout_ms);
        for (at, message) in messages.iter().enumerate() {
            let id = message.id;
            assert!(!began.deleted.contains(&id), "{id} was received after its delete");
            // Who got it later may have come here earlier.
            let (count, last) = (message.receive_count, book.leased.get(&id).copied());
            assert!(
                last.is_none_or(|(before, _)| before != count),
                "{id} was received twice as number {count}"
            );
            if last.is_none_or(|(before, _)| before < count) {
                let over = last.is_none_or(|(_, end)| end <= now);
                assert!(over, "{id} was received while it was leased: {last:?}");
                book.leased.insert(id, (count, until));
            }
            if let (Some(group), Some(number)) = (&message.group_id, message.sequence_number) {
                book.in_order(group, number, &messages[..at]);
            }
        }
    }

    /// Its lease may end from now on.
    pub(crate) fn releasing(&self, id: MessageId) {
        if let Some((_, until)) = self.entries().leased.get_mut(&id) {
            *until = Timestamp::default();
        }
    }

    /// It may be gone from now on.
    pub(crate) fn deleting(&self, id: MessageId) {
        let mut book = self.entries();
        if let Some((_, until)) = book.leased.get_mut(&id) {
            *until = Timestamp::default();
        }
        book.deleting.insert(id);
    }

    pub(crate) fn deleted(&self, id: MessageId) {
        self.entries().deleted.insert(id);
    }

    /// When all is quiet: what was sent and not deleted is in the queue, or a dead letter; once.
    pub(crate) fn settle(&self, left: &[MessageId], dead: &[MessageId]) {
        let (book, there) = (self.entries(), left.iter().chain(dead).copied().collect::<BTreeSet<_>>());
        assert_eq!(there.len(), left.len() + dead.len(), "a message is there twice");
        // To delete what has become a dead letter is to find it gone.
        if let Some(id) = left.iter().find(|id| book.deleted.contains(*id)) {
            panic!("{id} was deleted and is there");
        }
        let lost = book.sent.iter().find(|id| !there.contains(*id) && !book.deleting.contains(*id));
        assert!(book.lossy || lost.is_none(), "{lost:?} was sent and is lost");
    }
}

impl Entries {
    /// Everything older in its group may be gone, or comes with it.
    fn in_order(&self, group: &str, number: SequenceNumber, with: &[Message]) {
        let older = self.groups.get(group).into_iter().flat_map(|group| group.range(..number));
        let mut waiting = older
            .filter(|(_, id)| !self.deleting.contains(*id) && !with.iter().any(|message| message.id == **id));
        let first = waiting.next().map(|(_, id)| *id);
        assert!(self.lossy || first.is_none(), "received of group {group} before the older {first:?}");
    }
}
