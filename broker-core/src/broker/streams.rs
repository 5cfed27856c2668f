//! Creating, opening, deleting and listing streams.

use std::{collections::BTreeMap, sync::Arc};

use super::{Broker, Entities, StreamBuilder};
use crate::{
    error::{Error, Result},
    keys,
    pipeline::Ticket,
    queue::{ROW_OVERHEAD_MAX, check as queue_check},
    reclaim,
    storage::{Batch, Durability},
    stream::{
        LocalStream, check,
        settings::{Settings, StreamMode, StreamSettings},
        shell::StreamCell,
        state::{Shard, StreamState},
        stored::StreamDefinition,
    },
};

/// How many shards a stream gets that does not say (rule K10).
const SHARDS: u32 = 4;

impl Broker {
    /// The stream of this name, created if there is none. Await it, after setting what should differ from the defaults.
    ///
    /// If the stream exists it is opened, whatever is given.
    pub fn stream(&self, name: impl Into<String>) -> StreamBuilder {
        StreamBuilder::new(self.clone(), name.into())
    }

    /// The stream of this name, if there is one.
    pub(crate) fn stream_cell(&self, name: &str) -> Option<Arc<StreamCell>> {
        self.entities.lock().streams.get(name).cloned()
    }

    /// The stream of this name, which must exist. Cancel safe.
    pub async fn open_stream(&self, name: &str) -> Result<LocalStream> {
        let cell =
            self.stream_cell(name).ok_or_else(|| Error::StreamDoesNotExist { name: name.to_owned() })?;
        self.engine.pipeline.barrier()?.wait().await?;
        Ok(LocalStream { cell, broker: self.clone() })
    }

    /// Creates a stream with so many shards, by default four. Fails if there is one of this name (rule K10).
    ///
    /// Cancel safe in this sense: a dropped call has created the stream or not, and later calls agree on which.
    pub async fn create_stream(
        &self,
        name: &str,
        shards: Option<u32>,
        settings: &StreamSettings,
        tags: &BTreeMap<String, String>,
    ) -> Result<LocalStream> {
        let (cell, ticket) = {
            let mut entities = self.entities.lock();
            if entities.streams.contains_key(name) {
                return Err(Error::StreamExists { name: name.to_owned() });
            }
            self.add_stream(&mut entities, name, shards, settings, tags.clone())?
        };
        ticket.wait().await?;
        Ok(LocalStream { cell, broker: self.clone() })
    }

    /// Creates a stream, or opens the one of this name.
    pub(super) async fn create_or_open_stream(
        &self,
        name: &str,
        shards: Option<u32>,
        settings: &StreamSettings,
        tags: &BTreeMap<String, String>,
    ) -> Result<LocalStream> {
        match self.create_stream(name, shards, settings, tags).await {
            Err(Error::StreamExists { .. }) => self.open_stream(name).await,
            made => made,
        }
    }

    fn add_stream(
        &self,
        entities: &mut Entities,
        name: &str,
        shards: Option<u32>,
        settings: &StreamSettings,
        tags: BTreeMap<String, String>,
    ) -> Result<(Arc<StreamCell>, Ticket)> {
        let limits = &self.engine.limits.streams;
        let pipeline = &self.engine.pipeline;
        let value_bytes_max = pipeline.profile().value_bytes_max.saturating_sub(ROW_OVERHEAD_MAX);
        check::stream_name(name, limits)?;
        settings.check(limits, value_bytes_max)?;
        queue_check::tags(&tags, &self.engine.limits)?;
        let settings = Settings::new(limits, value_bytes_max, settings);
        settings.check()?;
        if let (Some(count), StreamMode::OnDemand) = (shards, settings.mode) {
            return Err(Error::invalid(
                "shards",
                count,
                "are the stream's own affair if its mode is on demand",
            ));
        }
        let count = shards.unwrap_or(SHARDS);
        check::shard_count(count, limits)?;
        let now = self.engine.timeline.now();
        let mut batch = Batch::new();
        let mut ids = self.engine.ids.lock();
        let id = ids.take(&mut batch);
        let definition = StreamDefinition {
            id,
            settings,
            tags,
            created_at: now,
            epoch: 0,
            next_shard: 0,
            lost_before: 0,
            updates: Vec::new(),
        };
        let tags = definition.tags.clone();
        let mut state = StreamState::new(definition, self.engine.memory);
        let mut new = |batch: &mut Batch| (ids.take(batch), ids.take(batch));
        state.begin(count, now, &mut new, &mut batch);
        state.definition(tags.clone(), now).save(name, &mut batch);
        let ticket = pipeline.submit(&mut batch, Durability::Synced, None)?;
        drop(ids);
        let cell = StreamCell::new(name.to_owned(), self.engine.clone(), state, tags, now);
        entities.streams.insert(name.to_owned(), cell.clone());
        Ok((cell, ticket))
    }

    /// Deletes a stream with its records and consumer groups. One with queues cannot be deleted before those (rule K11). Handles of it answer that it does not exist, waiting readers included.
    ///
    /// One small write per shard, whatever is in it; the space is given back in the background. Cancel safe in this sense: a
    /// dropped call has deleted the stream or not.
    pub async fn delete_stream(&self, name: &str) -> Result<()> {
        let (leftovers, ticket) = {
            let mut entities = self.entities.lock();
            let missing = || Error::StreamDoesNotExist { name: name.to_owned() };
            let cell = entities.streams.get(name).cloned().ok_or_else(missing)?;
            let mut inner = cell.inner.lock();
            if !inner.queues.is_empty() {
                let reason = "there are queues on it, which must be deleted first".into();
                return Err(Error::InvalidState { name: name.to_owned(), reason });
            }
            let mut batch = Batch::new();
            batch.delete_meta(&keys::stream(name));
            batch.delete_meta_range(&keys::shard(cell.id, 0), &keys::shard(cell.id, u64::MAX));
            for shard in inner.state.shards() {
                batch.delete_meta(&keys::record(shard.definition.id));
                reclaim::note(shard.leftover(), &mut batch);
            }
            for group in inner.groups.values() {
                let mut state = group.state.lock();
                state.changed();
                let id = state.id;
                batch.delete_meta_range(&keys::group_lease(id, 0), &keys::group_lease(id, u64::MAX));
            }
            let (from, to) = (keys::group(cell.id, ""), keys::group(cell.id + 1, ""));
            batch.delete_meta_range(&from, &to);
            let leftovers: Vec<_> = inner.state.shards().map(Shard::leftover).collect();
            let ticket = self.engine.pipeline.submit(&mut batch, Durability::Synced, None)?;
            inner.state.deleted = true;
            drop(inner);
            cell.end();
            entities.streams.remove(name);
            (leftovers, ticket)
        };
        // At once, so that it happens also if this call is dropped: all its commits come behind the deletion's own.
        for leftover in leftovers {
            reclaim::start(&self.engine, leftover);
        }
        ticket.wait().await
    }

    /// The names of the streams, in order; a creation or deletion that is being committed shows already.
    pub fn list_streams(&self) -> Vec<String> {
        let mut names: Vec<_> = self.entities.lock().streams.keys().cloned().collect();
        names.sort_unstable();
        names
    }
}
