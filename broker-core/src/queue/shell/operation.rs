//! One step of a queue, or of several: time passes, the state decides, what was written is submitted, whoever waits is told.

use smallvec::SmallVec;

use super::{Description, Inner, QueueCell};
use crate::{
    broker::Moves,
    engine::Engine,
    error::{Error, Result},
    pipeline::{Admission, Ticket},
    queue::state::{Fetched, Need, QueueState, Want},
    seeded::seeded,
    storage::{Batch, Durability, StorageError},
    sync::MutexGuard,
};

/// What an operation works with, under the queue's lock.
pub(crate) struct Operation<'a> {
    pub(crate) state: &'a mut QueueState,
    pub(crate) description: &'a mut Description,
    pub(crate) moves: &'a mut Moves,
    pub(crate) batch: &'a mut Batch,
    pub(crate) now: u64,
}

/// A queue whose lock is held for one step.
struct Turn<'a> {
    cell: &'a QueueCell,
    inner: MutexGuard<'a, Inner>,
    now: u64,
    /// The queue's next event before this step.
    armed: Option<u64>,
}

impl<'a> Turn<'a> {
    fn lock(cell: &'a QueueCell) -> Self {
        Self { cell, inner: cell.inner.lock(), now: 0, armed: None }
    }

    /// Lets time pass.
    fn begin(&mut self, now: u64) -> Result<()> {
        let Inner { state, batch, .. } = &mut *self.inner;
        if state.deleted {
            return Err(Error::QueueDoesNotExist { name: self.cell.name.clone() });
        }
        state.committed(self.cell.engine.pipeline.completed());
        (self.now, self.armed) = (now, state.next_event());
        state.tick(now, batch);
        Ok(())
    }

    fn operation(&mut self) -> Operation<'_> {
        let Inner { state, description, moves, batch, .. } = &mut *self.inner;
        Operation { state, description, moves, batch, now: self.now }
    }

    /// Completes what the step wrote.
    fn complete(&mut self) -> &mut Batch {
        let Inner { state, batch, .. } = &mut *self.inner;
        state.finish(self.now, batch);
        batch
    }

    /// Notes what became of the step, and tells those who wait for this queue.
    fn end(mut self, written: Option<&Ticket>) {
        let Inner { state, fence, watched, .. } = &mut *self.inner;
        if let Some(observer) = &self.cell.engine.observer {
            self.cell.tell_noted(&**observer, state.take_noted(), self.now);
        }
        if let Some(ticket) = written {
            state.submitted(ticket.number());
            if state.take_fence() {
                *fence = ticket.clone();
            }
        }
        let waiters = &self.cell.waiters;
        // At the in-flight limit nobody can take it: a waiter would look, find nothing, wake itself and look again.
        let kept = state.in_flight() > 0 && seeded("wake-up-not-passed-on");
        if state.has_more() && state.in_flight() < self.cell.engine.limits.in_flight_max && !kept {
            waiters.message_waits();
        }
        let next = state.next_event();
        let closer = next.is_some_and(|next| self.armed.is_none_or(|armed| next < armed));
        if closer && !seeded("nearer-deadline-not-noticed") {
            waiters.event_came_closer();
        }
        if watched.as_mut().is_some_and(|watched| !watched.note(state)) {
            *watched = None;
        }
    }
}

