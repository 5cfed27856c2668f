//! Creating, opening, deleting and listing spaces of user keys.

use super::Broker;
use crate::{
    error::{Error, Result},
    keys,
    queue::state::Leftover,
    reclaim,
    space::{Space, SpaceCell, SpaceDefinition, space_name},
    storage::{Batch, Durability},
};

impl Broker {
    /// The space of user keys of this name, created if there is none. 1 to 128 letters, digits, underscores, dots and hyphens.
    ///
    /// Cancel safe in this sense: a dropped call has created the space or not, and later calls agree on which.
    pub async fn space(&self, name: &str) -> Result<Space> {
        space_name(name)?;
        let pipeline = &self.engine.pipeline;
        let (cell, ticket) = {
            let mut entities = self.entities.lock();
            if let Some(cell) = entities.spaces.get(name).cloned() {
                (cell, pipeline.barrier()?)
            } else {
                let mut batch = Batch::new();
                let mut ids = self.engine.ids.lock();
                let id = ids.take(&mut batch);
                let created_at = self.engine.timeline.now();
                SpaceDefinition { id, created_at }.save(name, &mut batch);
                let ticket = pipeline.submit(&mut batch, Durability::Synced, None)?;
                drop(ids);
                let cell = SpaceCell::new(name.to_owned(), id, self.engine.clone());
                entities.spaces.insert(name.to_owned(), cell.clone());
                (cell, ticket)
            }
        };
        ticket.wait().await?;
        Ok(Space { cell })
    }

    /// The space of this name, which must exist. Cancel safe.
    pub async fn open_space(&self, name: &str) -> Result<Space> {
        let cell = self.entities.lock().spaces.get(name).cloned();
        let cell = cell.ok_or_else(|| Error::SpaceDoesNotExist { name: name.to_owned() })?;
        self.engine.pipeline.barrier()?.wait().await?;
        Ok(Space { cell })
    }

    /// Deletes a space with all its keys. Handles of it answer that it does not exist, and transactions that have to do with it
    /// are rejected.
    ///
    /// One small write, however many keys there are; the room is given back in the background. Cancel safe in this sense: a
    /// dropped call has deleted the space or not.
    pub async fn delete_space(&self, name: &str) -> Result<()> {
        let (leftover, ticket) = {
            let mut entities = self.entities.lock();
            let missing = || Error::SpaceDoesNotExist { name: name.to_owned() };
            let cell = entities.spaces.get(name).cloned().ok_or_else(missing)?;
            // The keys of a space lie where the rows of a partition of its id would.
            let leftover = Leftover { partition: cell.id, from: 0, to: 0 };
            let mut batch = Batch::new();
            batch.delete_meta(&keys::space(name));
            reclaim::note(leftover, &mut batch);
            let history = self.engine.user_keys.lock();
            let ticket = self.engine.pipeline.submit(&mut batch, Durability::Synced, None)?;
            cell.end();
            drop(history);
            entities.spaces.remove(name);
            (leftover, ticket)
        };
        // At once, so that it happens also if this call is dropped: all its commits come behind the deletion's own.
        reclaim::start(&self.engine, leftover);
        ticket.wait().await
    }

    /// The names of the spaces, in order; a creation or deletion that is being committed shows already.
    pub fn list_spaces(&self) -> Vec<String> {
        let mut names: Vec<_> = self.entities.lock().spaces.keys().cloned().collect();
        names.sort_unstable();
        names
    }
}
