//! Opening streams: from what is stored to the streams in memory. Costs a few small reads per shard, whatever is in it.

use super::{
    group::{self, state::GroupState},
    queue::{self, stored::LoadedStreamQueue},
    stored::{self, ShardDefinition, StreamDefinition},
};
use crate::{
    limits::MemoryBounds,
    queue::{record::Record, recovery},
    storage::{Storage, StorageError},
};

/// A stream as it is read.
pub(crate) struct LoadedStream {
    pub(crate) name: String,
    pub(crate) definition: StreamDefinition,
    pub(crate) shards: Vec<(ShardDefinition, Record)>,
    pub(crate) groups: Vec<(String, GroupState)>,
    pub(crate) queues: Vec<LoadedStreamQueue>,
}

/// Nobody makes so many shards, and counting on from here does not overflow.
const MADE_MAX: u32 = u32::MAX / 2;

/// Reads all streams.
pub(crate) fn read(store: &dyn Storage) -> Result<Vec<LoadedStream>, StorageError> {
    let stream = |(name, definition): (String, StreamDefinition)| {
        let damaged = |what: &str| StorageError::corrupt(format!("the definition of stream {name:?}"), what);
        if definition.epoch.max(definition.next_shard) > MADE_MAX {
            return Err(damaged("counts more shards than there can be"));
        }
        let with_record = |shard: ShardDefinition| {
            let record = recovery::read_record(store, shard.id)?;
            if record.partition != shard.partition || shard.range.start > shard.range.end {
                return Err(damaged("has a shard that does not fit its record"));
            }
            if shard.number >= definition.next_shard || shard.epoch > definition.epoch {
                return Err(damaged("has a shard that it has not made"));
            }
            Ok((shard, record))
        };
        let shards = stored::shards(store, definition.id)?.into_iter().map(with_record);
        let shards = shards.collect::<Result<_, _>>()?;
        let groups = group::stored::groups(store, definition.id)?;
        let queues = queue::stored::queues(store, definition.id)?;
        Ok(LoadedStream { name, definition, shards, groups, queues })
    };
    stored::streams(store)?.into_iter().map(stream).collect()
}

impl LoadedStream {
    /// The newest time in the stream's records.
    pub(crate) fn as_of(&self) -> u64 {
        let shards = self.shards.iter().map(|(_, record)| record);
        let queues = self.queues.iter().flat_map(|queue| &queue.records);
        shards.chain(queues).map(|record| record.as_of).max().unwrap_or(0)
    }

    /// Loads what was in memory of the queues on it.
    pub(crate) fn load_queues(
        &mut self,
        store: &dyn Storage,
        memory: MemoryBounds,
        now: u64,
    ) -> Result<(), StorageError> {
        let retention_ms = self.definition.settings.retention_ms;
        let (name, queues) = (&self.name, &mut self.queues);
        queues.iter_mut().try_for_each(|queue| queue.load(store, name, retention_ms, memory, now))
    }

    /// The ids of the stream and of what belongs to it.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        let shards = self.shards.iter().flat_map(|(shard, _)| [shard.id, shard.partition]);
        let groups = self.groups.iter().map(|(_, group)| group.id);
        let queues = self.queues.iter().flat_map(LoadedStreamQueue::ids);
        std::iter::once(self.definition.id).chain(shards).chain(groups).chain(queues)
    }
}

#[cfg(test)]
mod tests;
