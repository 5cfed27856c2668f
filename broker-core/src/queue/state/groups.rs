//! Message groups: which message may be received next.
//!
//! On a FIFO queue a group delivers the longest prefix of visible messages that it has in memory (rule F30), and groups
//! that can deliver take turns (F33). On a standard queue a group is a tenant of a fair queue: its messages are received
//! in the order of sending among all others, unless the tenant is noisy (Q101).

mod look;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    num::NonZeroU32,
    sync::Arc,
};

use super::{
    fairness::{Fairness, Tenant},
    ordered::Ordered,
};
use crate::seeded::seeded;

/// So many groups without messages stay known.
const EMPTY_KEPT: usize = 1_024;

/// A group that has messages in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupSlot(NonZeroU32);

#[derive(Debug)]
struct Group {
    name: Arc<str>,
    /// What can be received, as far as this message alone is concerned.
    visible: Ordered,
    /// What is in flight or delayed.
    hidden: Ordered,
    in_flight: usize,
    /// Its key among the turns, if it can deliver and is not noisy.
    turn: Option<u64>,
    /// FIFO: it has visible messages and can deliver none.
    blocked: bool,
    /// Whether it is among the emptied groups.
    emptied: bool,
    tenant: Tenant,
}

/// The groups that have messages in memory.
#[derive(Debug)]
pub(super) struct Groups {
    fifo: bool,
    by_name: HashMap<Arc<str>, GroupSlot>,
    slots: Vec<Group>,
    free: Vec<GroupSlot>,
    /// Groups that have lost their last message and may have got another since.
    emptied: VecDeque<GroupSlot>,
    /// FIFO: in the order of becoming able to deliver. Standard: by the first visible message.
    turns: BTreeMap<u64, GroupSlot>,
    turns_given: u64,
    /// How many groups are blocked.
    blocked: usize,
    noisy: Vec<GroupSlot>,
    pub(super) fairness: Fairness,
}

impl Groups {
    pub(super) fn new(fifo: bool) -> Self {
        Self {
            fifo,
            by_name: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            emptied: VecDeque::new(),
            turns: BTreeMap::new(),
            turns_given: 0,
            blocked: 0,
            noisy: Vec::new(),
            fairness: Fairness::default(),
        }
    }

    /// The group of this name, to which a message is about to be added.
    pub(super) fn enter(&mut self, name: &str) -> GroupSlot {
        if let Some(slot) = self.by_name.get(name) {
            return *slot;
        }
        let name: Arc<str> = name.into();
        let group = Group {
            name: name.clone(),
            visible: Ordered::default(),
            hidden: Ordered::default(),
            in_flight: 0,
            turn: None,
            blocked: false,
            emptied: true,
            tenant: Tenant::default(),
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[at(slot)] = group;
            slot
        } else {
            self.slots.push(group);
            let number = u32::try_from(self.slots.len()).ok().and_then(NonZeroU32::new);
            GroupSlot(number.expect("memory holds far fewer groups than 4 billion"))
        };
        self.by_name.insert(name, slot);
        self.emptied.push_back(slot);
        slot
    }

    /// Adds a message that can be received.
    pub(super) fn show(&mut self, slot: GroupSlot, seq: u64) {
        self.slots[at(slot)].visible.insert(seq);
        self.refresh(slot);
    }

    /// Adds a message that is in flight or delayed.
    pub(super) fn hide(&mut self, slot: GroupSlot, seq: u64, in_flight: bool) {
        let group = &mut self.slots[at(slot)];
        group.hidden.insert(seq);
        group.in_flight += usize::from(in_flight);
        self.refresh(slot);
    }

    /// Removes a message that can be received.
    pub(super) fn remove_shown(&mut self, slot: GroupSlot, seq: u64) {
        self.slots[at(slot)].visible.remove(seq);
        self.note_emptied(slot);
        self.refresh(slot);
    }

    /// Removes a message that is in flight or delayed.
    pub(super) fn remove_hidden(&mut self, slot: GroupSlot, seq: u64, in_flight: bool) {
        let group = &mut self.slots[at(slot)];
        group.hidden.remove(seq);
        group.in_flight -= usize::from(in_flight);
        self.note_emptied(slot);
        self.refresh(slot);
    }

    /// Somebody has sent to the group.
    pub(super) fn note_sent(&mut self, slot: GroupSlot, sent_at: u64) {
        self.slots[at(slot)].tenant.note_sent(sent_at);
    }

    /// A message of the group was worked on for so long.
    pub(super) fn note_work(&mut self, slot: Option<GroupSlot>, work_ms: u64, now: u64) {
        if !self.fifo && (slot.is_some() || !self.by_name.is_empty()) {
            let name = slot.map(|slot| &self.slots[at(slot)].name);
            self.fairness.note_work(name, work_ms, now);
        }
    }

    fn note_emptied(&mut self, slot: GroupSlot) {
        let group = &mut self.slots[at(slot)];
        if group.is_empty() && !std::mem::replace(&mut group.emptied, true) {
            self.emptied.push_back(slot);
        }
    }

