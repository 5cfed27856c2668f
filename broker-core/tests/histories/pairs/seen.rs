//! What shows of the two queues without a receive: every message with what it is doing, counters, settings. What the
//! broker shows is compared with what the model has, after each step.

use std::collections::HashSet;

use broker_core::{
    DeadLetter, EmptyReason, Explanation, MessageId, Peeked, QueueCounters, SequenceNumber, Timestamp,
};

use super::line::{Item, Line};

/// What a message is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Visible,
    Spent,
    InFlight { until: u64, delivery: u32 },
    Delayed { until: u64 },
    Blocked { behind: MessageId },
}

/// A message as it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: MessageId,
    pub(crate) state: State,
    body: String,
    group: Option<String>,
    deduplication_id: Option<String>,
    sent_at: u64,
    first_received_at: Option<u64>,
    count: u32,
    dead: Option<DeadLetter>,
}

/// What shows of both queues.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) counters: [QueueCounters; 2],
    pub(crate) retention_ms: [u64; 2],
    pub(crate) delay_ms: u64,
    pub(crate) limit: Option<u32>,
    /// In the order of the queue.
    pub(crate) messages: [Vec<Seen>; 2],
}

impl State {
    pub(crate) fn of(explanation: &Explanation) -> Option<Self> {
        Some(match explanation {
            Explanation::Visible => Self::Visible,
            Explanation::Spent { .. } => Self::Spent,
            Explanation::InFlight { until, delivery } => {
                Self::InFlight { until: until.as_millis(), delivery: *delivery }
            }
            Explanation::Delayed { until } => Self::Delayed { until: until.as_millis() },
            Explanation::Blocked { behind, .. } => Self::Blocked { behind: *behind },
            _ => return None,
        })
    }
}

impl Seen {
    pub(crate) fn of(peeked: Peeked) -> Self {
        Self {
            id: peeked.id,
            state: State::of(&peeked.state).expect("it is in the queue"),
            body: String::from_utf8(peeked.body.to_vec()).unwrap(),
            group: peeked.group_id,
            deduplication_id: peeked.deduplication_id,
            sent_at: peeked.sent_at.as_millis(),
            first_received_at: peeked.first_received_at.map(Timestamp::as_millis),
            count: peeked.receive_count,
            dead: peeked.dead_letter.map(|why| *why),
        }
    }
}

impl Line {
    /// The messages as they should show. `limit`: how often each may be received.
    pub(crate) fn seen(&self, now: u64, limit: Option<u32>) -> Vec<Seen> {
        let seen = |item: &Item| Seen {
            id: item.id,
            state: self.state(now, limit, item),
            body: item.body.clone(),
            group: item.group.clone(),
            deduplication_id: item.deduplication_id.clone(),
            sent_at: item.sent_at,
            first_received_at: (item.count > 0).then_some(item.first_received_at),
            count: item.count,
            dead: item.dead.clone(),
        };
        self.items.iter().map(seen).collect()
    }

    fn state(&self, now: u64, limit: Option<u32>, item: &Item) -> State {
        let until = item.visible_at;
        if until > now {
            let before = item.dead.as_ref().map_or(0, |why| why.receive_count);
            return match item.count {
                0 => State::Delayed { until },
                count => State::InFlight { until, delivery: count - before },
            };
        }
        let of_group = self.items.iter().filter(|other| self.fifo && other.group == item.group);
        let mut older = of_group.take_while(|other| other.id != item.id);
        match older.find(|older| older.visible_at > now) {
            Some(first) => State::Blocked { behind: first.id },
            None if limit.is_some_and(|limit| item.count >= limit) => State::Spent,
            None => State::Visible,
        }
    }

    /// The order of moved messages of several groups, and the sequence numbers of all, are up to the queue. Takes them
    /// over, unless they contradict what is known.
    pub(crate) fn adopt(&mut self, order: &[(MessageId, SequenceNumber)]) -> bool {
        if !self.fifo {
            return true;
        }
        let mut items = self.items.clone();
        for item in &mut items {
            let Some((_, sequence)) = order.iter().find(|(id, _)| *id == item.id) else { return false };
            if item.sequence.is_some_and(|known| known != *sequence) {
                return false;
            }
            item.sequence = Some(*sequence);
        }
        items.sort_by_key(|item| item.sequence);
        let of_group = |items: &[Item], group: &Option<String>| {
            items.iter().filter(|item| item.group == *group).map(|item| item.id).collect::<Vec<_>>()
        };
        let same = |item: &Item| of_group(&items, &item.group) == of_group(&self.items, &item.group);
        if !self.items.iter().all(same) {
            return false;
        }
        self.items = items;
        true
    }

    /// When the oldest message came into the queue.
    pub(crate) fn oldest(&self) -> Option<u64> {
        let came = |item: &Item| item.dead.as_ref().map_or(item.sent_at, |why| why.moved_at.as_millis());
        self.items.iter().map(came).min()
    }

    /// How many groups have visible messages and can deliver none.
    pub(crate) fn groups_blocked(&self, now: u64) -> usize {
        let seen = self.seen(now, None);
        let groups = |state: fn(&State) -> bool| -> HashSet<_> {
            seen.iter().filter(|seen| state(&seen.state)).map(|seen| &seen.group).collect()
        };
        let open = groups(|state| *state == State::Visible);
        groups(|state| matches!(state, State::Blocked { .. })).difference(&open).count()
    }

    /// Whether this is the reason why a receive finds nothing.
    pub(crate) fn explains(&self, now: u64, limit: Option<u32>, reason: &EmptyReason) -> bool {
        let seen = self.seen(now, limit);
        let any = |state: &dyn Fn(&State) -> bool| seen.iter().any(|seen| state(&seen.state));
        match reason {
            EmptyReason::NotEmpty => any(&|state| *state == State::Visible),
            EmptyReason::NoMessages => seen.is_empty(),
            _ if seen.is_empty() || any(&|state| *state == State::Visible) => false,
            EmptyReason::OnlySpent { .. } => any(&|state| *state == State::Spent),
            _ if any(&|state| *state == State::Spent) => false,
            EmptyReason::Blocked { .. } => any(&|state| matches!(state, State::Blocked { .. })),
            EmptyReason::NoneVisible => !any(&|state| matches!(state, State::Blocked { .. })),
            _ => false,
        }
    }
}