impl QueueCell {
    /// One step of the queue.
    ///
    /// No durability given: that of the queue. The ticket covers all that the step can have seen. If `step` fails it
    /// must have changed nothing; the passage of time stays.
    pub(crate) fn operate<T>(
        &self,
        durability: impl Into<Option<Durability>>,
        admission: Option<Admission<'_>>,
        step: impl FnOnce(&mut Operation<'_>) -> Result<T>,
    ) -> Result<(T, Ticket)> {
        let pipeline = &self.engine.pipeline;
        let mut turn = Turn::lock(self);
        turn.begin(self.engine.timeline.now())?;
        let outcome = step(&mut turn.operation());
        let durability = durability.into().unwrap_or(turn.inner.state.settings.durability.into());
        let batch = turn.complete();
        let written = !batch.is_empty();
        let ticket =
            if written { pipeline.submit(batch, durability, admission)? } else { pipeline.barrier()? };
        turn.end(written.then_some(&ticket));
        Ok((outcome?, ticket))
    }

    /// One step of two queues of one broker, this one and another: what it writes is one commit. As
    /// [`operate`](Self::operate) otherwise.
    pub(crate) fn operate_both<T>(
        &self,
        other: &Self,
        durability: Durability,
        step: impl FnOnce(&mut Operation<'_>, &mut Operation<'_>) -> Result<T>,
    ) -> Result<(T, Ticket)> {
        let mine_first = self.id < other.id;
        let cells = if mine_first { [self, other] } else { [other, self] };
        Self::operate_all(
            &self.engine,
            &cells,
            |_| durability,
            None,
            |ops, _| match ops {
                [mine, others] if mine_first => step(mine, others),
                [others, mine] => step(mine, others),
                _ => unreachable!("two queues have two operations"),
            },
        )
    }

    /// One step of several queues of one broker, in the order of their ids, and of whatever the step itself adds to the
    /// batch that it is given: all of it is one commit. If one of the queues is gone, nothing has happened.
    ///
    /// `durability` is told the most that one of the queues asks for.
    pub(crate) fn operate_all<T>(
        engine: &Engine,
        cells: &[impl std::ops::Deref<Target = Self>],
        durability: impl FnOnce(Durability) -> Durability,
        admission: Option<Admission<'_>>,
        step: impl FnOnce(&mut [Operation<'_>], (u64, &mut Batch)) -> Result<T>,
    ) -> Result<(T, Ticket)> {
        // Always in the order of the ids, or two steps could wait for each other.
        debug_assert!(cells.is_sorted_by(|a, b| a.id < b.id));
        let mut turns: SmallVec<[Turn<'_>; 4]> = cells.iter().map(|cell| Turn::lock(cell)).collect();
        let gone = turns.iter().find(|turn| turn.inner.state.deleted);
        if let Some(Turn { cell, .. }) = gone {
            return Err(Error::QueueDoesNotExist { name: cell.name.clone() });
        }
        let now = engine.timeline.now();
        turns.iter_mut().try_for_each(|turn| turn.begin(now))?;
        let mut batch = std::mem::take(&mut *engine.spare_batch.lock());
        let outcome = {
            let mut operations: SmallVec<[_; 4]> = turns.iter_mut().map(Turn::operation).collect();
            step(&mut operations, (now, &mut batch))
        };
        for turn in &mut turns {
            batch.append(turn.complete());
            if seeded("commit-in-two-parts") {
                let _ = engine.pipeline.submit(&mut batch, Durability::Buffered, None)?;
            }
        }
        let asked_for = turns.iter().map(|turn| turn.inner.state.settings.durability.into()).max();
        let durability = durability(asked_for.unwrap_or(Durability::Memory));
        let written = !batch.is_empty();
        let pipeline = &engine.pipeline;
        let ticket =
            if written { pipeline.submit(&mut batch, durability, admission)? } else { pipeline.barrier()? };
        for turn in turns {
            turn.end(written.then_some(&ticket));
        }
        if batch.is_empty() && batch.is_small() {
            *engine.spare_batch.lock() = batch;
        }
        Ok((outcome?, ticket))
    }
}

impl Operation<'_> {
    pub(super) fn absorb(&mut self, need: &Need, fetched: Fetched) -> Result<()> {
        self.state.absorb(need, fetched, self.batch).map_err(|what| {
            StorageError::corrupt(format!("the record of queue {}", self.state.id), what.0)
        })?;
        self.state.tick(self.now, self.batch);
        Ok(())
    }

    /// Supplies what the state needs at once, from a store that cannot block. Returns whether it could.
    pub(super) fn page_in_here(&mut self, cell: &QueueCell, want: Want) -> Result<bool> {
        let pipeline = &cell.engine.pipeline;
        if pipeline.profile().can_block {
            return Ok(self.state.need(self.now, want).is_none());
        }
        while let Some(need) = self.state.ask(self.now, want) {
            // The state must not read what this operation has not committed yet.
            self.state.finish(self.now, self.batch);
            if !self.batch.is_empty() {
                let _ = pipeline.submit(self.batch, Durability::Buffered, None)?;
                self.state.take_fence();
            }
            let fetched = pipeline.with_store(|store| need.fetch(store))?;
            self.absorb(&need, fetched)?;
        }
        Ok(true)
    }
}
