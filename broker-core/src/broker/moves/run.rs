//! The work of a move task, in the background: page by page, each message in a commit that takes it out of one queue and
//! puts it into the other. It holds the broker only while it works.

use std::sync::Arc;

use super::{
    Broker, MoveTaskStatus, StoredTask, WeakBroker,
    page::{Found, Reader, Target},
};
use crate::{
    error::{Error, Result},
    pipeline::Ticket,
    queue::{
        row::{RowContent, UnstampedRow},
        shell::{Operation, QueueCell},
        state::{ScanPage, Standing},
    },
    storage::{Durability, Page, StorageError},
    sync::yield_now,
};

/// Messages moved in one commit at most, and read at once: a few milliseconds of work between other commits.
const STEP: u32 = 100;
/// The bytes of messages after which a page ends.
const STEP_BYTES: usize = 1024 * 1024;
/// A task that has run for so long fails (rule Q87).
const RUN_MS_MAX: u64 = 36 * 3_600_000;

/// A running task.
struct Mover {
    broker: WeakBroker,
    /// The source queue. A later one of the same name has another id.
    name: String,
    id: u64,
    number: u64,
}

/// When a task goes on.
enum Next {
    Soon,
    At(u64),
    /// It has ended.
    Never,
}

/// What became of messages that were to be moved.
enum Carried {
    Moved,
    /// They are not where they were read: they must be read again.
    Stale,
    /// The task has ended.
    Ended,
}

/// Messages to be moved, by the queue that they go to.
type Loads = Vec<(Arc<QueueCell>, Vec<(u64, RowContent)>)>;

/// What is to be done with a page.
struct Work {
    loads: Loads,
    /// The message behind all of those that has nowhere to go, and why.
    stranded: Option<(u64, &'static str)>,
    /// The first sequence that this does not cover.
    end: u64,
}

/// Starts the work on a task, once its start is committed.
pub(super) fn start(broker: &Broker, source: &QueueCell, number: u64, begun: Ticket) {
    let mover = Mover { broker: broker.downgrade(), name: source.name.clone(), id: source.id, number };
    broker.engine.pipeline.runtime().spawn(async move {
        if begun.wait().await.is_ok() {
            mover.run().await;
        }
    });
}

/// Goes on with the tasks that ran when the store was last open.
pub(crate) fn resume(broker: &Broker) {
    for cell in broker.entities.lock().queues.values() {
        let running = cell.inner.lock().moves.running();
        if let Some(number) = running {
            start(broker, cell, number, Ticket::default());
        }
    }
}

impl Mover {
    async fn run(&self) {
        loop {
            let Some(broker) = self.broker.upgrade() else { return };
            let Some(source) = broker.cell(&self.name).filter(|cell| cell.id == self.id) else { return };
            let alarm = match self.step(&broker, &source).await {
                Ok(Next::Soon) => None,
                Ok(Next::At(time)) => Some(broker.engine.timeline.alarm(time)),
                Err(Error::Storage(cause)) => return self.fail(&source, cause.to_string()),
                // The broker has stopped, so this goes on at the next open; or the source was deleted.
                Ok(Next::Never) | Err(_) => return,
            };
            drop((broker, source));
            match alarm {
                Some(alarm) => alarm.await,
                None => yield_now().await,
            }
        }
    }

    /// Moves what is to be moved of the next page.
    async fn step(&self, broker: &Broker, source: &QueueCell) -> Result<Next> {
        let (task, _) = source.operate(Durability::Synced, None, |op| Ok(self.task(op)))?;
        let Some(task) = task else { return Ok(Next::Never) };
        if task.next_at > source.engine.timeline.now() {
            return Ok(Next::At(task.next_at));
        }
        let StoredTask { destination, filter, max_per_second, position, end, .. } = task;
        let messages = max_per_second.map_or(STEP, |rate| rate.min(STEP)) as usize;
        let entries = if filter.is_empty() { messages } else { STEP as usize };
        let page = Page { entries, bytes: STEP_BYTES };
        let reader = Reader { broker, source, destination: destination.as_deref(), filter: &filter };
        let found = reader.read(position..end, page).await?;
        let Found { mut page, messages: found } = found;
        let work = Work::of(found, messages, page.range.end);
        for (target, load) in work.loads {
            match self.carry(source, &target, load, &mut page) {
                Ok((Carried::Moved, ticket)) => ticket.wait().await?,
                Ok((Carried::Stale, _)) => return Ok(Next::Soon),
                Ok((Carried::Ended, _)) => return Ok(Next::Never),
                // Deleted in between: the next look finds that out.
                Err(Error::QueueDoesNotExist { name }) if name == target.name => return Ok(Next::Soon),
                Err(error) => return Err(error),
            }
        }
        let (next, _) = source.operate(Durability::Synced, None, |op| {
            if let Some((seq, reason)) = work.stranded {
                if !op.state.holds(&page, op.now) {
                    return Ok(Next::Soon);
                }
                if op.state.standing(&page, seq, op.now) == Standing::Visible {
                    self.end(op, MoveTaskStatus::Failed { reason: reason.into() });
                }
            }
            let Some(task) = op.moves.task(self.number) else { return Ok(Next::Never) };
            task.position = work.end;
            Ok(Next::Soon)
        })?;
        Ok(next)
    }

