//! What a transaction has to do with besides what it names: the queues of the topics, and how large all of it is.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    Transaction,
    by_id::ById,
    step::{Staged, What},
};
use crate::{
    error::Result,
    queue::{LocalQueue, shell::QueueCell},
    sync::AsyncMutexGuard,
    topic::shell::{Plan, TopicCell, in_order, place_in},
};

/// Mostly there are no more of them.
type Queues = SmallVec<[Arc<QueueCell>; 4]>;

/// Everything that takes part in a transaction, as things are now.
pub(super) struct Parts {
    /// What is published to whom, by the topics' ids.
    pub(super) plans: ById<Plan, 0>,
    /// In the order of their ids.
    topics: Vec<Arc<TopicCell>>,
    /// The queues that dead letters go to, by the ids of the queues that they come from.
    pub(super) dead: ById<Arc<QueueCell>>,
    /// All queues, in the order of their ids.
    pub(super) cells: Queues,
    /// About how much the store will grow.
    pub(super) bytes: usize,
}

impl Transaction {
    /// Lets the filters decide, and finds the queues.
    pub(super) fn parts(&self) -> Result<Parts> {
        let mut plans = ById::default();
        let mut bytes = self.0.added;
        for (id, part) in self.0.topics.iter() {
            let plan = part.plan().map_err(|error| self.rejected(first(&self.0.staged, id), error))?;
            let copies = plan.routes.len().div_ceil(part.drafts.len().max(1));
            bytes = bytes.saturating_add(part.bytes.saturating_mul(copies));
            plans.push(id, plan);
        }
        let dead = self.dead_letter_queues()?;
        let named = self.0.queues.values();
        let cells: Queues = if plans.is_empty() && dead.is_empty() {
            named.cloned().collect()
        } else {
            in_order(named.chain(dead.values()).chain(plans.values().flat_map(|plan: &Plan| &plan.cells)))
                .into()
        };
        for (_, plan) in plans.iter_mut() {
            plan.widen(&cells);
        }
        let topics = self.0.topics.values().map(|part| part.topic.cell.clone()).collect();
        Ok(Parts { plans, topics, dead, cells, bytes })
    }

    fn dead_letter_queues(&self) -> Result<ById<Arc<QueueCell>>> {
        let mut dead = ById::default();
        for Staged { number, what } in &self.0.staged {
            let What::Settle(id, settlement) = what else { continue };
            if settlement.is_move() && dead.get(*id).is_none() {
                let queue = LocalQueue { cell: self.0.queues[*id].clone(), broker: self.0.broker.clone() };
                let target = queue.dead_letter_queue();
                let target =
                    target.ok_or_else(|| self.rejected(*number, queue.cell.no_dead_letter_queue()))?;
                dead.or_insert_with(*id, || target);
            }
        }
        Ok(dead)
    }
}

/// The number of the first operation on the queue, topic or stream of this id.
pub(super) fn first(staged: &[Staged], owner: u64) -> usize {
    staged.iter().find(|staged| staged.what.owner() == owner).map_or(0, |staged| staged.number)
}

impl Parts {
    /// Where a queue is among the queues.
    pub(super) fn place(&self, cell: &Arc<QueueCell>) -> usize {
        place_in(&self.cells, Some(cell)).expect("every queue takes part")
    }

    /// Takes the turn to look up ids of all topics and of all FIFO queues, always in this order: what is found then stays so
    /// until it is used.
    pub(super) async fn turns(&self) -> Vec<AsyncMutexGuard<'_, ()>> {
        let mut turns = Vec::new();
        for topic in &self.topics {
            turns.push(topic.looking_up.lock().await);
        }
        for cell in self.cells.iter().filter(|cell| cell.is_fifo()) {
            turns.push(cell.looking_up.lock().await);
        }
        turns
    }
}
