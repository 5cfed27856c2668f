//! Which user keys were changed lately: what a transaction needs to know whether what it has read still holds. Plain data.
//!
//! Each commit that changes keys is a *version*. A transaction notes as of which version its reads hold; when it commits, none of
//! what it has read may have changed since. So a change is remembered as long as a transaction is open that is older, and as long
//! as it is not committed, since a read of the store does not find it before. Nothing of this is stored: after a restart
//! there are no open transactions.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use crate::pipeline::Ticket;

/// At most so many changes are remembered for the sake of a transaction that stays open: one that is older is taken for
/// overtaken, at some ten megabytes.
const CHANGES_MAX: usize = 100_000;
/// The same for the bytes of their keys.
const CHANGED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Stored keys from `from` on, `to` not included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
}

impl KeyRange {
    /// One key alone.
    pub(crate) fn one(key: Vec<u8>) -> Self {
        let to = behind(&key);
        Self { from: key, to }
    }
}

/// The first key behind this one.
pub(crate) fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The last change of a key.
struct Change {
    version: u64,
    ticket: Ticket,
}

/// The changes that still matter.
#[derive(Default)]
pub(crate) struct History {
    /// How many commits have changed keys.
    version: u64,
    changed: BTreeMap<Arc<[u8]>, Change>,
    /// All changes, oldest first; those that a later one has overtaken too.
    order: VecDeque<(u64, Arc<[u8]>)>,
    /// The bytes of the keys in `order`.
    bytes: usize,
    /// Changes up to this version may be forgotten although somebody asks for them, and the last of those.
    forgotten: u64,
    forgotten_ticket: Ticket,
    /// As of which versions the reads of open transactions hold, and of how many.
    readers: BTreeMap<u64, usize>,
}

impl History {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// These keys were changed by one commit, which is on its way or done.
    pub(crate) fn note<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>, ticket: &Ticket, completed: u64) {
        self.version += 1;
        if self.readers.is_empty() && ticket.number() <= completed {
            // Nobody has read anything, and every read will find it.
            return;
        }
        for key in keys {
            let key: Arc<[u8]> = key.into();
            self.bytes += key.len();
            self.order.push_back((self.version, key.clone()));
            self.changed.insert(key, Change { version: self.version, ticket: ticket.clone() });
        }
        self.forget(completed);
    }

    /// The newest commit on its way that changes something in a range.
    pub(crate) fn pending(&self, range: &KeyRange, completed: u64) -> Option<Ticket> {
        let changes = self.changes(range).map(|change| &change.ticket);
        let tickets = changes.chain([&self.forgotten_ticket]);
        tickets.filter(|ticket| ticket.number() > completed).max_by_key(|ticket| ticket.number()).cloned()
    }

    /// Whether nothing in a range was changed after this version, as far as that is known for certain.
    pub(crate) fn is_unchanged(&self, range: &KeyRange, since: u64) -> bool {
        since == self.version
            || since >= self.forgotten && self.changes(range).all(|change| change.version <= since)
    }

    fn changes(&self, range: &KeyRange) -> impl Iterator<Item = &Change> {
        let to = range.to.as_slice();
        let bounds = (Bound::Included(range.from.as_slice()), Bound::Excluded(to));
        // An inverted range is empty, and would panic.
        let changes = (range.from.as_slice() < to).then(|| self.changed.range::<[u8], _>(bounds));
        changes.into_iter().flatten().map(|(_, change)| change)
    }

    /// A transaction has read as of this version: later changes are remembered until it [leaves](Self::leave).
    pub(crate) fn join(&mut self, version: u64) {
        *self.readers.entry(version).or_default() += 1;
    }

    pub(crate) fn leave(&mut self, version: u64, completed: u64) {
        if let Some(count) = self.readers.get_mut(&version) {
            *count -= 1;
            if *count == 0 {
                self.readers.remove(&version);
            }
        }
        self.forget(completed);
    }

    /// Forgets what no open transaction asks for and every read finds; and the oldest, if that is too much.
    fn forget(&mut self, completed: u64) {
        let asked_from = self.readers.first_key_value().map_or(u64::MAX, |(version, _)| *version);
        while let Some((version, key)) = self.order.front() {
            let version = *version;
            let last = self.changed.get(key).filter(|change| change.version == version);
            let on_its_way = last.is_some_and(|change| change.ticket.number() > completed);
            let needed = version > asked_from || on_its_way;
            if needed && self.order.len() <= CHANGES_MAX && self.bytes <= CHANGED_BYTES_MAX {
                return;
            }
            if needed {
                self.forgotten = version;
                self.forgotten_ticket =
                    last.map_or_else(|| self.forgotten_ticket.clone(), |it| it.ticket.clone());
            }
            if last.is_some() {
                self.changed.remove(key);
            }
            self.bytes -= key.len();
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(history: &mut History, keys: &[&str]) {
        history.note(keys.iter().map(|key| key.as_bytes()), &Ticket::default(), 0);
    }

    fn range(from: &str, to: &str) -> KeyRange {
        KeyRange { from: from.into(), to: to.into() }
    }

    #[test]
    fn a_change_in_the_range_after_the_read_is_known() {
        let mut history = History::default();
        history.join(0);
        note(&mut history, &["b"]);
        assert!(!history.is_unchanged(&KeyRange::one("b".into()), 0));
        assert!(history.is_unchanged(&KeyRange::one("b".into()), 1));
        assert!(!history.is_unchanged(&range("a", "c"), 0));
        assert!(history.is_unchanged(&range("a", "b"), 0), "`to` is not included");
        assert!(history.is_unchanged(&range("c", "a"), 0), "an inverted range is empty");
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut history = History::default();
        note(&mut history, &["a", "b"]);
        assert!(history.changed.is_empty() && history.order.is_empty() && history.bytes == 0);
        history.join(1);
        note(&mut history, &["a"]);
        note(&mut history, &["a"]);
        assert_eq!((history.changed.len(), history.order.len()), (1, 2));
        history.join(2);
        history.leave(1, 0);
        assert_eq!((history.changed.len(), history.order.len()), (1, 1), "version 3 is newer than 2");
        assert!(!history.is_unchanged(&KeyRange::one("a".into()), 2));
        history.leave(2, 0);
        assert!(history.changed.is_empty() && history.readers.is_empty());
        assert_eq!(history.bytes, 0);
    }

    #[test]
    fn a_commit_that_is_done_is_not_pending() {
        let mut history = History::default();
        history.join(0);
        note(&mut history, &["a"]);
        assert!(history.pending(&KeyRange::one("a".into()), 0).is_none());
    }

    #[test]
    fn one_that_stays_open_for_too_long_is_taken_for_overtaken() {
        let mut history = History::default();
        history.join(0);
        for number in 0..=CHANGES_MAX {
            note(&mut history, &[&format!("k{number}")]);
        }
        assert!(history.order.len() <= CHANGES_MAX);
        assert!(!history.is_unchanged(&KeyRange::one("other".into()), 0), "nobody knows any more");
        assert!(history.is_unchanged(&KeyRange::one("other".into()), 1));
    }
}