    /// Forgets the groups that have no messages, all but the last ones: those are soon needed again.
    pub(super) fn forget_empty(&mut self) {
        while self.emptied.len() > EMPTY_KEPT
            && let Some(slot) = self.emptied.pop_front()
        {
            let group = &mut self.slots[at(slot)];
            group.emptied = false;
            if group.is_empty() {
                self.by_name.remove(&group.name);
                if std::mem::take(&mut group.tenant.noisy) {
                    self.noisy.retain(|noisy| *noisy != slot);
                }
                self.free.push(slot);
            }
        }
    }

    /// How many messages the groups can deliver, those of noisy tenants left out; does not count beyond `enough`.
    pub(super) fn deliverable(&mut self, now: u64, in_flight: usize, enough: usize) -> usize {
        self.hush(now, in_flight, enough);
        let mut count = 0;
        for slot in self.turns.values() {
            if count >= enough {
                break;
            }
            count += self.slots[at(*slot)].prefix(self.fifo);
        }
        count
    }

    /// Puts into `run` what is to be received next: of a FIFO queue as many messages of one group as may be, of a
    /// standard queue one. `other` is the first message that can be received and has no group.
    pub(super) fn next_run(
        &mut self,
        now: u64,
        in_flight: usize,
        want: usize,
        other: Option<u64>,
        run: &mut Vec<u64>,
    ) {
        self.hush(now, in_flight, 1);
        let first = self.turns.first_key_value().map(|(turn, slot)| (*turn, *slot));
        match (first, other) {
            (Some((_, slot)), _) if self.fifo => {
                let group = &self.slots[at(slot)];
                group.visible.extend_first(group.prefix(true).min(want), run);
            }
            (Some((first, _)), Some(other)) => run.push(first.min(other)),
            (Some((only, _)), None) | (None, Some(only)) => run.push(only),
            (None, None) => {
                let waiting = self.noisy.iter().map(|slot| &self.slots[at(*slot)]);
                let waiting = waiting.filter(|group| !group.visible.is_empty());
                // Rule Q102.
                let least = waiting.min_by_key(|group| (group.in_flight, group.visible.first()));
                run.extend(least.and_then(|group| group.visible.first()));
            }
        }
    }

    /// Takes the turns of noisy tenants away, as far as they are among the next `enough` messages, and gives back those
    /// of tenants that are no longer noisy.
    fn hush(&mut self, now: u64, in_flight: usize, enough: usize) {
        if self.fifo {
            return;
        }
        for place in (0..self.noisy.len()).rev() {
            let slot = self.noisy[place];
            let group = &mut self.slots[at(slot)];
            if group.visible.is_empty() || !group.tenant.sends(now) {
                group.tenant.noisy = false;
                self.noisy.swap_remove(place);
                self.refresh(slot);
            }
        }
        let mut count = 0;
        let mut after = None;
        while count < enough {
            let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let next = self.turns.range((from, std::ops::Bound::Unbounded)).next();
            let Some((turn, slot)) = next.map(|(turn, slot)| (*turn, *slot)) else { return };
            after = Some(turn);
            let group = &mut self.slots[at(slot)];
            let mine = group.in_flight;
            if group.tenant.sends(now) && self.fairness.is_noisy(&group.name, mine, in_flight, now) {
                group.tenant.noisy = true;
                self.noisy.push(slot);
                self.refresh(slot);
            } else {
                count += group.visible.len();
            }
        }
    }

    /// Gives the group its turn, or takes it away.
    fn refresh(&mut self, slot: GroupSlot) {
        let group = &mut self.slots[at(slot)];
        let turn = if self.fifo {
            (group.prefix(true) > 0).then(|| group.turn.unwrap_or(self.turns_given))
        } else {
            group.visible.first().filter(|_| !group.tenant.noisy)
        };
        let blocked = self.fifo && turn.is_none() && !group.visible.is_empty();
        if blocked != std::mem::replace(&mut group.blocked, blocked) {
            self.blocked = if blocked { self.blocked + 1 } else { self.blocked - 1 };
        }
        if turn == group.turn {
            return;
        }
        if let Some(old) = group.turn {
            self.turns.remove(&old);
        }
        if let Some(new) = turn {
            self.turns.insert(new, slot);
            self.turns_given += 1;
        }
        group.turn = turn;
    }
}

impl Group {
    fn is_empty(&self) -> bool {
        self.visible.is_empty() && self.hidden.is_empty()
    }

    /// How many messages the group can deliver now.
    fn prefix(&self, fifo: bool) -> usize {
        match self.hidden.first() {
            Some(hidden) if fifo && !seeded("group-not-locked") => self.visible.count_below(hidden),
            _ => self.visible.len(),
        }
    }
}

fn at(slot: GroupSlot) -> usize {
    slot.0.get() as usize - 1
}

#[cfg(test)]
mod tests;
