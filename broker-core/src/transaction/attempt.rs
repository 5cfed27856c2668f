//! An attempt to commit: takes the locks in their order, lets the step decide, and tells everybody.

use super::{
    Committed, Transaction,
    commit::Tried,
    owners::{Groups, Owners, Refused, group_of},
    plan::{Parts, first},
    rejected,
    step::{Known, Named, Step, Submitted, What},
};
use crate::{
    error::{Error, Result},
    pipeline::Admission,
    queue::shell::{Operation, QueueCell},
    reclaim,
    seeded::seeded,
    storage::{Batch, Durability},
    stream::LocalStream,
};

impl Transaction {
    /// Commits, unless something must be read first or has changed: then nothing has happened.
    pub(super) fn attempt(
        &mut self,
        parts: &Parts,
        known: &mut Known,
        admission: Option<Admission<'_>>,
    ) -> Result<Tried> {
        let groups = self.groups();
        let Self { broker, kinds, staged, queues, topics, streams, reads, writes, durability, .. } = self;
        let engine = broker.engine();
        let pipeline = &engine.pipeline;
        let owners = match Owners::lock(topics, streams, &groups, parts, pipeline.completed()) {
            Ok(owners) => owners,
            Err(Refused::Changed) => return Ok(Tried::Changed),
            Err(Refused::Gone(id, error)) => return Err(rejected(kinds, first(staged, id), error)),
        };
        let keys = if writes.is_empty() { Durability::Memory } else { Durability::Synced };
        let others = owners.durability().max(keys);
        let durability = |queues: Durability| durability.unwrap_or(queues.max(others));
        let mut history = engine.user_keys.lock();
        let named = Named { queues, topics, streams };
        let mut step = Step::new((kinds, staged), named, parts, known, owners);
        let decide = |ops: &mut [Operation<'_>], (now, batch): (u64, &mut Batch)| {
            let decided = step.run(ops, (reads, writes, &history), now, batch);
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
        writes.note(&mut history, &ticket, pipeline.completed());
        drop(history);
        let submitted = step.submitted(&ticket);
        self.tell(submitted, &groups);
        Ok(Tried::Done(Committed { outcomes }, ticket))
    }

    /// The consumer groups whose checkpoints are moved.
    fn groups(&self) -> Groups {
        let checkpoints = self.staged.iter().filter_map(|staged| match &staged.what {
            What::Checkpoint(_, checkpoint) => Some(checkpoint),
            _ => None,
        });
        checkpoints.map(|checkpoint| (group_of(checkpoint), checkpoint.group().clone())).collect()
    }

    /// Tells those who wait for something else than queues what is on its way, no lock being held any more.
    fn tell(&self, submitted: Submitted, groups: &Groups) {
        for (id, trims) in submitted.trims {
            if let Some(cell) = self.streams.get(id) {
                cell.tell_readers();
                if trims {
                    LocalStream { cell: cell.clone(), broker: self.broker.clone() }.start_trimming();
                }
            }
        }
        for known_by in submitted.ended {
            if let Some(group) = groups.get(&known_by) {
                group.news.notify_waiters();
            }
        }
        for (partition, below) in submitted.forgotten_ids {
            reclaim::start_ids(self.broker.engine(), partition, below);
        }
        for part in self.topics.values() {
            part.topic.trim_archive();
        }
    }
}
