//! What the tasks of a run with message groups have seen, and what must hold of it.

use std::collections::{HashMap, HashSet};

use broker_core::Message;

/// How often a message is delivered before it goes to the dead-letter queue.
pub(crate) const DELIVERIES_MAX: u32 = 3;

/// A group, and the number of a message in it.
pub(crate) type Place = (usize, usize);

/// Where a message belongs, which its body says.
pub(crate) fn place(message: &Message) -> Place {
    let (group, number) = message.text().unwrap().split_once('-').unwrap();
    assert_eq!(message.group_id.as_deref(), Some(group));
    (group.parse().unwrap(), number.parse().unwrap())
}

/// What became of each message so far.
#[derive(Default)]
pub(crate) struct Book {
    /// The newest delivery count that was handed out.
    counts: HashMap<Place, u32>,
    /// Messages that a consumer holds, which nobody else may get.
    held: HashSet<Place>,
    /// Messages that their consumer has begun to delete or to give up.
    ending: HashSet<Place>,
    /// Messages that are out of the queue: deleted, or given up.
    ended: HashMap<Place, bool>,
}

impl Book {
    /// A receive has arrived. Its messages were delivered together.
    pub(crate) fn delivered(&mut self, got: &[Message]) {
        let places: Vec<_> = got.iter().map(place).collect();
        for (at, message) in got.iter().enumerate() {
            let (group, number) = places[at];
            assert!(!self.ended.contains_key(&places[at]), "{message:?} was ended and comes again");
            assert!(self.held.insert(places[at]), "two consumers hold {message:?}");
            let before = self.counts.insert(places[at], message.receive_count).unwrap_or(0);
            let count = message.receive_count;
            assert!(before < count && count <= DELIVERIES_MAX, "{message:?} after {before} deliveries");
            for older in (0..number).map(|number| (group, number)) {
                let together = places[..at].contains(&older);
                assert!(together || self.may_be_out(older), "{message:?} overtakes {older:?}");
            }
        }
    }

    /// Whether the message may be deleted, or moved because it was received too often.
    fn may_be_out(&self, place: Place) -> bool {
        let too_often = self.counts.get(&place).is_some_and(|count| *count >= DELIVERIES_MAX);
        self.ending.contains(&place) || (too_often && !self.held.contains(&place))
    }

    /// A consumer is about to give a message back, or never to be heard of again.
    pub(crate) fn released(&mut self, place: Place) {
        assert!(self.held.remove(&place));
    }

    /// A consumer that had given a message back has it again.
    pub(crate) fn holds_again(&mut self, place: Place) {
        assert!(self.held.insert(place), "two consumers hold {place:?}");
    }

    pub(crate) fn ending(&mut self, place: Place) {
        self.ending.insert(place);
    }

    /// The message is out of the queue: deleted, or else given up.
    pub(crate) fn ended(&mut self, place: Place, deleted: bool) {
        self.held.remove(&place);
        assert!(self.ended.insert(place, deleted).is_none(), "{place:?} was ended twice");
    }

    /// The queue is empty, and this is what the dead-letter queue had of the message.
    pub(crate) fn check_end(&self, place: Place, dead: Option<Message>) {
        let Some(message) = dead else {
            return assert_eq!(self.ended.get(&place), Some(&true), "{place:?} is lost");
        };
        let why = message.dead_letter.expect("why it is there");
        match self.ended.get(&place) {
            Some(deleted) => assert!(!deleted && why.reason.is_some(), "{place:?} was deleted and is there"),
            None => assert_eq!((why.receive_count, why.reason), (DELIVERIES_MAX, None), "{place:?}"),
        }
    }
}
