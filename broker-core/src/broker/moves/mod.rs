//! Move tasks: messages of a dead-letter queue go back to work, in the background (rules Q86 to Q90, F54).
//!
//! A task is a record under its source queue, changed in the very commits that move its messages: so it goes on after
//! a restart where it was. It moves what was in the queue when it was started. Each step reads a page, and then takes
//! what is still there and can be received, under the locks of both queues. A task is part of its source queue and is
//! protected by that queue's lock.
//!
//! | file | what it is for |
//! |---|---|
//! | `task`, `filter`, `handle` | what users say and see |
//! | `stored` | what is stored |
//! | `page` | reads a stretch of a queue and sorts it by destination |
//! | `run` | the work in the background |

mod filter;
mod handle;
mod page;
mod run;
mod stored;
mod task;

pub use filter::MoveFilter;
pub use handle::{MoveTaskHandle, ParseMoveTaskHandleError};
pub(super) use run::resume;
pub(crate) use stored::Moves;
pub(super) use stored::stored;
use stored::{StoredTask, TASKS_MAX};
pub use task::{MovePlan, MoveTask, MoveTaskInfo, MoveTaskStatus};

use std::{ops::Range, sync::Arc};

use super::{Broker, Entities, WeakBroker};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    queue::shell::{Operation, QueueCell},
    storage::{Durability, Page},
};
use page::Reader;

impl Broker {
    /// Starts to move messages out of a dead-letter queue, in the background (rule Q86).
    ///
    /// It moves what is in the queue now and can be received; what is in flight or delayed stays. Moved messages are new
    /// ones (Q90): with a new id, sent at the time of the move, not received yet; body, attributes, group and trace
    /// header are as before. In a FIFO queue their deduplication id is the one that they showed in the dead-letter
    /// queue, and is not remembered. The order is kept, as far as nothing is left out. Messages that fail again while
    /// the task runs are not moved a second time.
    ///
    /// One task at a time runs for a source queue, and only so many in the broker
    /// ([`Limits::move_tasks_max`](crate::Limits)). It goes on after a restart, and ends when all is moved, when it is
    /// cancelled, when a destination does not exist, or after 36 hours.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// # broker.queue("dead").await?;
    /// # broker.queue("orders").dead_letter("dead", 3).await?;
    /// use broker_core::MoveTask;
    ///
    /// let task = MoveTask::from("dead").max_per_second(50);
    /// println!("{} messages would go back", broker.plan_move(&task).await?.matching);
    /// let handle = broker.start_move_task(task).await?;
    /// let tasks = broker.list_move_tasks("dead", 1).await?;
    /// assert_eq!(tasks[0].to_move, 0);
    /// # let _ = handle;
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// Cancel safe in this sense: a dropped call has started the task or not.
    pub async fn start_move_task(&self, task: MoveTask) -> Result<MoveTaskHandle> {
        let (handle, ticket) = {
            let entities = self.entities.lock();
            let source = entities.check_move(&task)?;
            let max = self.engine.limits.move_tasks_max;
            if source.inner.lock().moves.running().is_some() {
                return Err(Error::MoveTaskRunning { name: task.source });
            }
            let running = |cell: &&Arc<QueueCell>| cell.inner.lock().moves.running().is_some();
            if entities.queues.values().filter(running).count() >= max {
                return Err(Error::TooManyMoveTasks { max });
            }
            let MoveTask { destination, max_per_second, filter, .. } = task;
            let (number, ticket) = source.operate(Durability::Synced, None, |op| {
                let Range { start: position, end } = op.state.stretch();
                let task = StoredTask {
                    destination,
                    max_per_second,
                    filter,
                    status: MoveTaskStatus::Running,
                    position,
                    end,
                    to_move: op.state.counters(None).visible,
                    moved: 0,
                    started_at: op.now,
                    next_at: op.now,
                };
                Ok(op.moves.add(source.id, task, op.batch))
            })?;
            // At once, so that it runs also if this call is dropped.
            run::start(self, &source, number, ticket.clone());
            (MoveTaskHandle::new(self.engine.seed, source.id, number), ticket)
        };
        ticket.wait().await?;
        Ok(handle)
    }

