//! Looking at groups without changing them.

use super::{GroupSlot, Groups, at};

impl Groups {
    pub(in crate::queue::state) fn name(&self, slot: GroupSlot) -> &str {
        &self.slots[at(slot)].name
    }

    /// Whether some group can deliver.
    pub(in crate::queue::state) fn can_deliver(&self) -> bool {
        !self.turns.is_empty() || self.noisy.iter().any(|slot| !self.slots[at(*slot)].visible.is_empty())
    }

    /// FIFO: how many groups have visible messages in memory and can deliver none, because one before them is in flight.
    pub(in crate::queue::state) fn blocked(&self) -> usize {
        self.blocked
    }

    /// The group's first message in memory that is in flight or delayed.
    pub(in crate::queue::state) fn first_hidden(&self, name: &str) -> Option<u64> {
        self.slots[at(*self.by_name.get(name)?)].hidden.first()
    }

    /// Whether the group has visible messages in memory.
    pub(in crate::queue::state) fn has_visible(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|slot| !self.slots[at(*slot)].visible.is_empty())
    }

    /// All messages that the groups can deliver, in no particular order.
    pub(in crate::queue::state) fn free(&self) -> impl Iterator<Item = u64> {
        let groups = self.turns.values().chain(&self.noisy).map(|slot| &self.slots[at(*slot)]);
        groups.flat_map(|group| group.visible.iter().take(group.prefix(self.fifo)))
    }
}
