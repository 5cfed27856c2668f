//! What a receive may return, and what it must.

use std::collections::HashSet;

use broker_core::{MemoryBounds, Message, MessageId};

use super::line::{Item, Line};

/// A receive, and what it did. Which groups it chose is up to the queue, so the model is told and checks.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    pub(crate) max: usize,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) bounds: MemoryBounds,
    pub(crate) got: &'a [Message],
    /// What it could move to the dead-letter queue, and what it did.
    pub(crate) spent: &'a [MessageId],
    pub(crate) moved: &'a [MessageId],
}

impl Received<'_> {
    fn visited(&self, id: MessageId) -> bool {
        self.returned(id) || self.moved.contains(&id)
    }

    fn returned(&self, id: MessageId) -> bool {
        self.got.iter().any(|message| message.id == id)
    }
}

impl Line {
    /// Whose order counts: that of each group, or on a standard queue that of all messages.
    fn lane<'a>(&self, item: &'a Item) -> Option<&'a str> {
        item.group.as_deref().filter(|_| self.fifo)
    }

    /// What can be received: of each group the longest prefix that is visible.
    pub(crate) fn open(&self, now: u64) -> Vec<&Item> {
        let mut blocked = HashSet::new();
        let mut open = Vec::new();
        for item in &self.items {
            let visible = item.visible_at <= now;
            if visible && !(self.fifo && blocked.contains(&item.group)) {
                open.push(item);
            } else if !visible {
                blocked.insert(item.group.clone());
            }
        }
        open
    }

    /// Checks a receive, and takes over what it returned.
    pub(crate) fn receive(&mut self, now: u64, received: &Received<'_>) {
        self.expire(now);
        let open = self.open(now);
        let is_open = |id| open.iter().any(|item| item.id == id);
        for message in received.got {
            assert!(is_open(message.id), "{message:?} could not be received at {now}");
        }
        assert!(received.moved.iter().all(|id| is_open(*id)), "what is moved could have been received");
        self.check_order(&open, received);
        self.check_number(now, &open, received);
        let timeout_ms = received.timeout_ms.unwrap_or(self.visibility_ms);
        for message in received.got {
            self.hand_out(now, timeout_ms, message);
        }
    }

    /// Each lane is visited from its front without a gap, and what is returned comes in its order and together.
    fn check_order(&self, open: &[&Item], received: &Received<'_>) {
        let mut lanes: Vec<_> = open.iter().map(|item| self.lane(item)).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let lane_of = |message: &Message| {
            let item = open.iter().find(|item| item.id == message.id).expect("checked before");
            self.lane(item)
        };
        let last = received.got.last().map(lane_of);
        for lane in lanes {
            let of_lane: Vec<_> = open.iter().filter(|item| self.lane(item) == lane).collect();
            let visited = of_lane.iter().take_while(|item| received.visited(item.id)).count();
            let beyond = of_lane[visited..].iter().find(|item| received.visited(item.id));
            assert!(beyond.is_none(), "{beyond:?} was taken before an older one of its group");
            let expected: Vec<_> =
                of_lane.iter().map(|item| item.id).filter(|id| received.returned(*id)).collect();
            let got = || received.got.iter().filter(|message| lane_of(message) == lane);
            assert_eq!(
                got().map(|message| message.id).collect::<Vec<_>>(),
                expected,
                "the order of {lane:?}"
            );
            if let Some(first) = received.got.iter().position(|message| lane_of(message) == lane) {
                let together = received.got[first..].iter().take_while(|message| lane_of(message) == lane);
                assert_eq!(together.count(), got().count(), "messages of {lane:?} come together");
                // What is in front of anything that was taken was at hand, and so came first.
                let left = of_lane.get(visited).map(|item| item.id);
                let taken = open.iter().rposition(|item| received.visited(item.id));
                let behind = left.is_none_or(|id| open.iter().position(|item| item.id == id) > taken);
                let whole =
                    behind || last == Some(lane) || !received.moved.is_empty() || !self.order_is_known();
                assert!(whole, "{lane:?} was left before its end");
            }
        }
    }

    /// As many come as are asked for, or all that the queue can find. Fewer may come if some were spent, but not none.
    fn check_number(&self, now: u64, open: &[&Item], received: &Received<'_>) {
        let Received { max, bounds, got, spent, .. } = received;
        assert!(got.len() <= *max);
        if got.len() == *max || !(got.is_empty() || spent.is_empty()) {
            return;
        }
        // It does not look further than that behind messages of blocked groups, less far if it has found something, and
        // not behind a message whose delay has not ended.
        let looked = if got.is_empty() { bounds.searched } else { bounds.searched.min(bounds.staged + 1) };
        let looked = if self.order_is_known() { looked } else { 0 };
        let delayed = |item: &&Item| self.fifo && item.count == 0 && item.visible_at > now;
        let waiting = self.items.iter().take_while(|item| !delayed(item));
        let waiting = waiting.filter(|item| item.visible_at <= now);
        let all = !self.fifo || waiting.clone().count() <= looked;
        let mut waiting = waiting.take(if all { usize::MAX } else { looked });
        let is_open = |item: &&Item| open.iter().any(|open| open.id == item.id);
        let missed = waiting.find(|item| is_open(item) && !received.visited(item.id));
        assert!(missed.is_none(), "{missed:?} could have been received as well at {now}");
    }

    /// The order of moved messages of several groups is known when all of them have been received.
    fn order_is_known(&self) -> bool {
        let sequences = || self.items.iter().map(|item| item.sequence);
        sequences().all(|sequence| sequence.is_some()) && sequences().is_sorted()
    }

    fn hand_out(&mut self, now: u64, timeout_ms: u64, message: &Message) {
        let at = self.items.iter().position(|item| item.id == message.id).expect("checked before");
        self.learn_sequence(at, message);
        let item = &mut self.items[at];
        if item.count == 0 {
            item.first_received_at = now;
        }
        item.count += 1;
        item.received_at = now;
        item.visible_at = now + timeout_ms;
        assert_eq!(&message.body[..], item.body.as_bytes());
        assert_eq!(message.group_id, item.group);
        assert_eq!(message.deduplication_id, item.deduplication_id);
        assert_eq!(message.receive_count, item.count);
        assert_eq!(message.sent_at.as_millis(), item.sent_at);
        assert_eq!(message.first_received_at.as_millis(), item.first_received_at);
        assert_eq!(message.dead_letter.as_deref(), item.dead.as_ref());
    }

    /// The sequence number of a moved message is first seen here. It must fit between those of its group.
    fn learn_sequence(&mut self, at: usize, message: &Message) {
        let new = message.sequence_number;
        assert_eq!(new.is_some(), self.fifo);
        assert!(self.items[at].sequence.is_none_or(|known| Some(known) == new), "it keeps its number");
        self.items[at].sequence = new;
        let group = &self.items[at].group;
        let numbers: Vec<_> =
            self.items.iter().filter(|item| item.group == *group).filter_map(|item| item.sequence).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "sequence numbers follow the order: {numbers:?}");
    }
}