    /// Ends a running move task, and returns how many messages it has moved; those stay moved (rule Q89).
    ///
    /// It takes effect at once: after this no more messages are moved. Cancel safe in this sense: a dropped call has
    /// cancelled the task or not.
    pub async fn cancel_move_task(&self, handle: &MoveTaskHandle) -> Result<u64> {
        let unknown = || Error::invalid("handle", handle, "must be one that this broker has given out");
        let (id, number) = handle.open(self.engine.seed).ok_or_else(unknown)?;
        let missing = || Error::MoveTaskDoesNotExist { task: handle.to_string() };
        let source = self.entities.lock().queues.values().find(|cell| cell.id == id).cloned();
        let source = source.ok_or_else(missing)?;
        let (moved, ticket) = source.operate(Durability::Synced, None, |op| {
            let moved = op.moves.task(number).ok_or_else(missing)?.moved;
            op.moves.end(id, MoveTaskStatus::Cancelled, op.batch);
            Ok(moved)
        })?;
        ticket.wait().await?;
        Ok(moved)
    }

    /// The newest move tasks of a source queue, at most `max`, 1 to 10, the newest first (rule Q88). Cancel safe.
    pub async fn list_move_tasks(&self, source: &str, max: usize) -> Result<Vec<MoveTaskInfo>> {
        if !(1..=TASKS_MAX).contains(&max) {
            return Err(Error::invalid("max", max, format!("must be between 1 and {TASKS_MAX}")));
        }
        let cell = self.cell(source).ok_or_else(|| Error::QueueDoesNotExist { name: source.to_owned() })?;
        let info = |(number, task): &(u64, StoredTask)| MoveTaskInfo {
            handle: task.is_running().then(|| MoveTaskHandle::new(self.engine.seed, cell.id, *number)),
            source: source.to_owned(),
            destination: task.destination.clone(),
            max_per_second: task.max_per_second,
            filter: task.filter.clone(),
            status: task.status.clone(),
            to_move: task.to_move,
            moved: task.moved,
            started_at: Timestamp::from_millis(task.started_at),
        };
        let (tasks, ticket) = cell
            .operate(Durability::Buffered, None, |op| Ok(op.moves.newest().take(max).map(info).collect()))?;
        ticket.wait().await?;
        Ok(tasks)
    }

    /// What a move task would do: a dry run, that reads the whole queue and changes nothing. Cancel safe.
    pub async fn plan_move(&self, task: &MoveTask) -> Result<MovePlan> {
        let source = self.entities.lock().check_move(task)?;
        let destination = task.destination.as_deref();
        let reader = Reader { broker: self, source: &source, destination, filter: &task.filter };
        let mut plan = MovePlan::default();
        let (mut left, ticket) = source.operate(Durability::Buffered, None, |op| Ok(op.state.stretch()))?;
        // What is not committed cannot be read.
        ticket.wait().await?;
        while !left.is_empty() {
            let found = reader.read(left.clone(), PLAN_PAGE).await?;
            let count = |op: &mut Operation<'_>| {
                if !op.state.holds(&found.page, op.now) {
                    return Ok(None);
                }
                let mut counted = plan.clone();
                for (seq, target) in &found.messages {
                    counted.count(op.state.standing(&found.page, *seq, op.now), target);
                }
                Ok(Some(counted))
            };
            let (counted, ticket) = source.operate(Durability::Buffered, None, count)?;
            let Some(counted) = counted else { continue };
            ticket.wait().await?;
            plan = counted;
            left.start = found.page.range.end;
        }
        Ok(plan)
    }
}

/// Messages read at once by a dry run.
const PLAN_PAGE: Page = Page { entries: 1_000, bytes: 4 * 1024 * 1024 };

impl Entities {
    /// Refuses what cannot be moved (rule Q86). Returns the source queue.
    fn check_move(&self, task: &MoveTask) -> Result<Arc<QueueCell>> {
        task.check()?;
        let queue = |name: &str| {
            let missing = || Error::QueueDoesNotExist { name: name.to_owned() };
            self.queues.get(name).cloned().ok_or_else(missing)
        };
        let source = queue(&task.source)?;
        if self.sources_of(&task.source).is_empty() {
            return Err(Error::NotADeadLetterQueue { name: task.source.clone() });
        }
        let Some(name) = &task.destination else { return Ok(source) };
        let destination = queue(name)?;
        if destination.id == source.id {
            return Err(Error::invalid("destination", name, "must be another queue than the source"));
        }
        if destination.is_fifo() != source.is_fifo() {
            return Err(Error::invalid("destination", name, "must be FIFO exactly if the source queue is"));
        }
        Ok(source)
    }
}
