//! Who gets which leases: every worker about as many (rule K81). Pure, as the rest of the state.

use super::state::GroupState;
use crate::stream::state::StreamState;

impl GroupState {
    /// Takes what is this worker's share: free leases first, then those of workers that were not heard of; and asks the worker
    /// with the most for one if there are none (rule K81). Returns whether somebody must be told.
    pub(crate) fn take_share(&mut self, worker: u64, stream: &StreamState, now: u64) -> bool {
        let due: Vec<u32> =
            self.leases.keys().copied().filter(|number| self.is_due(*number, stream)).collect();
        let holder = |state: &Self, number: u32| state.leases[&number].holder;
        let is_free = |number: &u32| holder(self, *number).is_none_or(|one| self.has_expired(&one, now));
        let free: Vec<u32> = due.iter().copied().filter(is_free).collect();
        let stalled = |of: u64| {
            let its =
                due.iter().filter_map(|number| holder(self, *number)).filter(move |one| one.worker == of);
            its.into_iter().any(|holder| self.has_expired(&holder, now))
        };
        let working = self.workers.keys().filter(|of| **of == worker || !stalled(**of)).count().max(1);
        let target = due.len().div_ceil(working);
        let count = |state: &Self, of: u64| {
            due.iter().filter(|number| holder(state, **number).is_some_and(|one| one.worker == of)).count()
        };
        let mut mine = count(self, worker);
        for number in free {
            if mine >= target {
                break;
            }
            let before = self.take(number, worker);
            mine += usize::from(before.is_none_or(|before| before.worker != worker));
        }
        // Somebody has been asked already: one after the other.
        let asked =
            due.iter().any(|number| holder(self, *number).is_some_and(|one| one.asked_back_for.is_some()));
        if mine >= target || asked {
            return false;
        }
        let richest = self.workers.keys().copied().filter(|of| *of != worker);
        let richest = richest.max_by_key(|of| count(self, *of)).filter(|of| count(self, *of) > mine + 1);
        let Some(richest) = richest else { return false };
        let one = due.iter().find(|number| holder(self, **number).is_some_and(|one| one.worker == richest));
        if let Some(holder) =
            one.and_then(|one| self.leases.get_mut(one)).and_then(|lease| lease.holder.as_mut())
        {
            holder.asked_back_for = Some(worker);
            self.changed();
            return true;
        }
        false
    }
}
