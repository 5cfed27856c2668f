//! Move tasks as they are stored, and those of a source queue in memory. Like definitions they are JSON.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{MoveFilter, MoveTaskStatus};
use crate::{
    keys,
    storage::{Batch, Page, Storage, StorageError},
};

/// A move task. What it is to do does not change; how far it is changes in the commits that move its messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredTask {
    pub(super) destination: Option<String>,
    pub(super) max_per_second: Option<u32>,
    pub(super) filter: MoveFilter,
    pub(super) status: MoveTaskStatus,
    /// The first sequence of the source that it has not looked at.
    pub(super) position: u64,
    /// The tail of the source when the task was started. What it moves and fails again comes back behind this.
    pub(super) end: u64,
    pub(super) to_move: u64,
    pub(super) moved: u64,
    pub(super) started_at: u64,
    /// When it may move more messages.
    pub(super) next_at: u64,
}

impl StoredTask {
    pub(super) fn is_running(&self) -> bool {
        self.status == MoveTaskStatus::Running
    }
}

/// The move tasks of a source queue, in the order of their start: a few that have ended, and perhaps one that runs.
#[derive(Debug, Default)]
pub(crate) struct Moves(Vec<(u64, StoredTask)>);

/// So many tasks are listed, and so kept, for each queue.
pub(super) const TASKS_MAX: usize = 10;

impl Moves {
    /// The number of the running task.
    pub(super) fn running(&self) -> Option<u64> {
        self.0.last().filter(|(_, task)| task.is_running()).map(|(number, _)| *number)
    }

    /// The task of this number, if it is running.
    pub(super) fn task(&mut self, number: u64) -> Option<&mut StoredTask> {
        self.0.last_mut().filter(|(last, task)| *last == number && task.is_running()).map(|(_, task)| task)
    }

    /// Adds a task and forgets those that are too many. Returns its number: one that no task of the queue had before.
    pub(super) fn add(&mut self, queue: u64, task: StoredTask, batch: &mut Batch) -> u64 {
        let number = self.0.last().map_or(0, |(last, _)| last + 1);
        self.0.push((number, task));
        let forgotten = self.0.len().saturating_sub(TASKS_MAX);
        for (number, _) in self.0.drain(..forgotten) {
            batch.delete_meta(&keys::move_task(queue, number));
        }
        self.save(queue, batch);
        number
    }

    /// Stores the newest task: no other one changes.
    pub(super) fn save(&self, queue: u64, batch: &mut Batch) {
        if let Some((number, task)) = self.0.last() {
            let json = serde_json::to_vec(task).expect("a task has string keys and plain numbers only");
            batch.put_meta(&keys::move_task(queue, *number), &json);
        }
    }

    /// Ends the running task.
    pub(super) fn end(&mut self, queue: u64, status: MoveTaskStatus, batch: &mut Batch) {
        if let Some((_, task)) = self.0.last_mut() {
            task.status = status;
        }
        self.save(queue, batch);
    }

    /// All tasks, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &(u64, StoredTask)> {
        self.0.iter().rev()
    }
}

/// Tasks read at once.
const PAGE: Page = Page { entries: 1_000, bytes: 1024 * 1024 };

/// All move tasks by the id of their source queue.
pub(crate) fn stored(store: &dyn Storage) -> Result<HashMap<u64, Moves>, StorageError> {
    let (mut from, to) = (vec![keys::MOVE_TASK], keys::after_tag(keys::MOVE_TASK));
    let mut found: HashMap<u64, Moves> = HashMap::new();
    loop {
        let page = store.meta_range(&from, &to, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        from = [last, [0].as_slice()].concat();
        for (key, value) in &page {
            let damaged = |what: String| StorageError::corrupt(format!("meta key {key:?}"), what);
            let place = keys::queue_and_number_of(key);
            let (queue, number) = place.ok_or_else(|| damaged("the key has the wrong length".into()))?;
            let task = serde_json::from_slice(value).map_err(|what| damaged(what.to_string()))?;
            // Keys are in the order of the numbers.
            found.entry(queue).or_default().0.push((number, task));
        }
    }
}