    /// The task, unless it has ended, or ends now.
    fn task(&self, op: &mut Operation<'_>) -> Option<StoredTask> {
        let task = op.moves.task(self.number)?.clone();
        if task.position >= task.end {
            self.end(op, MoveTaskStatus::Completed);
            return None;
        }
        if op.now.saturating_sub(task.started_at) >= RUN_MS_MAX {
            self.end(op, MoveTaskStatus::Failed { reason: "the task ran for 36 hours".into() });
            return None;
        }
        Some(task)
    }

    fn end(&self, op: &mut Operation<'_>, status: MoveTaskStatus) {
        if op.moves.task(self.number).is_some() {
            op.moves.end(self.id, status, op.batch);
        }
    }

    fn fail(&self, source: &QueueCell, reason: String) {
        let failed = source.operate(Durability::Synced, None, |op| {
            self.end(op, MoveTaskStatus::Failed { reason });
            Ok(())
        });
        // Nobody waits for it. If the broker has stopped or the queue is gone, so has the task.
        drop(failed);
    }

    /// Moves those of the messages that can be received, in one commit with the task's progress.
    fn carry(
        &self,
        source: &QueueCell,
        target: &QueueCell,
        load: Vec<(u64, RowContent)>,
        page: &mut ScanPage,
    ) -> Result<(Carried, Ticket)> {
        // Less, and a power cut could give the ids of the new messages to others.
        source.operate_both(target, source.durability_of_move(target), |op, to| {
            let Some(task) = op.moves.task(self.number) else { return Ok(Carried::Ended) };
            if !op.state.holds(page, op.now) {
                return Ok(Carried::Stale);
            }
            let seqs = load.iter().map(|(seq, _)| *seq);
            let taken = op.state.extract(page, seqs, op.now, op.batch);
            let taken = taken
                .map_err(|what| StorageError::corrupt(format!("the record of queue {}", self.id), what.0))?;
            if taken.is_empty() {
                return Ok(Carried::Moved);
            }
            task.count(taken.len() as u64, op.now);
            op.moves.save(self.id, op.batch);
            let mut taken = taken.into_iter().peekable();
            for (seq, content) in load {
                let Some((_, lease)) = taken.next_if(|(taken, _)| *taken == seq) else { continue };
                let before = content.origin.as_ref().map_or(0, |origin| origin.why.receive_count);
                let receives = before.saturating_add(lease.deliveries);
                if let Some(origin) = &content.origin {
                    // It may have come before this broker was opened.
                    op.state.note_arrived(origin.id, seq);
                }
                op.state.note_moved(seq, &target.name, receives, op.now);
                append(content, to);
            }
            Ok(Carried::Moved)
        })
    }
}

/// Adds a message that was taken out of a dead-letter queue: as a new one (rule Q90).
fn append(content: RowContent, to: &mut Operation<'_>) {
    let (mut message, origin) = content.into_message();
    if to.state.settings.fifo.is_some()
        && let Some(origin) = origin.filter(|origin| !origin.of_topic)
    {
        // What it showed there (rules F52, F54).
        message.deduplication_id = Some(origin.id.to_string());
    }
    let delay_ms = to.state.settings.delay_ms;
    let row = UnstampedRow::new(&message, None);
    to.state.append(to.now, delay_ms, message.group_id.as_deref(), |head| row.stamp(head), to.batch);
}

impl StoredTask {
    /// So many messages were moved: how many, and when more may be.
    fn count(&mut self, moved: u64, now: u64) {
        self.moved += moved;
        if let Some(rate) = self.max_per_second {
            self.next_at = self.next_at.max(now) + (moved * 1_000).div_ceil(u64::from(rate));
        }
    }
}

impl Work {
    /// The work on a page that ends at `end`: at most so many messages, and none behind one that has nowhere to go.
    fn of(found: Vec<(u64, Target)>, messages_max: usize, end: u64) -> Self {
        let mut work = Self { loads: Vec::new(), stranded: None, end };
        let mut count = 0;
        for (seq, target) in found {
            match target {
                Target::Skipped => {}
                _ if count == messages_max => {
                    work.end = seq;
                    break;
                }
                Target::Queue(cell, content) => {
                    count += 1;
                    match work.loads.iter_mut().find(|(queue, _)| queue.id == cell.id) {
                        Some((_, load)) => load.push((seq, content)),
                        None => work.loads.push((cell, vec![(seq, content)])),
                    }
                }
                Target::Nowhere(reason) => {
                    work.stranded = Some((seq, reason));
                    work.end = seq + 1;
                    break;
                }
            }
        }
        work
    }
}
