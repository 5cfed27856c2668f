//! Creating, opening, deleting and listing queues.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Broker, Entities, QueueBuilder};
use crate::{
    catalog::Definition,
    clock::millis,
    codec::write_u64,
    engine::Engine,
    error::{Error, Result},
    keys,
    pipeline::Ticket,
    queue::{
        LocalQueue, ROW_OVERHEAD_MAX, check,
        record::Record,
        settings::{QueueSettings, Settings},
        shell::QueueCell,
        state::QueueState,
    },
    reclaim,
    storage::{Batch, Durability},
};

impl Broker {
    /// The queue of this name, created if there is none. Await it, after setting what should differ from the defaults.
    ///
    /// If the queue exists, the settings given must be those it has now; none given is always fine (rule Q6).
    pub fn queue(&self, name: impl Into<String>) -> QueueBuilder {
        QueueBuilder::new(self.clone(), name.into())
    }

    /// The queue of this name, if there is one.
    pub(crate) fn cell(&self, name: &str) -> Option<Arc<QueueCell>> {
        let entities = self.entities.lock();
        entities.queues.get(name).or_else(|| entities.hidden.get(name)).cloned()
    }

    /// Lets a queue that belongs to something else be found by its name.
    pub(crate) fn add_hidden(&self, cell: &Arc<QueueCell>) {
        self.entities.lock().hidden.insert(cell.name.clone(), cell.clone());
    }

    pub(crate) fn remove_hidden(&self, cell: &QueueCell) {
        self.entities.lock().hidden.remove(&cell.name);
    }

    /// The queue of this name, which must exist. Cancel safe.
    pub async fn open_queue(&self, name: &str) -> Result<LocalQueue> {
        let cell = self.entities.lock().queues.get(name).cloned();
        let cell = cell.ok_or_else(|| Error::QueueDoesNotExist { name: name.to_owned() })?;
        self.engine.pipeline.barrier()?.wait().await?;
        Ok(LocalQueue { cell, broker: self.clone() })
    }

    /// Creates a queue, or opens it if it exists with these settings (rule Q6). Tags are set on a new queue only.
    ///
    /// Cancel safe in this sense: a dropped call has created the queue or not, and later calls agree on which.
    pub async fn create_queue(
        &self,
        name: &str,
        settings: &QueueSettings,
        tags: &BTreeMap<String, String>,
    ) -> Result<LocalQueue> {
        let Engine { pipeline, limits, .. } = &*self.engine;
        let value_bytes_max = pipeline.profile().value_bytes_max.saturating_sub(ROW_OVERHEAD_MAX);
        settings.check(limits, value_bytes_max)?;
        check::tags(tags, limits)?;
        let (cell, ticket) = {
            let mut entities = self.entities.lock();
            if let Some(cell) = entities.queues.get(name).cloned() {
                if let Some(attribute) = cell.settings().first_difference(settings) {
                    return Err(Error::QueueNameExists { name: name.to_owned(), attribute });
                }
                (cell, pipeline.barrier()?)
            } else {
                check::queue_name(name, settings.fifo == Some(true), limits)?;
                let settings = Settings::new(limits, value_bytes_max, settings)?;
                entities.check_redrive(name, settings.fifo.is_some(), &settings.redrive_policy)?;
                self.add_queue(&mut entities, name, settings, tags.clone())?
            }
        };
        ticket.wait().await?;
        Ok(LocalQueue { cell, broker: self.clone() })
    }

    fn add_queue(
        &self,
        entities: &mut Entities,
        name: &str,
        settings: Settings,
        tags: BTreeMap<String, String>,
    ) -> Result<(Arc<QueueCell>, Ticket)> {
        let now = self.engine.timeline.now();
        let mut batch = Batch::new();
        if let Some(deleted_at) = entities.deleted_at.get(name) {
            let free_at = deleted_at.saturating_add(millis(self.engine.limits.recreate_wait));
            if now < free_at {
                let wait = Duration::from_millis(free_at - now);
                return Err(Error::QueueDeletedRecently { name: name.to_owned(), wait });
            }
            batch.delete_meta(&keys::tombstone(name));
        }
        let mut ids = self.engine.ids.lock();
        let (id, partition) = (ids.take(&mut batch), ids.take(&mut batch));
        let record = Record { partition, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: now };
        let definition = Definition { id, settings, tags, created_at: now, last_modified_at: now };
        batch.put_meta(&keys::definition(name), &definition.encode());
        batch.put_meta(&keys::record(id), &record.encode());
        let ticket = self.engine.pipeline.submit(&mut batch, Durability::Synced, None)?;
        drop(ids);
        let state = QueueState::new(id, definition.settings.clone(), self.engine.memory, &record);
        let cell = QueueCell::new(name.to_owned(), self.engine.clone(), state, definition.description());
        entities.deleted_at.remove(name);
        entities.queues.insert(name.to_owned(), cell.clone());
        Ok((cell, ticket))
    }

    /// Deletes a queue with its messages. Handles of it answer that it does not exist, waiting receives included.
    ///
    /// One small write, whatever the backlog; the space is given back in the background. Cancel safe in this sense: a
    /// dropped call has deleted the queue or not.
    pub async fn delete_queue(&self, name: &str) -> Result<()> {
        let (leftover, ticket) = {
            let mut entities = self.entities.lock();
            let missing = || Error::QueueDoesNotExist { name: name.to_owned() };
            let cell = entities.queues.get(name).cloned().ok_or_else(missing)?;
            let mut batch = Batch::new();
            batch.delete_meta(&keys::definition(name));
            batch.delete_meta(&keys::record(cell.id));
            batch.delete_meta_range(&keys::move_task(cell.id, 0), &keys::move_task(cell.id, u64::MAX));
            if !self.engine.limits.recreate_wait.is_zero() {
                let now = self.engine.timeline.now();
                let mut value = Vec::with_capacity(8);
                write_u64(&mut value, now);
                batch.put_meta(&keys::tombstone(name), &value);
                entities.deleted_at.insert(name.to_owned(), now);
            }
            self.forget_deleted(&mut entities, &mut batch);
            let (leftover, ticket) = cell.delete(&mut batch)?;
            entities.queues.remove(name);
            (leftover, ticket)
        };
        // At once, so that it happens also if this call is dropped: all its commits come behind the deletion's own.
        reclaim::start(&self.engine, leftover);
        ticket.wait().await
    }

    /// Removes the tombstones of names that are free again, or they would be kept for ever.
    fn forget_deleted(&self, entities: &mut Entities, batch: &mut Batch) {
        let (now, wait) = (self.engine.timeline.now(), millis(self.engine.limits.recreate_wait));
        entities.deleted_at.retain(|name, deleted_at| {
            let taken = now < deleted_at.saturating_add(wait);
            if !taken {
                batch.delete_meta(&keys::tombstone(name));
            }
            taken
        });
    }

    /// The names of the queues that start with `prefix`, in order (rule Q9); a creation or deletion that is being
    /// committed shows already.
    pub fn list_queues(&self, prefix: &str) -> Vec<String> {
        let entities = self.entities.lock();
        let mut names: Vec<_> =
            entities.queues.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        names.sort_unstable();
        names
    }
}
