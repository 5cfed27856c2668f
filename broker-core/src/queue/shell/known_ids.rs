//! Looking up deduplication ids that memory alone cannot tell from new ones.

use std::collections::HashMap;

use super::{Operation, QueueCell};
use crate::{
    engine::Engine,
    error::Result,
    queue::state::{Known, Original, ScopedId},
    storage::{Storage, StorageError},
};

/// Ids that were looked up in these generations, with what was found.
#[derive(Default)]
pub(crate) struct LookedUp(HashMap<ScopedId, (Vec<u64>, Option<Original>)>);

/// Ids that are to be looked up in a partition, each in its generations.
pub(crate) struct ToLookUp {
    partition: u64,
    ids: Vec<(ScopedId, Vec<u64>)>,
}

impl ToLookUp {
    pub(crate) fn find(self, store: &dyn Storage) -> Result<LookedUp, StorageError> {
        let find = |(mut id, generations): (ScopedId, Vec<u64>)| {
            let found = Original::find(store, self.partition, &mut id, &generations)?;
            Ok((id, (generations, found)))
        };
        self.ids.into_iter().map(find).collect::<Result<_, _>>().map(LookedUp)
    }
}

impl LookedUp {
    pub(crate) fn add(&mut self, found: Self) {
        self.0.extend(found.0);
    }

    /// Which ids must be looked up before it is known whether the queue has them. None if the store cannot block.
    pub(crate) fn missing<'i>(
        &self,
        cell: &QueueCell,
        ids: impl Iterator<Item = &'i ScopedId>,
        op: &Operation<'_>,
    ) -> Option<ToLookUp> {
        self.missing_of(&cell.engine, op.state.partition(), ids, |id| op.state.look_up_id(id, op.now))
    }

    /// The same for whatever remembers ids in a partition.
    pub(crate) fn missing_of<'i>(
        &self,
        engine: &Engine,
        partition: u64,
        ids: impl Iterator<Item = &'i ScopedId>,
        look_up: impl Fn(&ScopedId) -> Known,
    ) -> Option<ToLookUp> {
        if !engine.pipeline.profile().can_block {
            return None;
        }
        let missing = |id: &ScopedId| match look_up(id) {
            Known::Perhaps(generations) => {
                let found = |(looked, _): &(Vec<u64>, _)| generations.iter().all(|one| looked.contains(one));
                (!self.0.get(id).is_some_and(found)).then(|| (id.clone(), generations))
            }
            Known::New | Known::Duplicate(_) => None,
        };
        let ids: Vec<_> = ids.filter_map(missing).collect();
        (!ids.is_empty()).then_some(ToLookUp { partition, ids })
    }

    /// The message that the queue accepted this id with, if it still remembers it.
    pub(crate) fn original(
        &self,
        cell: &QueueCell,
        id: &mut ScopedId,
        op: &Operation<'_>,
    ) -> Result<Option<Original>> {
        let known = op.state.look_up_id(id, op.now);
        self.original_of(&cell.engine, op.state.partition(), id, known, op.now)
    }

    /// The same for whatever remembers ids in a partition, and knows this of the id.
    pub(crate) fn original_of(
        &self,
        engine: &Engine,
        partition: u64,
        id: &mut ScopedId,
        known: Known,
        now: u64,
    ) -> Result<Option<Original>> {
        let original = match known {
            Known::New => None,
            Known::Duplicate(original) => Some(original),
            // What was not looked up was new when this step began; since then only other ids were accepted.
            Known::Perhaps(_) if engine.pipeline.profile().can_block => {
                self.0.get(id).and_then(|(_, found)| *found)
            }
            Known::Perhaps(generations) => {
                engine.pipeline.with_store(|store| Original::find(store, partition, id, &generations))?
            }
        };
        Ok(original.filter(|original| original.forgotten_at() > now))
    }
}
