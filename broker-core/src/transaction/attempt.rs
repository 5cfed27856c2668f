//! An attempt to commit: takes the locks in their order, lets the step decide, and tells everybody.

use super::{
    Committed, Inner, Outcome, Transaction,
    commit::Tried,
    owners::{Groups, Owners, Refused, group_of},
    plan::{Parts, first},
    rejected,
    step::{Known, Named, Step, Submitted, What},
};
use crate::{
    error::{Error, Result},
    pipeline::Admission,
    queue::{
        message::Sent,
        shell::{Operation, QueueCell},
    },
    reclaim,
    seeded::seeded,
    storage::{Batch, Durability},
    stream::LocalStream,
};

fn is_duplicate(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Sent(Sent { duplicate: true, .. }))
}

/// Whether this may have written nothing.
fn is_idle(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done) || is_duplicate(outcome)
}

impl Transaction {
    /// Commits, unless something must be read first or has changed: then nothing has happened.
    pub(super) fn attempt(
        &mut self,
        parts: &Parts,
        known: &mut Known,
        admission: Option<Admission<'_>>,
    ) -> Result<Tried> {
        let groups = self.groups();
        let Inner { broker, kinds, staged, queues, topics, streams, reads, writes, durability, .. } =
            &mut *self.0;
        let engine = broker.engine();
        let pipeline = &engine.pipeline;
        let owners = match Owners::lock(topics, streams, &groups, parts, pipeline.completed()) {
            Ok(owners) => owners,
            Err(Refused::Changed) => return Ok(Tried::Changed),
            Err(Refused::Gone(id, error)) => return Err(rejected(kinds, first(staged, id), error)),
        };
        let keys = if writes.is_empty() { Durability::Memory } else { Durability::Synced };
        // A move is never less durable than a receive.
        let moves = if parts.dead.is_empty() { Durability::Memory } else { Durability::Buffered };
        let others = owners.durability().max(keys).max(moves);
        let durability = |queues: Durability| durability.unwrap_or(queues.max(others));
        // Those that have to do with no key do not wait for those that have.
        let keys_matter = !(reads.is_empty() && writes.is_empty());
        let mut history = keys_matter.then(|| engine.user_keys.lock());
        let named = Named { queues, topics, streams };
        let mut step = Step::new((kinds, staged), named, parts, known, owners);
        let decide = |ops: &mut [Operation<'_>], (now, batch): (u64, &mut Batch)| {
            let decided = step.run(ops, (reads, writes, history.as_deref()), now, batch);
            if seeded("transaction-in-two-commits") && matches!(decided, Ok(Ok(_))) {
                let _ = pipeline.submit(batch, Durability::Buffered, None)?;
            }
            decided
        };
        let done = QueueCell::operate_all(engine, &parts.cells, durability, admission, decide);
        let (decided, ticket) = match done {
            Err(Error::QueueDoesNotExist { name }) => {
                // One that only a topic names is another one next time.
                let Some(queue) = queues.values().find(|queue| queue.name == name) else {
                    return Ok(Tried::Changed);
                };
                let number = first(step.staged, queue.id);
                return Err(rejected(kinds, number, Error::QueueDoesNotExist { name }));
            }
            done => done?,
        };
        let outcomes = match decided {
            Ok(outcomes) => outcomes,
            Err(missing) => return Ok(Tried::Missing(missing)),
        };
        if let Some(history) = &mut history {
            writes.note(history, &ticket, pipeline.completed());
        }
        drop(history);
        let submitted = step.submitted(&ticket);
        self.tell(submitted, &groups);
        if outcomes.iter().any(is_duplicate) && outcomes.iter().all(is_idle) {
            // Nothing was written. The originals may have been sent with less durability than this is to have.
            let ticket =
                self.0.broker.engine().pipeline.submit(&mut Batch::new(), self.durability_of(parts), None)?;
            return Ok(Tried::Done(Committed { outcomes }, ticket));
        }
        Ok(Tried::Done(Committed { outcomes }, ticket))
    }

    /// What the answer survives if nothing was written. The queues are those that messages are sent to.
    fn durability_of(&self, parts: &Parts) -> Durability {
        let asked_for = parts.cells.iter().map(|cell| cell.durability()).max();
        self.0.durability.or(asked_for).unwrap_or(Durability::Memory)
    }

    /// The consumer groups whose checkpoints are moved.
    fn groups(&self) -> Groups {
        let checkpoints = self.0.staged.iter().filter_map(|staged| match &staged.what {
            What::Checkpoint(_, checkpoint) => Some(checkpoint),
            _ => None,
        });
        let mut groups = Groups::default();
        for checkpoint in checkpoints {
            groups.or_insert_with(group_of(checkpoint), || checkpoint.group().clone());
        }
        groups
    }

    /// Tells those who wait for something else than queues what is on its way, no lock being held any more.
    fn tell(&self, submitted: Submitted, groups: &Groups) {
        for (id, trims) in submitted.trims {
            if let Some(cell) = self.0.streams.get(id) {
                cell.tell_readers();
                if trims {
                    LocalStream { cell: cell.clone(), broker: self.0.broker.clone() }.start_trimming();
                }
            }
        }
        for known_by in submitted.ended {
            if let Some(group) = groups.get(known_by) {
                group.news.notify_waiters();
            }
        }
        for (partition, below) in submitted.forgotten_ids {
            reclaim::start_ids(self.0.broker.engine(), partition, below);
        }
        for part in self.0.topics.values() {
            part.topic.trim_archive();
        }
    }
}
